"""Sizes, bits, formats and grey values, against pictures whose values are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawscope.data import census
from flawscope.data.census import Census, take_census
from flawscope.records import Sample, Samples, Task

TASK = Task("binary", ("nok",), "ok")


def samples(folder: Path, images: dict[str, Image.Image]) -> Samples:
    rows = []
    for name, image in images.items():
        image.save(folder / name)
        rows.append(Sample(name, str(folder / name), (float(name.startswith("nok")),), name, name))
    return Samples("made", TASK, tuple(rows))


def plain(value: int, size: tuple[int, int] = (10, 10), mode: str = "L") -> Image.Image:
    return Image.new(mode, size, value)


def taken(given: Samples) -> tuple[Census, dict[str, object]]:
    found = take_census(given)
    return found, found.as_dict(dict(zip((row.id for row in given.rows), given.combinations(), strict=True)))


def test_sizes_modes_bits_and_formats_are_counted(tmp_path: Path) -> None:
    wide = Image.fromarray(np.full((4, 6), 4000, np.uint16))
    given = {"a.png": plain(9), "b.bmp": plain(9), "c.png": plain(9, (20, 10)), "d.png": wide}
    _, document = taken(samples(tmp_path, given))
    assert document["sizes"] == [[10, 10, 2], [20, 10, 1], [6, 4, 1]]
    assert document["formats"] == {"PNG": 3, "BMP": 1}
    assert document["bits"] == {"8": 3, "16": 1}


def test_grey_values_are_pooled_over_all_pixels(tmp_path: Path) -> None:
    half = plain(100)
    half.paste(200, (0, 0, 10, 5))
    _, document = taken(samples(tmp_path, {"a.png": half, "b.png": plain(100)}))
    assert document["intensity"] == {"8": {"min": 100.0, "1 %": 100.0, "median": 100.0, "99 %": 200.0, "max": 200.0}}


def test_mean_grey_value_of_each_picture_by_label(tmp_path: Path) -> None:
    _, document = taken(samples(tmp_path, {"nok.png": plain(255), "a.png": plain(0), "b.png": plain(3)}))
    counts = document["mean_intensity"]["counts"]  # type: ignore[index]
    assert list(counts) == ["ok", "nok"]
    assert (counts["ok"][0], sum(counts["ok"]), counts["nok"][-1], sum(counts["nok"])) == (2, 2, 1, 1)


def test_range_of_each_label_and_depth(tmp_path: Path) -> None:
    half = plain(100)
    half.paste(200, (0, 0, 10, 5))
    deep = Image.fromarray(np.full((10, 10), 4000, np.uint16))
    _, document = taken(
        samples(tmp_path, {"nok.png": half, "nok_deep.png": deep, "a.png": plain(0), "b.png": plain(3)})
    )
    assert document["by_label"] == [
        {"label": "ok", "bits": 8, "images": 2, "lowest": 0, "highest": 3, "mean": 1.5},
        {"label": "nok", "bits": 8, "images": 1, "lowest": 100, "highest": 200, "mean": 150.0},
        {"label": "nok", "bits": 16, "images": 1, "lowest": 4000, "highest": 4000, "mean": 4000.0},
    ]


def test_pictures_without_content_are_named(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 60).astype(np.uint8), (60, 1)))
    _, document = taken(
        samples(tmp_path, {"black.png": plain(2), "white.png": plain(254), "flat.png": plain(90), "good.png": ramp})
    )
    assert document["odd"] == {"nearly black": ["black.png"], "nearly white": ["white.png"], "flat": ["flat.png"]}


def test_colour_is_told_from_grey_that_is_stored_as_colour(tmp_path: Path) -> None:
    red = Image.new("RGB", (10, 10), (200, 20, 20))
    _, document = taken(samples(tmp_path, {"a.png": plain(90).convert("RGB"), "b.png": red, "c.png": plain(90)}))
    assert (document["colour"], document["grey_stored_as_colour"]) == (1, 1)


def test_sixteen_bits_are_measured_against_the_highest_value(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (64, 1))
    found, document = taken(samples(tmp_path, {"a.png": Image.fromarray(ramp)}))
    assert found.full(16) == 4095
    assert document["odd"] == {"nearly black": [], "nearly white": [], "flat": []}
    assert document["intensity"]["16"]["max"] == 4095  # type: ignore[index]


def test_large_pictures_are_thinned_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "MOST_PIXELS", 100)
    found, document = taken(samples(tmp_path, {"a.png": plain(7, (40, 40))}))
    assert found.count_v[8].sum() == 100
    assert document["sizes"] == [[40, 40, 1]]


def test_what_has_gone_since_is_noted_and_does_not_stop(tmp_path: Path) -> None:
    given = samples(tmp_path, {"a.png": plain(7), "b.png": plain(7), "c.png": plain(8)})
    (tmp_path / "a.png").unlink()
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:50])
    found, document = taken(given)
    assert set(found.unreadable) == {"a.png", "b.png"}
    assert document["sizes"] == [[10, 10, 1]]
