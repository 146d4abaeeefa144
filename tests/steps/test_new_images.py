"""Labelled images that are new to a bundle: what shows the same thing is found, and what is known is left out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import flawscope
from flawscope.bundle.archive import read_bundle
from flawscope.data.spec import MasksSpec
from flawscope.data.split_file import load_split, save_split
from flawscope.errors import DataError, UserError
from flawscope.records import NOT_CHECKED
from flawscope.steps.new_groups import NOBODY, SaidGroups
from flawscope.steps.new_images import NO_COURT, NO_RUN, NOT_ASKED
from flawscope.steps.workspace import Run

Draw = Callable[..., Path]
BAD, GOOD, COPIES = 6, 6, 4


def delivery(draw: Draw, root: Path) -> Path:
    """Parts that nobody has seen before."""
    for seed in range(500, 500 + BAD + GOOD):
        draw(root / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [seed % 4] if seed % 2 else ())
    return root


def copy(source: Path, target: Path, turns: int, seed: int = 0) -> None:
    """The same part again: turned, exposed a little longer, with other noise."""
    pixels = np.asarray(Image.open(source)).astype(float)
    noise = np.random.default_rng(seed).normal(0, 2, pixels.shape)
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rot90(np.clip(1.05 * pixels + noise, 0, 255).astype(np.uint8), turns)).save(target)


def copied_delivery(draw: Draw, root: Path) -> Path:
    """Each bad part is there several times, and one good part stands among the bad ones as well."""
    for source in sorted((delivery(draw, root) / "nok").iterdir()):
        for turns in range(COPIES):
            copy(source, source.with_stem(f"{source.stem}-{turns}"), turns, turns)
    copy(root / "ok" / "500.png", root / "nok" / "good.png", 1)
    return root


def notes_of(manifest: Any) -> list[str]:
    return list(manifest.sealed.decision.notes)


def test_pictures_of_one_part_prove_no_more_than_the_part(finished: Any, draw: Draw, tmp_path: Path) -> None:
    data = copied_delivery(draw, tmp_path / "delivery")
    (data / "nok" / "good.png").unlink()
    manifest = flawscope.decide(finished.bundle, data, tmp_path / "new.flawscope", max_escape=0.2)
    contract = manifest.sealed.decision.contracts[0]  # type: ignore[union-attr]
    assert (contract.positives, contract.groups) == (BAD * (1 + COPIES), BAD)
    assert not contract.kept  # 14 independent parts would be needed; 30 pictures would have done
    assert any(f"leak court 8; {BAD * (1 + COPIES)} of {len(list(data.rglob('*.png')))} show" in note
               for note in notes_of(manifest))  # fmt: skip
    blind = flawscope.decide(finished.bundle, data, tmp_path / "blind.flawscope", max_escape=0.2, twins="identical")
    assert blind.sealed.decision.contracts[0].kept  # type: ignore[union-attr]
    assert NOT_ASKED in notes_of(blind)


def test_intervals_rest_on_parts_and_contrary_labels_are_told(finished: Any, draw: Draw, tmp_path: Path) -> None:
    found = flawscope.evaluate(finished.bundle, copied_delivery(draw, tmp_path / "delivery"))
    assert (found.metrics["n"], found.metrics["groups"]) == (BAD * (1 + COPIES) + GOOD + 1, BAD + GOOD)
    assert any("a pair of them with different labels: see flawscope audit" in note for note in found.metrics["notes"])


def test_what_the_bundle_has_learnt_from_is_no_new_image_in_whatever_copy(
    finished: Any, draw: Draw, tmp_path: Path
) -> None:
    run, data = Run.at(finished.folder), delivery(draw, tmp_path / "delivery")
    for part in ("train", "calibration", "test"):
        for number, row in enumerate(run.part(part).rows[:2]):
            label = row.id.split("/", maxsplit=1)[0]
            copy(Path(row.path), data / label / f"{part}-{number}.png", 1 + number)
    found = flawscope.evaluate(finished.bundle, data)
    said = [f"2 images left out: an image of the same thing is in the bundle's {part} part"
            for part in ("train", "calibration")]  # fmt: skip
    assert found.left_out == tuple(said)  # its test part did not make it
    assert found.metrics["n"] == BAD + GOOD + 2
    manifest = flawscope.decide(finished.bundle, data, tmp_path / "new.flawscope", max_escape=0.2)
    said = [
        f"2 images left out: an image of the same thing is in the bundle's {part} part" for part in ("train", "test")
    ]
    assert [note for note in notes_of(manifest) if "left out" in note] == said  # its calibration part may decide


def test_a_bundle_far_from_its_run(finished: Any, draw: Draw, tmp_path: Path) -> None:
    bundle, data = tmp_path / "sent.flawscope", tmp_path / "data"
    shutil.copy(finished.bundle, bundle)
    delivery(draw, data)
    copy(Path(Run.at(finished.folder).part("train").rows[0].path), data / "ok" / "learnt.png", 1)
    found = flawscope.evaluate(bundle, data)
    assert NO_RUN in found.metrics["notes"]
    assert found.metrics["n"] == BAD + GOOD + 1
    assert any(note.startswith("leak checked among these images") for note in found.metrics["notes"])
    found = flawscope.evaluate(bundle, data, known=finished.folder)
    assert (found.metrics["n"], len(found.left_out)) == (BAD + GOOD, 1)
    assert not any(NOT_CHECKED in note for note in found.metrics["notes"])


def test_a_run_whose_data_are_gone(copied: Any, draw: Draw, tmp_path: Path) -> None:
    run, data = copied()
    shutil.rmtree(data)
    new = delivery(draw, tmp_path / "delivery")
    assert NO_RUN in flawscope.evaluate(run / "tiny.flawscope", new).metrics["notes"]
    with pytest.raises(DataError, match="does not exist"):
        flawscope.evaluate(run / "tiny.flawscope", new, known=run)


def test_nothing_is_left(finished: Any, tmp_path: Path) -> None:
    run = Run.at(finished.folder)
    for row in run.part("train").rows:
        copy(Path(row.path), tmp_path / "data" / row.id, 2)
    with pytest.raises(DataError, match=r"all \d+ images show what images that the bundle was made with show"):
        flawscope.evaluate(finished.bundle, tmp_path / "data")


def test_without_the_packages_of_the_court(
    finished: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the line they are not installed: that is said, with what to do, and identical files are found as ever."""
    monkeypatch.setitem(sys.modules, "flawscope.data.court.verdict", None)
    found = flawscope.evaluate(finished.bundle, delivery(draw, tmp_path / "data"))
    assert NO_COURT in found.metrics["notes"]
    assert 'pip install "flawscope[report]"' in NO_COURT


