"""Images a second from files on disk to decisions: `flawscope inspect` beside the reference systems' way.

Theirs: PIL, torch eager, one image at a time. Ours: the sealed bundle in the light runtime. Same MobileNetV2 at 224,
same weights, float32, same files, same machine, in turns; both without the time that starting takes. The ratio counts.

    python benchmarks/inspect_speed.py [--images 400] [--rounds 5] [--padding same|plain]

Appends to benchmarks/results/inspect-speed.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from entries import append, spread
from flawscope.bundle.archive import write_bundle
from flawscope.bundle.export import export_graph
from flawscope.bundle.manifest import Graph, Hashes, ImageInput, Manifest, Output, Sealed
from flawscope.bundle.rules import Calibrator, DecisionRule, TaskModel
from flawscope.bundle.runtime import Runtime
from flawscope.data.elpv import elpv_folder
from flawscope.explanation.graph_maps import Kind
from flawscope.inspection.folder import find_pictures
from flawscope.inspection.tables import read_results
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.preprocess import Preprocess, open_image, prepare
from flawscope.records import NOT_CHECKED, Task
from flawscope.steps.provenance import code_version, command, machine, today, versions

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
        bundle, results = Path(folder) / "speed.flawscope", Path(folder) / "results.csv"
        seal(network, bundle)
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        for path in paths:
            shutil.copy(path, pictures)
        inspected(bundle, pictures, results)  # warm-up, and proof that both ways do the same
        answers = np.array([row.probability[0] for row in read_results(results).rows])
        difference = float(np.abs(answers - np.array(eager(network, paths))).max())
        assert difference < 1e-4, f"the two ways disagree by {difference}"
        speeds: dict[str, list[float]] = {"flawscope": [], "eager": []}
        for _ in range(asked.rounds):
            speeds["flawscope"].append(inspected(bundle, pictures, results))
            start = time.perf_counter()
            eager(network, paths)
            speeds["eager"].append(len(paths) / (time.perf_counter() - start))
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
        "ratio": spread(ratios),
        "largest_difference_of_probability": difference,
    }
    append(RESULTS, result)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


def seal(network: torch.nn.Module, path: Path, outputs: Sequence[Kind] = ("logits",)) -> None:
    """The network as a bundle on disk; `outputs` are all that it gives."""
    graph = Graph(
        inputs=(ImageInput(preprocess=SPEC),), outputs=tuple(Output(name=kind, kind=kind) for kind in outputs)
    )
    content = {graph.file: export_graph(network, SPEC, outputs=outputs)}
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


def eager(network: Network, paths: tuple[Path, ...]) -> list[float]:
    """The reference systems' way: open, resize, one forward pass, next."""
    found = []
    with torch.inference_mode():
        for path in paths:
            image_1chw = torch.from_numpy(prepare(open_image(path), SPEC))[None]
            found.append(float(torch.sigmoid(network(image_1chw))[0, 0]))
    return found


def inspected(bundle: Path, pictures: Path, results: Path) -> float:
    """Images a second of `flawscope.inspect` in a process of its own, as at the line: without torch in it."""
    code = "import sys, flawscope; print(flawscope.inspect(*sys.argv[1:]).images_per_second)"
    words = [sys.executable, "-c", code, str(bundle), str(pictures), str(results)]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
