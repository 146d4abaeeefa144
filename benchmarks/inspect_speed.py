"""Images a second from files on disk to decisions: `flawscope inspect` beside the reference systems' way.

Theirs: PIL, torch eager, one image at a time. Ours: the sealed bundle in the light runtime. Same MobileNetV2 at 224,
same weights, float32, same files, same machine, in turns in one process; the ratio is what counts.

    python benchmarks/inspect_speed.py [--images 400] [--rounds 5] [--padding same|plain]

Appends to benchmarks/results/inspect-speed.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from flawscope.bundle.archive import write_bundle
from flawscope.bundle.export import export_graph
from flawscope.bundle.manifest import Calibrator, DecisionRule, Graph, Hashes, ImageInput, Manifest, Sealed, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.data.elpv import elpv_folder
from flawscope.inspection.folder import find_pictures, inspect_folder
from flawscope.inspection.tables import read_results, write_results
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.preprocess import Preprocess, open_image, prepare
from flawscope.records import NOT_CHECKED, Task
from flawscope.steps.provenance import code_version, command, machine, today, versions
from flawscope.steps.workspace import read_json
from flawscope.storage import write_json

RESULTS = Path(__file__).resolve().parent / "results" / "inspect-speed.json"
TASK = Task("binary", ("defective",), negative="functional")
SPEC = Preprocess(size=(224, 224), channels=3)


def main() -> None:
    """Measure in turns and append the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--padding", choices=["same", "plain"], default="same", help="same: as in recipes/solar-binary")
    asked = parser.parse_args()
    paths = find_pictures(elpv_folder() / "images").paths[: asked.images]
    torch.manual_seed(0)
    arguments = {"pad_type": "same"} if asked.padding == "same" else {}
    network = build(NetworkPlan("timm:mobilenetv2_100", outputs=1, arguments=arguments)).eval()
    torch.nn.init.normal_(next(network.head.parameters()), std=0.05)  # so that answers differ between pictures
    with tempfile.TemporaryDirectory() as folder:
        runtime = sealed(network, Path(folder) / "speed.flawscope")
        results = Path(folder) / "results.csv"

        def ours() -> list[float]:
            write_results(results, TASK, inspect_folder(runtime, list(paths)))
            return [row.probability[0] for row in read_results(results).rows]

        def theirs() -> list[float]:
            return eager(network, paths)

        ways = {"flawscope": ours, "eager": theirs}
        answers = {name: np.array(way()) for name, way in ways.items()}  # warm-up, and proof that both do the same
        difference = float(np.abs(answers["flawscope"] - answers["eager"]).max())
        assert difference < 1e-4, f"the two ways disagree by {difference}"
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, way in ways.items():
                speeds[name].append(len(paths) / seconds(way))
    ratios = [a / b for a, b in zip(speeds["flawscope"], speeds["eager"], strict=True)]
    result = {
        "benchmark": "inspect-speed",
        "command": f"python benchmarks/{command()}",
        "code": code_version(),
        "date": today(),
        "machine": machine(),
        "versions": versions(),
        "what": "MobileNetV2 at 224, float32, PNG files on disk to decisions; theirs: PIL, torch eager, one at a time",
        "padding": asked.padding,
        "images": len(paths),
        "rounds": asked.rounds,
        "images_per_second": {name: [round(speed, 1) for speed in each] for name, each in speeds.items()},
        "ratio": {
            "median": round(statistics.median(ratios), 2),
            "lowest": round(min(ratios), 2),
            "highest": round(max(ratios), 2),
        },
        "largest_difference_of_probability": difference,
    }
    write_json(RESULTS, [*(read_json(RESULTS) if RESULTS.is_file() else []), result])
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


def sealed(network: Network, path: Path) -> Runtime:
    """The network as a bundle on disk, opened as the line opens it."""
    graph = Graph(inputs=(ImageInput(preprocess=SPEC),))
    content = {graph.file: export_graph(network, SPEC)}
    whole = Sealed(
        task=TaskModel.of(TASK),
        graphs=(graph,),
        calibrator=Calibrator.identity(1),
        decision=DecisionRule(rule="fixed", thresholds=(0.5,)),
        split_stamp=NOT_CHECKED,
    )
    golden, files = Runtime(whole, content).make_golden()
    hashes = Hashes(data="", split="", recipe="", code=code_version())
    manifest = Manifest(name="speed", created=today(), sealed=whole, hashes=hashes, golden=(golden,))
    write_bundle(path, manifest, content, files)
    return Runtime.open(path)


def eager(network: Network, paths: tuple[Path, ...]) -> list[float]:
    """The reference systems' way: open, resize, one forward pass, next."""
    found = []
    with torch.inference_mode():
        for path in paths:
            image_1chw = torch.from_numpy(prepare(open_image(path), SPEC))[None]
            found.append(float(torch.sigmoid(network(image_1chw))[0, 0]))
    return found


def seconds(way: Callable[[], object]) -> float:
    """Wall time of one pass over all images."""
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