def test_what_is_refused(finished: Any, copied: Any, draw: Draw, tmp_path: Path) -> None:
    data = delivery(draw, tmp_path / "delivery")
    other, _ = copied()
    split = load_split(other / "split.json")
    moved = {**split.part, split.ids("train")[0]: "test", split.ids("test")[0]: "train"}
    save_split(replace(split, part=moved), other / "split.json")
    with pytest.raises(UserError, match=r"--twins 'some'(?s:.)*identical"):
        flawscope.evaluate(finished.bundle, data, twins="some")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="contradict each other"):
        flawscope.evaluate(finished.bundle, data, known=finished.folder, twins="identical")
    with pytest.raises(UserError, match="are for new images"):
        flawscope.evaluate(finished.folder, known=finished.folder)
    with pytest.raises(UserError, match=r"are for new images(?s:.)*is a run"):
        flawscope.decide(finished.bundle, finished.folder, max_escape=0.1, twins="identical")
    with pytest.raises(UserError, match="is not a run folder"):
        flawscope.evaluate(finished.bundle, data, known=tmp_path)
    with pytest.raises(UserError, match="is not the run that the bundle comes from"):
        flawscope.evaluate(finished.bundle, data, known=other)


def test_how_often_it_was_decided_stays_with_the_bundle(finished: Any, draw: Draw, tmp_path: Path) -> None:
    first, second = tmp_path / "first.flawscope", tmp_path / "second.flawscope"
    flawscope.decide(finished.bundle, finished.folder, first, max_escape=0.2)
    made = flawscope.decide(first, delivery(draw, tmp_path / "delivery"), second, max_escape=0.3)
    seals = [read_bundle(finished.bundle).manifest.seal, read_bundle(first).manifest.seal]
    assert [each["seal"] for each in read_bundle(second).evidence["provenance"]["history"]] == seals
    assert notes_of(made)[0] == f"Decided again on {BAD + GOOD} images of delivery, 2 times since its run was decided"


def lots_table(draw: Draw, root: Path, lots: int) -> Path:
    """The same parts in a table, which says of what lot each is, and more that nobody uses."""
    images = sorted(delivery(draw, root).glob("*/*.png"))
    rows = [f"{path.relative_to(root).as_posix()},{path.parent.name},lot {n % lots},{n}.5"
            for n, path in enumerate(images)]  # fmt: skip
    (root / "labels.csv").write_text("\n".join(["file,verdict,lot,weight", *rows]), encoding="utf-8")
    return root / "labels.csv"


