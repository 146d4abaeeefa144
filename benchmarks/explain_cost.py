"""What heat maps cost at the line: `flawscope inspect --explain` beside plain inspection, CPU time of the process.

One MobileNetV2 at 224 with pretrained weights and a random head, two bundles of it (with and without maps in the
graph), the same files, in turns, each in a process of its own without torch. What starting and opening cost is taken
away: it is the same for all, and would make the ratio look better than it is. Heat maps are drawn of every picture,
which is the worst case: by default good pictures get none.

    python benchmarks/explain_cost.py [--images 400] [--rounds 11]

Appends to benchmarks/results/explain-cost.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from entries import WEIGHTS, append, provenance, spread
from flawscope.data.elpv import elpv_folder
from flawscope.explanation.graph_maps import with_maps
from flawscope.inspection.folder import find_pictures
from flawscope.models.build import NetworkPlan, build
from inspect_speed import seal

RESULTS = Path(__file__).resolve().parent / "results" / "explain-cost.json"
MOST = 1.3
"""What the issue asks for: CPU time with heat maps over that without."""
CODE = """
import sys, time
import flawscope
from flawscope.bundle.mask_runtime import open_bundle

bundle, pictures, output, explain = sys.argv[1:]
start = time.process_time()
open_bundle(bundle)
opened = time.process_time()
summary = flawscope.inspect(bundle, pictures, output, explain_good=explain == "yes")
assert "torch" not in sys.modules and summary.errors == 0
assert summary.heat_maps == (summary.images if explain == "yes" else 0)
print(1000 * (time.process_time() - opened - (opened - start)) / summary.images)
"""


def main() -> None:
    """Measure in turns and append the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    asked = parser.parse_args()
    paths = find_pictures(elpv_folder() / "images").paths[: asked.images]
    weights = str(WEIGHTS) if WEIGHTS.is_file() else "none"
    torch.manual_seed(0)
    network = build(
        NetworkPlan("timm:mobilenetv2_100", outputs=1, arguments={"pad_type": "same"}, weights=weights)
    ).eval()
    torch.nn.init.normal_(network.head.weight, std=0.05)  # type: ignore[arg-type]  # answers differ between pictures
    mapped = with_maps(network, torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8))
    assert mapped.outputs == ("logits", "maps", "features"), mapped.no_maps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = folder / "pictures"
        pictures.mkdir()
        for path in paths:
            shutil.copy(path, pictures)
        plain, explaining = folder / "plain.flawscope", folder / "explaining.flawscope"
        seal(network, plain)
        seal(mapped.network, explaining, mapped.outputs)
        arms = {"without maps": (plain, "no"), "plain": (explaining, "no"), "--explain-good": (explaining, "yes")}
        found: dict[str, list[float]] = {arm: [] for arm in arms}
        for number in range(asked.rounds + 1):
            for arm, (bundle, explain) in arms.items():
                # To take away the maps of the round before is no part of inspecting.
                shutil.rmtree(folder / "results-maps", ignore_errors=True)
                cost = milliseconds(bundle, pictures, folder / "results.csv", explain)
                if number:  # the first round warms up the disk
                    found[arm].append(cost)
        sizes = {"without maps": plain.stat().st_size, "with maps": explaining.stat().st_size}
        maps = [path.stat().st_size for path in (folder / "results-maps").glob("*.jpg")]
    ratios = [a / b for a, b in zip(found["--explain-good"], found["plain"], strict=True)]
    result = {
        "benchmark": "explain-cost",
        **provenance(),
        "what": "MobileNetV2 at 224, float32, PNG files on disk to decisions, and to a heat map of every picture "
        "(JPEG); CPU time of the process, both cores, without that of starting and opening",
        "weights": Path(weights).name,
        "images": len(paths),
        "rounds": asked.rounds,
        "cpu_ms_per_image": {arm: [round(cost, 3) for cost in costs] for arm, costs in found.items()},
        "ratio": spread(ratios),
        "most": MOST,
        "ratio_of_a_graph_with_maps_that_nobody_asks_for": spread(
            [a / b for a, b in zip(found["plain"], found["without maps"], strict=True)]
        ),
        "bytes_of_the_bundle": sizes,
        "bytes_of_a_heat_map": round(statistics.median(maps)),
    }
    if not asked.trial:
        append(RESULTS, result)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


def milliseconds(bundle: Path, pictures: Path, output: Path, explain: str) -> float:
    """CPU time an image of `flawscope.inspect` in a process of its own."""
    words = [sys.executable, "-c", CODE, str(bundle), str(pictures), str(output), explain]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
