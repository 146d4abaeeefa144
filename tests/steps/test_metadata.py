"""From a table in which only the metadata tell the labels to decisions at the line. The pictures are noise."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.cli.app import main
from flawscope.errors import DataError, MetadataError, RecipeError, UserError
from flawscope.inspection.tables import read_results
from flawscope.steps.workspace import Run

Draw = Callable[..., Path]
RECIPE = """\
name: tiny
data: {kind: csv, table: labels.csv, label_columns: [poly, hot], meta_columns: [type, temperature]}
image: {size: 32, channels: 1}
split: {validation: 0.2, calibration: 0.2, test: 0.25, twins: identical}
model: {name: "timm:test_resnet", freeze: true, metadata: {type: auto, temperature: auto}}
train:
  epochs: 12
  batch_size: 16
  rate: 0.1
  device: cpu
  augment: {flip_horizontal: false, flip_vertical: false, brightness: 0}
"""


def fill(root: Path, draw: Draw, n: int = 96) -> Path:
    """Noise; `poly` says what `type` says, `hot` that the temperature is above 20."""
    rng = np.random.default_rng(0)
    lines = ["image;poly;hot;type;temperature"]
    for i in range(n):
        draw(root / f"{i}.png", i)
        poly, hot = i % 2, i // 2 % 2
        warm = f"{20 + (1 if hot else -1) * rng.uniform(4, 15):.1f}".replace(".", ",")
        lines.append(f"{i}.png;{poly};{hot};{('mono', 'poly')[poly]};{warm}")
    (root / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    (root / "r.yaml").write_text(RECIPE, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, draw: Draw) -> Path:
    return fill(tmp_path_factory.mktemp("metadata"), draw)


@pytest.fixture(scope="module")
def with_them(root: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flawscope.evaluation.measure.DRAWS", 50)  # the intervals of this run may be rough
        return flawscope.run(root / "r.yaml", root / "runs" / "with")


def aurocs(metrics: dict[str, Any]) -> list[float]:
    return [metrics["classes"][name]["measures"]["AUROC"]["value"] for name in ("poly", "hot")]


def test_they_are_learnt_and_the_sealed_bundle_uses_them(root: Path, with_them: Path) -> None:
    metrics = flawscope.evaluate(with_them).metrics
    assert min(aurocs(metrics)) > 0.97
    shown = {entry["name"]: entry["interval"]["value"] for entry in metrics["headline"]}
    assert shown["exact match"] > 0.85
    without = flawscope.train(root / "r.yaml", root / "runs" / "without", overrides=["model.metadata={}"]).folder
    flawscope.export(without)
    flawscope.decide(without)
    assert max(aurocs(flawscope.evaluate(without).metrics)) < 0.8, "the pictures tell nothing"


def test_the_coding_is_that_of_the_training_part(with_them: Path) -> None:
    table = read_bundle(with_them / "tiny.flawscope").manifest.sealed.graphs[0].inputs[1]
    kind, warm = table.columns  # type: ignore[union-attr]
    known = [float(row.meta["temperature"]) for row in Run.at(with_them).part("train").rows]
    assert (kind.name, kind.categories, warm.name, warm.categories) == ("type", ("mono", "poly"), "temperature", ())
    assert (warm.mean, warm.std) == pytest.approx((np.mean(known), np.std(known)))
    said = "\n".join(flawscope.show(with_them / "tiny.flawscope"))
    assert "Input table: metadata of each picture: type (one of mono, poly), temperature (a number," in said


def test_at_the_line_the_table_decides_and_what_lacks_is_said_row_by_row(
    with_them: Path, tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(7):
        draw(tmp_path / "new" / f"{seed}.png", 500)  # one and the same picture
    (tmp_path / "new" / "7.png").touch()
    lines = [
        "lot;temperature;part;type", "9;5,5;0;mono", "9;34,5;1;mono", "9;5.5;2.png;poly", "9;34;3.png;poly",
        "9;;4.png;poly", "9;5;5.png;multi", "9;5;7.png;mono", "9;5;elsewhere.png;mono",
    ]  # fmt: skip
    (tmp_path / "lots.csv").write_text("\n".join(lines), encoding="utf-8")
    bundle, results = str(with_them / "tiny.flawscope"), tmp_path / "results.csv"
    words = ["flawscope", "inspect", bundle, str(tmp_path / "new"), "--table", str(tmp_path / "lots.csv")]
    monkeypatch.setattr("sys.argv", [*words, "-o", str(results)])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code in (0, None)
    said = capsys.readouterr().out
    assert "1 row names none of the pictures, such as lots.csv, row 9" in said
    assert "4  could not be decided" in said
    rows = read_results(results).rows
    assert [row.decision.label if row.decision else row.error for row in rows] == [
        "ok", "hot", "poly", "poly + hot", "no value for 'temperature'", "type: 'multi' is none of mono, poly",
        "no row in lots.csv", "the file is empty (0 bytes)",
    ]  # fmt: skip


def test_the_line_without_its_table(with_them: Path, root: Path, tmp_path: Path, make_bundle: Any) -> None:
    bundle = with_them / "tiny.flawscope"
    with pytest.raises(MetadataError, match=r"type \(one of mono, poly\), temperature \(a number(?s:.)*--table FILE"):
        flawscope.inspect(bundle, root, tmp_path / "r.csv")
    with pytest.raises(UserError, match="--image-column is a column of a table"):
        flawscope.inspect(bundle, root, tmp_path / "r.csv", image_column="image")
    with pytest.raises(DataError, match=r"takes pictures alone(?s:.)*leave out --table"):
        flawscope.inspect(make_bundle(), root, tmp_path / "r.csv", table=root / "labels.csv")
    assert not (tmp_path / "r.csv").exists()


def test_strangers_data_bring_the_columns_or_are_refused(with_them: Path, tmp_path: Path, draw: Draw) -> None:
    bundle = with_them / "tiny.flawscope"
    for i in range(8):
        draw(tmp_path / f"{i}.png", 900 + i)
    text = "".join(f"{i}.png,{i % 2},{i // 4},{('mono', 'poly')[i % 2]},{5 + 30 * (i // 4)}\n" for i in range(8))
    (tmp_path / "t.csv").write_text(f"image,poly,hot,type,temperature\n{text}", encoding="utf-8")
    (tmp_path / "r.yaml").write_text(
        "name: x\ndata: {kind: csv, table: t.csv, label_columns: [poly, hot]}\n", encoding="utf-8"
    )
    measured = flawscope.evaluate(bundle, tmp_path / "r.yaml", tmp_path / "out")
    assert aurocs(measured.metrics) == [1.0, 1.0]
    (tmp_path / "t.csv").write_text(f"image,poly,hot,kind,temperature\n{text}", encoding="utf-8")
    with pytest.raises(DataError, match=r"no column 'type'"):
        flawscope.evaluate(bundle, tmp_path / "r.yaml")
    lacking = text.replace("0.png,0,0,mono", "0.png,0,0,")
    (tmp_path / "t.csv").write_text(f"image,poly,hot,type,temperature\n{lacking}", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 image cannot be decided:\n  0.png: no value for 'type'"):
        flawscope.evaluate(bundle, tmp_path / "r.yaml")


def test_what_is_refused_before_the_training(root: Path, tmp_path: Path, draw: Draw) -> None:
    other = fill(tmp_path, draw, 48)
    for override, problem in (
        ("model.metadata={tpye: auto}", "no column 'tpye'(?s:.)*did you mean 'type'"),
        ("model.metadata={type: number}", "type is to be a number"),
    ):
        with pytest.raises(RecipeError, match=problem):
            flawscope.train(other / "r.yaml", tmp_path / "runs" / "x", overrides=[override])
    with (other / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = [[*row[:3], "", *row[4:]] if row[0] == "3.png" else row for row in csv.reader(stream, delimiter=";")]
    (other / "labels.csv").write_text("\n".join(";".join(row) for row in rows), encoding="utf-8")
    with pytest.raises(UserError, match=r"3.png"):
        flawscope.train(other / "r.yaml", tmp_path / "runs" / "y")


def test_other_metadata_are_other_data(with_them: Path, root: Path) -> None:
    table = root / "labels.csv"
    before = table.read_text(encoding="utf-8")
    table.write_text(before.replace("0.png;0;0;mono", "0.png;0;0;poly", 1), encoding="utf-8")
    try:
        with pytest.raises(DataError, match="have changed since it was made"):
            import_module("flawscope.steps.decide").decide(with_them)
    finally:
        table.write_text(before, encoding="utf-8")