@pytest.mark.parametrize("lots", [1, 3])
def test_a_table_of_few_lots_proves_no_more_than_the_lots(finished: Any, draw: Draw, tmp_path: Path, lots: int) -> None:
    table = lots_table(draw, tmp_path / "delivery", lots)
    manifest = flawscope.decide(finished.bundle, table, tmp_path / "new.flawscope", max_escape=0.5)
    contract = manifest.sealed.decision.contracts[0]  # type: ignore[union-attr]
    assert (contract.positives, contract.groups, contract.kept) == (BAD, lots, False)  # 6 parts by themselves would do
    assert "Columns that are not used: weight." in notes_of(manifest)
    found = flawscope.evaluate(finished.bundle, table)
    assert found.metrics["groups"] == lots
    assert "Columns that are not used: weight." in found.metrics["notes"]


def shots_of_parts(draw: Draw, root: Path) -> Path:
    """Three bad parts with six pictures each that do not look alike, and good ones that stand by themselves."""
    for seed in range(600, 618):
        draw(root / "nok" / f"part{seed % 3}_{seed}.png", seed, [seed % 4])
    for seed in range(620, 626):
        draw(root / "ok" / f"part{seed}_0.png", seed, ())
    return root


def test_pictures_of_one_part_count_together_where_somebody_says_so(copied: Any, draw: Draw, tmp_path: Path) -> None:
    (run, _), data = copied(), shots_of_parts(draw, tmp_path / "delivery")
    bundle, made, known = run / "tiny.flawscope", tmp_path / "new.flawscope", "(part[0-9]+)_"

    def decided(**asked: Any) -> tuple[int, bool, list[str]]:
        manifest = flawscope.decide(bundle, data, made, max_escape=0.2, twins="identical", overwrite=True, **asked)
        contract = manifest.sealed.decision.contracts[0]  # type: ignore[union-attr]
        return contract.groups, contract.kept, notes_of(manifest)

    groups, kept, notes = decided()
    assert (groups, kept) == (18, True) and NOBODY in notes  # it proves what it does not: so that is said
    groups, kept, notes = decided(group_pattern=known)
    assert (groups, kept) == (3, False) and NOBODY not in notes
    assert f"images count together by the pattern {known!r} in the name" in notes
    recipe = run / "recipe.yaml"
    content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    for pattern, expected in ((known, 3), ("(lot[0-9]+)", 18)):  # the second fits no name here
        content["data"]["groups"] = {**content["data"].get("groups", {}), "pattern": pattern}
        recipe.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        groups, _, notes = decided()
        assert (groups, NOBODY in notes) == (expected, expected == 18)
    assert flawscope.evaluate(bundle, data, group_pattern=known, twins="identical").metrics["groups"] == 9
    with pytest.raises(UserError, match=r"--group-pattern '\(lot\)' does not match 24 of 24"):
        decided(group_pattern="(lot)")
    with pytest.raises(UserError, match="--group-pattern: 'lot' has no parentheses"):
        decided(group_pattern="lot")
    with pytest.raises(UserError, match="--group-column names a column of a table"):
        decided(group_column="lot")


def test_a_column_of_any_name_says_which_images_count_together(finished: Any, draw: Draw, tmp_path: Path) -> None:
    table = lots_table(draw, tmp_path / "delivery", 3)
    table.write_text(table.read_text(encoding="utf-8").replace(",lot,", ",melt,"), encoding="utf-8")
    alone = flawscope.evaluate(finished.bundle, table, twins="identical").metrics
    assert alone["groups"] == BAD + GOOD and NOBODY in alone["notes"]
    asked = flawscope.evaluate(finished.bundle, table, twins="identical", group_column="melt").metrics
    assert asked["groups"] == 3 and "images count together by the column 'melt'" in asked["notes"]


def test_the_column_of_a_table_beside_images_with_masks(tmp_path: Path) -> None:
    spec = MasksSpec(images=tmp_path / "images", masks=tmp_path / "masks")
    said = SaidGroups(column="melt")
    with pytest.raises(
        UserError, match=r"--group-column melt: there is no table beside .*images that names its images"
    ):
        said.column_in(spec)
    (tmp_path / "images").mkdir()
    for i in range(4):
        Image.new("L", (4, 4), i).save(tmp_path / "images" / f"{i}.png")
    (tmp_path / "other.csv").write_text("melt,speed\n71,72\n")  # names no image: not theirs
    with pytest.raises(UserError, match="there is no table beside"):
        said.column_in(spec)
    (tmp_path / "facts.csv").write_text("\n".join(["file,melts,speed", *(f"{i}.png,{i // 2},{i}" for i in range(4))]))
    with pytest.raises(UserError, match=r"--group-column melt: no table beside .*images has this column") as told:
        said.column_in(spec)
    assert told.value.remedy == "facts.csv: did you mean 'melts'? Valid: melts, speed"
    found = SaidGroups(column="melts").column_in(spec)
    assert isinstance(found, MasksSpec)
    assert (found.facts, found.image_column, found.grouped_by) == (tmp_path / "facts.csv", "file", "melts")
