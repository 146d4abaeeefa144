import csv
import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.data.coil_levels import EASY, HARD, LEVELS, Level
from flawscope.data.look import look
from flawscope.data.synthetic import synth_coil
from flawscope.data.synthetic_coil import PIN_X, draw_coil
from flawscope.errors import DataError, OutputError


def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("difficulty", "straight", "least", "most"), [("easy", 2, 6, 25), ("hard", HARD.straight, *HARD.bent)]
)
def test_pictures_folders_and_truth(
    tmp_path: Path, difficulty: str, straight: float, least: float, most: float
) -> None:
    folder = synth_coil(tmp_path / "coil", 6, seed=1, share_scrap=0.34, difficulty=difficulty)
    rows = truth(folder)
    assert sorted(row["name"] for row in rows) == sorted(
        path.relative_to(folder).as_posix() for path in folder.glob("*/*.bmp")
    )
    assert sum(row["label"] == "0_nio" for row in rows) == 2
    for row in rows:
        worst = max(abs(float(row["left_degrees"])), abs(float(row["right_degrees"])))
        assert worst <= straight if row["label"] == "1_io" else least <= worst <= most
        assert row["name"].startswith(row["label"])
        with Image.open(folder / row["name"]) as image:
            assert (image.size, image.mode, image.format) == ((800, 520), "L", "BMP")
    finding = look(folder)
    assert finding.spec.model_dump()["positive"] == "0_nio"


def test_the_seed_gives_the_same_pictures(tmp_path: Path) -> None:
    first, second = synth_coil(tmp_path / "a", 2, seed=5), synth_coil(tmp_path / "b", 2, seed=5)
    other = synth_coil(tmp_path / "c", 2, seed=6)
    for row in truth(first):
        assert (first / row["name"]).read_bytes() == (second / row["name"]).read_bytes()
    assert truth(first) != truth(other)


def test_the_easy_pictures_stay_what_they_are(tmp_path: Path) -> None:
    """The tutorial shows them. Means of 4 x 4 fields, as drawn when there was no other difficulty."""
    folder = synth_coil(tmp_path / "coil", 2, seed=1)
    with Image.open(folder / "0_nio" / "coil_00000.bmp") as image:
        means = np.asarray(image, dtype=float).reshape(4, 130, 4, 200).mean(axis=(1, 3))
    assert [row["left_degrees"] for row in truth(folder)] == ["-24.02", "-0.67"]
    before = [
        [104.76, 121.15, 119.25, 98.31],
        [107.22, 112.96, 111.74, 100.77],
        [96.20, 70.41, 68.64, 87.70],
        [72.28, 68.31, 65.58, 64.86],
    ]
    assert means == pytest.approx(np.array(before), abs=0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_but_the_angle_betrays_a_hard_coil(seed: int) -> None:
    """Marks, dust, light, noise and the other pin do not hang on the label."""
    pictures, states = [], []
    for angle in (0.0, HARD.bent[1]):
        rng = np.random.default_rng(seed)
        pictures.append(
            np.asarray(draw_coil((angle, 0.0), rng, replace(HARD, turn=0.0, shift=(0.0, 0.0))), dtype=float)
        )
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]
    differs = np.flatnonzero(np.any(pictures[0] != pictures[1], axis=0))
    assert 40 < differs.max() - differs.min() < 130
    assert abs(differs.mean() - PIN_X[0]) < 40


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
def test_pins_lie_within_the_crop_wherever_the_part_lies(level: Level) -> None:
    for x, sign, turn, dx, dy in itertools.product(PIN_X, (-1, 1), (-1, 1), (-1, 1), (-1, 1)):
        lean = math.radians(sign * level.bent[1])
        right, up = x + 105 * math.sin(lean) - 400, 153  # the tip, seen from the middle of the picture
        angle = math.radians(turn * level.turn)
        tip_x = 400 + right * math.cos(angle) + up * math.sin(angle) + dx * level.shift[0]
        tip_y = 260 - up * math.cos(angle) + right * math.sin(angle) + dy * level.shift[1]
        assert 50 + 20 < tip_x < 750 - 20
        assert tip_y - 5 > 60


def test_no_level_leaves_a_label_in_doubt() -> None:
    with pytest.raises(ValueError, match="labels are doubtful"):
        replace(EASY, straight=6.0)


@pytest.mark.parametrize("angle", [-20.0, 0.0, 20.0])
def test_the_left_pin_leans_as_told(angle: float) -> None:
    image = np.asarray(draw_coil((angle, 0.0), np.random.default_rng(3)), dtype=float)
    region = image[95:190, int(PIN_X[0]) - 70 : int(PIN_X[0]) + 70]
    bright = region > 165
    rows = np.flatnonzero(bright.sum(axis=1) >= 3)
    middles = [np.flatnonzero(bright[row]).mean() for row in rows]
    slope = np.polyfit(rows, middles, 1)[0]
    # The part itself may be turned by 1.5 degrees.
    assert -np.degrees(np.arctan(slope)) == pytest.approx(angle, abs=3)


def test_nothing_half_written_and_nothing_overwritten(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot draw 1 coils"):
        synth_coil(tmp_path / "coil", 1)
    with pytest.raises(DataError, match="no difficulty 'hart'"):
        synth_coil(tmp_path / "coil", 2, difficulty="hart")
    assert list(tmp_path.iterdir()) == []
    synth_coil(tmp_path / "coil", 2)
    with pytest.raises(OutputError, match="exists already"):
        synth_coil(tmp_path / "coil", 2)
    synth_coil(tmp_path / "coil", 2, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["coil"]
