"""`flawscope inspect --explain`: heat maps beside the decisions, whole or not at all, from what the graph says."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flawscope
from flawscope.bundle.archive import from_npy, read_bundle, to_npy, write_bundle
from flawscope.bundle.verify import verify
from flawscope.errors import BundleError, DataError, OutputError, UserError
from flawscope.inspection.tables import read_results
from flawscope.preprocess import Preprocess
from flawscope.records import Task

Make = Callable[..., Path]


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_not_good_gets_a_map_that_the_table_names(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    summary = flawscope.inspect(make_bundle(maps=True), pictures, tmp_path / "out" / "r.csv", explain=True)
    maps = tmp_path / "out" / "r-maps"
    assert (summary.heat_maps, summary.maps) == (2, maps)
    assert files(maps) == {"a.jpg", "Charge ä 2/c d.jpg", "index.html"}
    found = rows(tmp_path / "out" / "r.csv")
    places = {name: row["heat_map"] for name, row in found.items() if row["heat_map"]}
    assert places == {"a.PNG": "r-maps/a.jpg", "Charge ä 2/c d.bmp": "r-maps/Charge ä 2/c d.jpg"}
    assert all((tmp_path / "out" / place).is_file() for place in places.values())
    page = (maps / "index.html").read_text(encoding="utf-8")
    assert "2 heat maps of 6 inspected pictures" in page and 'src="a.jpg"' in page and "in logits" in page
    assert "cut.jpg" in page and "functional: good" not in page
    flawscope.inspect(make_bundle(), pictures, tmp_path / "plain.csv")
    plain, explained = read_results(tmp_path / "plain.csv"), read_results(tmp_path / "out" / "r.csv")
    assert [(row.name, row.probability, row.decision, row.error) for row in plain.rows] == [
        (row.name, row.probability, row.decision, row.error) for row in explained.rows
    ]


def test_beside_labelled_pictures_both_stand_on_one_page(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    options = {"pictures": tmp_path / "l", "explain_good": True}
    summary = flawscope.inspect(make_bundle(maps=True), pictures, tmp_path / "r.csv", **options)
    heat = {"heat-maps/a.jpg", "heat-maps/b.jpg", "heat-maps/Charge ä 2/c d.jpg"}
    assert files(tmp_path / "l") == heat | {"a.PNG", "b.png", "Charge ä 2/c d.bmp.png", "index.html"}
    assert summary.heat_maps == 3 and rows(tmp_path / "r.csv")["b.png"]["heat_map"] == "l/heat-maps/b.jpg"
    page = (tmp_path / "l" / "index.html").read_text(encoding="utf-8")
    assert page.count('<div class="both">') == 3 and 'src="heat-maps/b.jpg"' in page
    with pytest.raises(OutputError, match="exists already"):
        flawscope.inspect(make_bundle(maps=True), pictures, tmp_path / "r.csv", **options)
    flawscope.inspect(make_bundle(maps=True), pictures, tmp_path / "r.csv", **options, overwrite=True)


def test_each_class_that_is_called_has_its_map_over_the_right_place(make_bundle: Make, tmp_path: Path) -> None:
    """The map of the tiny graph is the picture itself: bright places speak for a crack, none for inactive."""
    rng = np.random.default_rng(0)
    picture = np.full((96, 128), 255, dtype=np.uint8)
    picture[:, :64] = 200
    for mode, name in (("L", "grey.png"), ("RGB", "rgb.jpg"), ("P", "palette.gif")):
        (tmp_path / "new").mkdir(exist_ok=True)
        Image.fromarray(picture).convert(mode).save(tmp_path / "new" / name)
    Image.fromarray(picture.astype(np.uint16) * 200).save(tmp_path / "new" / "deep.png")
    Image.fromarray(rng.integers(0, 9, (500, 20), dtype=np.uint8)).save(tmp_path / "new" / "tall.png")
    task, spec = Task("multilabel", ("crack", "inactive"), "ok"), Preprocess(size=(8, 16), channels=3)
    bundle = make_bundle(task, spec, thresholds=(0.5, 0.04), maps=True)
    flawscope.inspect(bundle, tmp_path / "new", tmp_path / "r.csv", explain=True)
    found = rows(tmp_path / "r.csv")
    assert found["grey.png"]["decision"] == "crack + inactive" and found["tall.png"]["decision"] == "inactive"
    for name in ("grey", "rgb", "palette", "deep"):
        with Image.open(tmp_path / "r-maps" / f"{name}.jpg") as image:
            drawn = np.asarray(image.convert("RGB"), dtype=int)
        crack, inactive = drawn[:192, :256], drawn[:192, 262:]
        assert np.ptp(crack[:, 160:], axis=2).min() > 60, name
        assert np.ptp(inactive, axis=2).max() < 12, "what speaks against the class is not drawn"


def test_a_bundle_without_maps_says_why(
    make_bundle: Make, make_mask_bundle: Make, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        BundleError, match=r"gives no class activation maps: it was exported before.*\n  -> .*occlusion"
    ):
        flawscope.inspect(make_bundle(), pictures, tmp_path / "r.csv", explain=True)
    with pytest.raises(UserError, match="makes masks"):
        flawscope.inspect(make_mask_bundle(), pictures, tmp_path / "out", explain=True)
    with pytest.raises(BundleError, match="draft"):
        flawscope.inspect(make_bundle(maps=True, draft=True), pictures, tmp_path / "r.csv", explain=True)
    assert not list(tmp_path.glob("r*"))


def test_what_is_in_the_way_is_not_touched(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    bundle = make_bundle(maps=True)
    (tmp_path / "r-maps").mkdir()
    (tmp_path / "r-maps" / "mine.txt").touch()
    with pytest.raises(OutputError, match="exists already"):
        flawscope.inspect(bundle, pictures, tmp_path / "r.csv", explain=True)
    with pytest.raises(OutputError, match="not a folder of heat maps"):
        flawscope.inspect(bundle, pictures, tmp_path / "r.csv", explain=True, overwrite=True)
    with pytest.raises(OutputError, match=r"overlaps with.*heat maps would lie among"):
        flawscope.inspect(bundle, pictures, pictures / "r.csv", explain=True)
    (pictures / "Charge ä 2").rename(pictures / "heat-maps")
    with pytest.raises(DataError, match="is called heat-maps"):
        flawscope.inspect(bundle, pictures, tmp_path / "q.csv", pictures=tmp_path / "l", explain=True)
    flawscope.inspect(bundle, pictures, tmp_path / "q.csv", explain=True)
    assert (tmp_path / "q-maps" / "heat-maps" / "c d.jpg").is_file()


def test_a_failure_leaves_nothing(
    make_bundle: Make, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle(maps=True)
    before = sorted(path.name for path in tmp_path.iterdir())

    def full(*given: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        flawscope.inspect(bundle, pictures, tmp_path / "r.csv", explain=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_maps_are_checked_by_golden_patterns(make_bundle: Make, tmp_path: Path) -> None:
    contents = read_bundle(make_bundle(maps=True))
    (golden,) = contents.manifest.golden
    assert set(golden.file_outputs) == {"logits", "maps"}
    name = golden.file_outputs["maps"]
    other = to_npy(from_npy(contents.golden, name) + 1)
    write_bundle(tmp_path / "x.flawscope", contents.manifest, contents.graphs, {**contents.golden, name: other})
    assert "golden output 'maps' differs" in verify(tmp_path / "x.flawscope")[-1].detail


def test_a_trained_run_tells_its_layer_and_why_there_are_no_maps(finished: Any, pictures: Path, tmp_path: Path) -> None:
    """Pictures of 32 x 32 leave one place only behind the last layer: no map."""
    contents = read_bundle(finished.bundle)
    (graph,), (golden,) = contents.manifest.sealed.graphs, contents.manifest.golden
    assert [each.kind for each in graph.outputs] == ["logits", "features"]
    assert graph.layer.startswith("layer") and "is not linear" in graph.no_maps
    assert set(golden.file_outputs) == {"logits"} and graph.inputs[0].neutral == (127.5,)  # type: ignore[union-attr]
    assert any("No class activation maps: what comes after" in line for line in flawscope.show(finished.bundle))
    with pytest.raises(BundleError, match=r"maps: what comes after layer.* is not linear"):
        flawscope.inspect(finished.bundle, pictures, tmp_path / "r.csv", explain=True)
