import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.data.look import look
from flawscope.data.synthetic import PIN_X, draw_coil, synth_coil
from flawscope.errors import DataError, OutputError


def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / "truth.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_pictures_folders_and_truth(tmp_path: Path) -> None:
    folder = synth_coil(tmp_path / "coil", 6, seed=1, share_scrap=0.34)
    rows = truth(folder)
    assert sorted(row["name"] for row in rows) == sorted(
        path.relative_to(folder).as_posix() for path in folder.glob("*/*.bmp")
    )
    assert sum(row["label"] == "0_nio" for row in rows) == 2
    for row in rows:
        worst = max(abs(float(row["left_degrees"])), abs(float(row["right_degrees"])))
        assert worst <= 2 if row["label"] == "1_io" else 6 <= worst <= 25
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
    assert list(tmp_path.iterdir()) == []
    synth_coil(tmp_path / "coil", 2)
    with pytest.raises(OutputError, match="exists already"):
        synth_coil(tmp_path / "coil", 2)
    synth_coil(tmp_path / "coil", 2, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["coil"]
