"""Memory and time of a bundle that makes masks on one picture of 20,000 x 4,000 pixels.

The network is a small one (a 5 x 5 and a 1 x 1 convolution): what is measured is the runtime around it, from the PNG
file to the list of flaws. Each case runs in a process of its own, whose peak memory the system tells; what Python, the
libraries and the loaded graph need before the picture is opened is told beside it. The picture is drawn: a ground of
waves and noise, and some 2,000 bright and dark flaws.

    python benchmarks/large_picture.py [--width 20000] [--height 4000]

Appends to benchmarks/results/large-picture.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from entries import append, provenance
from flawscope.bundle.manifest import Graph, ImageInput, Output, Sealed, Step
from flawscope.bundle.mask_runtime import Look, MaskRuntime
from flawscope.bundle.rules import MaskRule, TaskModel
from flawscope.masks import mask_array
from flawscope.preprocess import Preprocess
from flawscope.records import PixelKind, Task

RESULTS = Path(__file__).resolve().parent / "results" / "large-picture.json"
MB = 1e6
CASES: tuple[dict[str, Any], ...] = (
    {"classes": 1, "pixels": "multilabel", "channels": 1, "tile": 512, "threads": 2},
    {"classes": 4, "pixels": "multilabel", "channels": 1, "tile": 512, "threads": 1},
    {"classes": 4, "pixels": "multilabel", "channels": 1, "tile": 512, "threads": 2},
    {"classes": 4, "pixels": "multiclass", "channels": 3, "tile": 512, "threads": 2},
)


def draw(path: Path, width: int, height: int) -> None:
    """The picture, drawn in bands."""
    rng = np.random.default_rng(7)
    picture_hw = np.empty((height, width), dtype=np.uint8)
    x = np.arange(width)
    for top in range(0, height, 200):
        y = np.arange(top, min(top + 200, height))[:, None]
        ground = 120 + 12 * np.sin(x / 431) + 8 * np.sin(y / 97) + rng.integers(-6, 7, (len(y), width))
        picture_hw[top : top + 200] = ground
    for place in range(2000):
        y0, x0 = rng.integers(0, height - 60), rng.integers(0, width - 200)
        picture_hw[y0 : y0 + rng.integers(2, 60), x0 : x0 + rng.integers(2, 200)] = 240 if place % 2 else 15
    Image.fromarray(picture_hw).save(path, compress_level=1)


def graph(spec: Preprocess, q: int) -> bytes:
    """A mean over 5 x 5 pixels in 8 maps, then q logits of brightness."""
    channels, height, width = spec.shape
    shapes = [helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", channels, height, width])]
    answers = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", q, height, width])]
    slope = np.array([(-1) ** each * 40.0 for each in range(q)])
    constants = {
        "mean": np.full((8, channels, 5, 5), 1 / 25 / channels / 255),
        "weight": (slope / 8)[:, None, None, None] * np.ones((q, 8, 1, 1)),
        "bias": np.where(slope > 0, -30.0, 10.0),
    }
    nodes = [
        helper.make_node("Cast", ["inputs"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["values", "mean"], ["smooth"], pads=[2, 2, 2, 2]),
        helper.make_node("Conv", ["smooth", "weight", "bias"], ["logits"]),
    ]
    weights = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    made = helper.make_graph(nodes, "small", shapes, answers, weights)
    content: bytes = onnx.helper.make_model(
        made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    ).SerializeToString()
    return content


def runtime(classes: int, pixels: PixelKind, channels: Any, tile: int, threads: int) -> MaskRuntime:
    """The runtime of a sealed bundle around the small network."""
    spec = Preprocess(size=(tile, tile), channels=channels, resize="none")
    task = Task("multilabel", tuple(f"flaw{each}" for each in range(1, classes + 1)), pixels=pixels)
    entry = Graph(inputs=(ImageInput(preprocess=spec),), outputs=(Output(kind="masks"),))
    sealed = Sealed(
        task=TaskModel.of(task),
        graphs=(entry,),
        steps=(Step(name="mask", kind="mask"),),
        masks=MaskRule(levels=(128,) * classes, min_areas=(20,) * classes, overlap=(tile // 4, tile // 4)),
        split_stamp="none",
    )
    return MaskRuntime(sealed, {entry.file: graph(spec, classes + (pixels == "multiclass"))}, threads=threads)


def peak() -> float:
    """The most memory that this process has held, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / MB if sys.platform == "darwin" else size * 1024 / MB


def measured(path: Path, case: dict[str, Any]) -> dict[str, Any]:
    """One case, in this process."""
    running = runtime(**case)
    running.levels(np.zeros((case["channels"], case["tile"], case["tile"]), dtype=np.uint8))
    before, start = peak(), time.perf_counter()
    took = {}

    def then(look: Look) -> Any:
        took["levels"] = time.perf_counter() - start
        return running.decided(look)

    (found,) = running.looks([path], then)
    took["in all"] = time.perf_counter() - start
    assert found.masks is not None
    flaws, marked = len(found.flaws), sum(flaw.area for flaw in found.flaws)
    held = peak()
    assert marked == int(mask_array(found.masks).sum())
    return {
        **case,
        "peak_mb": round(held),
        "before_mb": round(before),
        "seconds": {name: round(value, 1) for name, value in took.items()},
        "flaws": flaws,
        "marked_pixels": marked,
    }


def main() -> None:
    """Draw the picture, run each case in a process of its own, and append the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=4_000)
    parser.add_argument("--trial", action="store_true", help="print only, write nothing")
    parser.add_argument("--child", nargs=2, metavar=("PICTURE", "CASE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        sys.stdout.write(json.dumps(measured(Path(asked.child[0]), json.loads(asked.child[1]))))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "strip.png"
        draw(path, asked.width, asked.height)
        for case in CASES:
            words = [sys.executable, __file__, "--child", str(path), json.dumps(case)]
            rows.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
            maps = case["classes"] + (case["pixels"] == "multiclass")
            rows[-1]["float_maps_of_the_whole_mb"] = round(asked.width * asked.height * maps * 4 / MB)
            print(rows[-1], file=sys.stderr)
    result = {
        "benchmark": "large-picture",
        **provenance(),
        "what": "one 8-bit grey PNG, from the file to the flaws; a small network, tiles that overlap by a quarter",
        "width": asked.width,
        "height": asked.height,
        "cases": rows,
    }
    if not asked.trial:
        append(RESULTS, result)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
