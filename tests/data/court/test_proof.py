"""The proof: what stands on both sides of a split is found, from either side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flawscope.data.court.pictures import Grey, turned
from flawscope.data.court.proof import Prover, proof_document
from flawscope.data.court.verdict import METHOD
from flawscope.errors import ImageError
from flawscope.records import Part, Sample, Samples, Split, Task
from flawscope.storage import sha256_file

Texture = Callable[..., Grey]
SIDE, OTHERS = 160, 60


@pytest.fixture(scope="module")
def samples(texture: Texture, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """60 different pictures; of picture 0 a crop (its middle, 86 %), of picture 1 a turned copy."""
    folder = tmp_path_factory.mktemp("pictures")
    large = [cv2.resize(texture(seed), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for seed in range(OTHERS)]
    keep = round(0.86 * SIDE)
    edge = (SIDE - keep) // 2
    cropped = cv2.resize(large[0][edge : edge + keep, edge : edge + keep], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    rows = []
    for number, picture in enumerate([*large, cropped, turned(large[1], 2)]):
        path = folder / f"{number:02d}.png"
        Image.fromarray(np.clip(picture, 0, 249).astype(np.uint8)).save(path)
        rows.append(Sample(path.name, str(path), (0.0,), path.name, sha256_file(path)))
    return Samples("pictures", Task("binary", ("bad",)), tuple(rows))


@pytest.fixture(scope="module")
def prover(samples: Samples) -> Prover:
    return Prover.of(samples)


def split_of(samples: Samples, part: dict[str, Part]) -> Split:
    """Everything in training, but for what is named, and three others a part."""
    parts: dict[str, Part] = {row.id: "train" for row in samples.rows}
    named: tuple[Part, ...] = ("validation", "calibration", "test")
    parts |= {f"{10 + 3 * k + i:02d}.png": name for k, name in enumerate(named) for i in range(3)}
    group = {row.id: row.group for row in samples.rows}
    return Split(
        {**parts, **part}, group, {"train": 0.7, "validation": 0.1, "calibration": 0.1, "test": 0.1}, 0, "hand"
    )


@pytest.mark.parametrize(
    "part",
    [
        {"60.png": "test"},
        {"00.png": "test"},
        {"61.png": "validation"},
        {"01.png": "calibration"},
        {"00.png": "validation", "60.png": "calibration"},
    ],
)
def test_a_twin_across_is_found_whichever_side_it_stands_on(
    samples: Samples, prover: Prover, part: dict[str, Part]
) -> None:
    pairs = {(pair.a, pair.b) for pair in prover.crossing(split_of(samples, part)).pairs}
    assert pairs == {("00.png", "60.png") if {"00.png", "60.png"} & set(part) else ("01.png", "61.png")}


def test_twins_on_one_side_do_not_cross(samples: Samples, prover: Prover) -> None:
    split = split_of(samples, {"00.png": "test", "60.png": "test"})
    crossing = prover.crossing(split)
    assert crossing.pairs == ()
    assert crossing.compared == 51 * 11 + 3 * 3 + 3 * 5 + 3 * 5
    assert all(pair.measure < pair.needed for pair in crossing.nearest)
    document = proof_document(split, crossing, prover.judge.facts())
    assert (document["court"], document["crossing"], document["split"]) == (METHOD, 0, split.hash)
    assert all(pair["part_a"] != pair["part_b"] for pair in document["nearest"])


def test_what_is_left_out_of_the_split_does_not_cross(samples: Samples, prover: Prover) -> None:
    split = split_of(samples, {"60.png": "test"})
    without = {name: part for name, part in split.part.items() if name != "00.png"}
    assert prover.crossing(replace(split, part=without, left_out={"00.png": "by hand"})).pairs == ()


def test_a_file_that_is_gone_is_named(samples: Samples, tmp_path: Path) -> None:
    rows = (*samples.rows[:-1], replace(samples.rows[-1], path=str(tmp_path / "gone.png")))
    with pytest.raises(ImageError, match=r"gone\.png"):
        Prover.of(replace(samples, rows=rows))
