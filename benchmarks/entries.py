"""What several benchmarks share: pretrained weights as overrides of a recipe, and entries of a file of results."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flawscope.data.elpv import elpv_folder
from flawscope.steps.workspace import read_json
from flawscope.storage import write_json

SHARED = Path(__file__).resolve().parents[2] / "shared"
WEIGHTS = SHARED / "weights" / "mobilenetv2_100_imagenet.safetensors"
DEFAULT_WEIGHTS = str(WEIGHTS) if WEIGHTS.is_file() else "imagenet"
# The file's own preprocessing and padding, as its notes say; timm's weights from the hub need none of this.
TENSORFLOW = ("model.arguments={pad_type: same}", "model.normalise={mean: 0.5, std: 0.5}")


def of_weights(weights: str) -> list[str]:
    """The overrides that pretrained weights of MobileNetV2 ask for: a file, or the word imagenet."""
    return [f"model.weights={weights}", *(TENSORFLOW if Path(weights).is_file() else ())]


def two_labels() -> list[str]:
    """The overrides that name crack and inactive region: the table, and the cells of ELPV."""
    return [f"data.table={SHARED / 'data' / 'solar-multilabel' / 'labels.csv'}", f"data.images={elpv_folder()}"]


def append(path: Path, entry: Mapping[str, Any], by: Sequence[str] = ()) -> None:
    """Add an entry to a file of results, unless an equal one (in these keys, or in all) stands there already."""
    entries = read_json(path) if path.is_file() else []
    if not any(all(old[key] == entry[key] for key in by) if by else old == entry for old in entries):
        write_json(path, [*entries, entry])


def ends(interval: Mapping[str, float]) -> list[float]:
    """Value, low and high of a measure, rounded."""
    return [round(interval[key], 4) for key in ("value", "low", "high")]


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Median and range of the ratios of several rounds."""
    found = {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return {name: round(value, 2) for name, value in found.items()}
