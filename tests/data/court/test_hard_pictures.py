"""Pictures that show little: smooth, dark, white. Their copies are found all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from flawscope.data.court.verdict import find_twins
from flawscope.data.unlabelled import read_unlabelled
from flawscope.records import Twins

Picture = npt.NDArray[np.uint8]
N, SIDE = 24, 160


def marked(grey: npt.NDArray[np.float64], rng: np.random.Generator, value: float) -> Picture:
    """With twelve marks of its own."""
    made = grey.copy()
    for row, column in rng.integers(10, SIDE - 45, (12, 2)):
        made[row : row + 3, column : column + rng.integers(10, 30)] = value
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def smooth(rng: np.random.Generator) -> Picture:
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    return marked(140 - 60 * np.hypot(rows, columns), rng, 135)


def dark(rng: np.random.Generator) -> Picture:
    return marked(np.full((SIDE, SIDE), 14.0), rng, 22)


def white(rng: np.random.Generator) -> Picture:
    return marked(np.full((SIDE, SIDE), 254.0), rng, 80)


def searched(folder: Path, draw: Callable[[np.random.Generator], Picture]) -> Twins:
    """24 different pictures; the first eight are there again as BMP, turned, and as JPEG."""
    for number in range(N):
        image = Image.fromarray(draw(np.random.default_rng(number)))
        image.save(folder / f"{number:02d}.png")
        if number < 8:
            image.save(folder / f"{number:02d} again.bmp")
            image.transpose(Image.Transpose.ROTATE_90).save(folder / f"{number:02d} turned.png")
            image.save(folder / f"{number:02d} saved.jpg", quality=90)
    return find_twins(read_unlabelled(folder))


@pytest.mark.parametrize("draw", [smooth, dark, white])
def test_copies_of_pictures_that_show_little_are_found(
    tmp_path: Path, draw: Callable[[np.random.Generator], Picture]
) -> None:
    pairs = {frozenset((pair.a, pair.b)) for pair in searched(tmp_path, draw).pairs}
    for number in range(8):
        for copy in ("again.bmp", "turned.png", "saved.jpg"):
            assert {f"{number:02d}.png", f"{number:02d} {copy}"} in pairs, (number, copy)
    wrong = [pair for pair in pairs if len({name[:2] for name in pair}) == 2]
    assert len(wrong) < len(pairs) / 4, wrong


def test_of_two_pictures_one_is_a_copy_of_the_other(tmp_path: Path) -> None:
    image = Image.fromarray(smooth(np.random.default_rng(0)))
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.jpg", quality=90)
    (pair,) = find_twins(read_unlabelled(tmp_path)).pairs
    assert (pair.a, pair.b, pair.kind) == ("a.png", "b.jpg", "re-encoded")


def test_two_different_pictures_are_no_pair(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(white(np.random.default_rng(number))).save(tmp_path / f"{number}.png")
    assert find_twins(read_unlabelled(tmp_path)).pairs == ()


def test_flat_pictures_are_nothing(tmp_path: Path) -> None:
    for number in range(30):
        Image.fromarray(np.full((40, 40), 8 * number, np.uint8)).save(tmp_path / f"{number:02d}.png")
    assert find_twins(read_unlabelled(tmp_path)).pairs == ()
