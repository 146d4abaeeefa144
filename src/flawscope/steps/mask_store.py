"""What a bundle has said of where flaws are, image by image, kept beside its scores: NAME.json and NAME.npz.

The first holds the masks as run-length codes, the gate's answer and the seconds of each image; the second what was
counted of all, so that folds are pooled, and pages made, without decoding a picture or asking a network again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.errors import DataError
from flawscope.evaluation.mask_facts import MaskFacts
from flawscope.records import Masks, Samples
from flawscope.storage import write_bytes, write_json

SCHEMA = 1


@dataclass(frozen=True)
class MaskRow:
    """One image: the masks of its flaws, and of a gate its probability, its answer, and whether it has stopped it.

    `mask_seconds` is the time of the masks, also where the gate has stopped the image and the line would not spend it.
    """

    name: str
    masks: Masks
    gate: float | None = None
    called: bool = False
    unsure: bool = False
    stopped: bool = False
    gate_seconds: float = 0.0
    mask_seconds: float = 0.0


def write_masks(place: Path, samples: Samples, rows: Sequence[MaskRow], facts: MaskFacts) -> None:
    """Write both files beside each other, each whole or not at all.

    Raises:
        OutputError: they cannot be written.
    """
    told = {"schema": SCHEMA, "classes": list(samples.task.classes), "rows": [asdict(row) for row in rows]}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **facts.arrays())
    write_bytes(_of(place, "npz"), stream.getvalue())
    write_json(_of(place, "json"), told)


def read_masks(place: Path) -> tuple[tuple[MaskRow, ...], MaskFacts]:
    """What `write_masks` wrote.

    Raises:
        DataError: missing or damaged.
    """
    try:
        told = json.loads(_of(place, "json").read_text(encoding="utf-8"))
        rows = tuple(_row(row) for row in told["rows"])
        with np.load(_of(place, "npz"), allow_pickle=False) as arrays:
            facts = MaskFacts.of_arrays(arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(f"{place} cannot be read: {error}", "make it again: flawscope evaluate RUN") from None
    if len(rows) != len(facts):
        raise DataError(f"{place}: {len(rows)} images with masks, {len(facts)} counted", "make it again")
    return rows, facts


def _row(row: dict[str, Any]) -> MaskRow:
    masks = row["masks"]
    return MaskRow(**{**row, "masks": Masks(masks["height"], masks["width"], tuple(masks["codes"]))})


def _of(place: Path, ending: str) -> Path:
    return place.with_name(f"{place.name}.{ending}")
