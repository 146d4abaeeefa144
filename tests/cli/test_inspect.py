"""What the command line says of an inspection with masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., Any]


@pytest.fixture
def strips(tmp_path: Path) -> Path:
    (tmp_path / "strips").mkdir()
    for name, ground in (("a", 140), ("b", 100)):
        pixels = np.full((20, 60), ground, dtype=np.uint8)
        pixels[3:9, 5:20] = pixels[12:16, 30:50] = 255
        Image.fromarray(pixels).save(tmp_path / "strips" / f"{name}.png")
    (tmp_path / "strips" / "c.png").touch()
    return tmp_path / "strips"


def test_flaws_and_what_the_gate_stopped_are_counted(cli: Cli, make_mask_bundle: Cli, strips: Path) -> None:
    answer = cli("inspect", make_mask_bundle(gate=True), strips, "-o", "found ä", "--scale", "0.5", "--no-draw")
    assert answer.code == 0
    for words in (
        "     1  bright",
        "     1  sound",
        "     1  could not be decided: see the column `error`",
        "flaws of bright: 2, dark: 0",
        "the gate called 1 image good; no flaws were looked for there",
        "wrote found ä",
    ):
        assert words in answer.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "x.csv"], "name a folder: -o x"),
        (["-o", "strips"], "overlaps with"),
        (["--scale", "0"], "a scale of 0 mm a pixel"),
        (["--truth", "none.csv"], "none.csv"),
        (["--pictures", "x"], "leave out --pictures"),
        (["--table", "x.csv"], "leave out --table"),
    ],
)
def test_what_does_not_fit_is_refused(
    cli: Cli, make_mask_bundle: Cli, strips: Path, options: list[str], words: str
) -> None:
    answer = cli("inspect", make_mask_bundle(), strips, *options)
    assert answer.code == 2 and words in answer.err
    assert not (strips.parent / "results").exists()
