"""An audit describes whatever it is given, and stops at nothing but an empty folder."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flawscope
from flawscope.data.groups import identical_files
from flawscope.errors import DataError, OutputError, UserError
from flawscope.records import Pair, Sample, Samples, Task, Twins
from flawscope.steps import audit as step

Draw = Callable[..., Path]
Court = Callable[..., None]


MOVED = defaultdict(lambda: (0.0, 0.0), {"sister": (0.25, -0.5)})


@pytest.fixture(autouse=True)
def court(monkeypatch: pytest.MonkeyPatch) -> Court:
    """`court(("a.png", "b.png", "sister"), ...)`: the pairs that it is to find; identical files are found always."""
    wanted: list[tuple[str, str, str]] = []

    def find(samples: Samples, *, cache: Path | None = None) -> Twins:
        same = [Pair(a.id, b.id, "identical", 1.0) for rows in identical_files(samples) for a, b in pairwise(rows)]
        given = [Pair(a, b, kind, 0.95, shift=MOVED[kind], needed=0.62) for a, b, kind in wanted]  # type: ignore[arg-type]
        return Twins((*same, *given), len(samples), "a court of the test", {"threshold": 0.6})

    monkeypatch.setattr("flawscope.data.court.verdict.find_twins", find)
    return lambda *pairs: wanted.extend(pairs)


@pytest.fixture
def data(tmp_path: Path, draw: Draw) -> Path:
    """Eight pictures of each of two classes; one is there under both labels, one is empty, one is cut off."""
    root = tmp_path / "parts"
    for seed in range(16):
        draw(root / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [1] if seed % 2 else ())
    shutil.copy(root / "ok" / "0.png", root / "nok" / "copy.png")
    (root / "ok" / "empty.png").touch()
    (root / "nok" / "cut.png").write_bytes((root / "nok" / "1.png").read_bytes()[:200])
    return root


def test_everything_is_written_whole_and_agrees(data: Path, tmp_path: Path, court: Court) -> None:
    court(("nok/1.png", "ok/2.png", "sister"), ("ok/2.png", "ok/4.png", "turned"))
    made = flawscope.audit(data, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["audit.json", "index.html", "pairs.csv"]
    document = json.loads((made.folder / "audit.json").read_text(encoding="utf-8"))
    assert document == json.loads(json.dumps(made.document))
    assert (document["n"], document["combinations"]) == (17, {"nok": 9, "ok": 8})
    assert {each["where"] for each in document["skipped"]} == {"ok/empty.png", "nok/cut.png"}
    assert document["identical"] == [{"ids": ["nok/copy.png", "ok/0.png"], "labels": ["nok", "ok"]}]
    assert any("the same file with different labels" in words for words in document["notices"])
    assert document["court"]["kinds"] == {"identical": 1, "turned": 1, "sister": 1}
    assert document["court"]["contrary"] == 2
    assert document["groups"]["limit"] == 2
    assert {size["name"]: size["verdict"] for size in document["class_sizes"]} == {"ok": "too few", "nok": "too few"}
    assert document["pictures"]["sizes"] == [[40, 40, 17]]
    with (made.folder / "pairs.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [tuple(row) for row in rows] == [step.COLUMNS] * 3
    assert [row["a"] for row in rows] == [pair["a"] for pair in document["pairs"]]
    assert [row["needed"] for row in rows] == ["0.0", "0.62", "0.62"]
    assert [(row["shift_down"], row["shift_right"]) for row in rows] == [
        ("0.0", "0.0"),
        ("0.0", "0.0"),
        ("0.25", "-0.5"),
    ]
    assert "To be reviewed" in made.page.read_text(encoding="utf-8")


def test_the_published_split_is_found_in_folder_names(tmp_path: Path, draw: Draw, court: Court) -> None:
    for seed in range(12):
        part, name = ("test" if seed < 4 else "train"), ("nok" if seed % 2 else "ok")
        draw(tmp_path / "set" / part / name / f"{seed}.png", seed)
    court(("test/ok/0.png", "train/ok/4.png", "turned"))
    document = flawscope.audit(tmp_path / "set", tmp_path / "out").document
    published = document["published"]
    assert (published["parts"], published["with_twin"]) == ({"test": 4, "train": 8}, 1)
    assert document["pairs"][0]["published_a"] == "test"


@pytest.mark.parametrize("name", ["", "good"])
def test_pictures_without_classes_are_audited_too(tmp_path: Path, draw: Draw, name: str) -> None:
    for seed in range(3):
        draw(tmp_path / "set" / name / f"{seed}.png", seed)
    said: list[str] = []
    document = flawscope.audit(tmp_path / "set", tmp_path / "out", court=True, say=said.append).document
    assert (document["labelled"], document["combinations"]) == (False, {name or "not labelled": 3})
    assert document["class_sizes"] == []
    assert document["probe"] == {"reason": "without labels nothing can be learnt"}
    assert said[0].startswith("The pictures are audited without labels: ")
    assert document["notices"] == said


def test_a_table_and_a_recipe_are_read_as_by_the_other_steps(
    data: Path, tmp_path: Path, write_recipe: Callable[[Path, str], Path]
) -> None:
    rows = ["image,label", *(f"{name}/{seed}.png,{name}" for seed in (2, 4, 6) for name in ("ok",)), "nok/1.png,nok"]
    (data / "labels.csv").write_text("\n".join([*rows, "none.png,ok"]))
    document = flawscope.audit(data / "labels.csv", tmp_path / "table").document
    assert (document["n"], len(document["skipped"])) == (4, 1)
    recipe = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: parts}")
    document = flawscope.audit(recipe, tmp_path / "recipe", overrides=["split.largest_group=0.5"]).document
    assert (document["n"], document["groups"]["limit"]) == (17, 8)
    with pytest.raises(UserError, match="nothing to set") as refused:
        flawscope.audit(data, tmp_path / "x", overrides=["split.seed=1"])
    assert f"flawscope new {data}" in refused.value.remedy


def test_a_recipe_that_forgets_groups_is_audited_without_them(
    data: Path, tmp_path: Path, write_recipe: Callable[[Path, str], Path]
) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: parts, groups: {block: 4}}")
    facts = flawscope.audit(recipe, tmp_path / "blocks").document
    assert facts["groups"]["linked"]["number"] < 8
    free = flawscope.audit(recipe, tmp_path / "free", overrides=["split.groups=none"]).document
    assert (free["groups"]["grouping"], free["groups"]["linked"]["number"]) == ("each image by itself", 16)
    assert sum(size["groups"] for size in free["class_sizes"]) > sum(size["groups"] for size in facts["class_sizes"])


def test_a_group_file_is_passed_over_and_that_is_told(
    data: Path, tmp_path: Path, write_recipe: Callable[[Path, str], Path]
) -> None:
    recipe, said = write_recipe(tmp_path / "r.yaml", "{kind: folders, root: parts}"), []
    override = [f"split.file={tmp_path / 'groups.json'}"]
    document = flawscope.audit(recipe, tmp_path / "out", overrides=override, say=said.append).document
    assert "groups.json (split.file) is passed over" in said[0]
    assert document["notices"][0] == said[0]


def test_what_is_not_used_is_told(data: Path, tmp_path: Path) -> None:
    rows = [f"{name}/{seed}.png,{name},{seed}" for seed in range(16) for name in ["nok" if seed % 2 else "ok"]]
    (data / "labels.csv").write_text("\n".join(["image,label,weight", *rows]))
    said: list[str] = []
    document = flawscope.audit(data / "labels.csv", tmp_path / "out", say=said.append).document
    assert said == document["notices"] == ["Columns that are not used: weight."]


def test_pairs_to_review_are_in_the_table_as_identical_files_have_them(
    data: Path, tmp_path: Path, court: Court
) -> None:
    shutil.copy(data / "ok" / "0.png", data / "ok" / "also.png")
    court(("nok/copy.png", "nok/3.png", "turned"))
    made = flawscope.audit(data, tmp_path / "out")
    # nok/copy = ok/0 = ok/also; nok/3 is like all three
    assert made.document["court"]["contrary"] == 4
    assert [(pair["a"], pair["b"]) for pair in made.document["review"]] == [
        ("nok/copy.png", "ok/0.png"),
        ("ok/0.png", "nok/3.png"),
    ]
    with (made.folder / "pairs.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["a"], row["b"]) for row in csv.DictReader(stream)]
    assert ("ok/0.png", "nok/3.png") in rows and len(set(rows)) == len(rows) == 4


def test_a_place_that_cannot_be_written_to_is_noticed_before_the_search(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "search", lambda *given: pytest.fail("too late"))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"cannot write .*file/out: "):
        flawscope.audit(data, tmp_path / "file" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "parts"]


def test_an_audit_goes_on_without_a_cache(data: Path, tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("no folder")
    said: list[str] = []
    assert flawscope.audit(data, tmp_path / "out", say=said.append).page.is_file()
    assert [words for words in said if words.startswith("warning: ") and ".cache cannot be written to" in words]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("when", ["new", "replaced"])
def test_whatever_stops_the_writing_leaves_what_was_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Any, when: str
) -> None:
    if when == "replaced":
        flawscope.audit(data, tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))

    def stop(*given: Any) -> None:
        raise problem

    monkeypatch.setattr("flawscope.pages.audit.write_audit", stop)
    with pytest.raises(KeyboardInterrupt if problem is KeyboardInterrupt else OutputError):
        flawscope.audit(data, tmp_path / "out", overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_to_look_at_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images below this folder"):
        flawscope.audit(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(DataError, match="does not exist"):
        flawscope.audit(tmp_path / "none", tmp_path / "out")
    (tmp_path / "empty" / "a.png").touch()
    with pytest.raises(DataError, match="no image of 1 can be read"):
        flawscope.audit(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_an_audit_is_replaced_and_only_if_asked_for(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flawscope.audit(data, out)
    with pytest.raises(OutputError, match="exists already"):
        flawscope.audit(data, out)
    flawscope.audit(data, out, overwrite=True)
    with pytest.raises(OutputError, match="is not an audit"):
        flawscope.audit(data, data, overwrite=True)
    assert (data / "ok" / "0.png").is_file()


def test_the_default_folder_bears_the_name_of_the_data(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert flawscope.audit("parts").page == Path("audits") / "parts" / "index.html"


def planted(root: Path, draw: Draw, n: int) -> list[tuple[str, str, str]]:
    """Random labels; each picture has a twin of the same label with a little noise."""
    random, pairs = np.random.default_rng(1), []
    for seed, bad in enumerate(random.permutation([True, False] * (n // 2))):
        name = "nok" if bad else "ok"
        for copy in "ab":
            draw(root / name / f"{seed}{copy}.png", seed, [0] if copy == "b" else ())
        pairs.append((f"{name}/{seed}a.png", f"{name}/{seed}b.png", "exposure"))
    return pairs


def test_the_probe_sees_a_planted_leak(tmp_path: Path, draw: Draw, court: Court) -> None:
    court(*planted(tmp_path / "set", draw, 60))
    document = flawscope.audit(tmp_path / "set", tmp_path / "out", court=True).document
    accuracy = document["probe"]["models"][0]["measures"]["accuracy"]
    assert accuracy["random"]["value"] > 0.7
    assert accuracy["difference"]["low"] > 0
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert 'id="leak"' in page
    assert page.count("a diagnosis of the data") == 1


def test_the_probe_takes_whole_groups_of_large_sets(
    tmp_path: Path, draw: Draw, court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    court(*planted(tmp_path / "set", draw, 40))
    monkeypatch.setattr(step, "PROBED", 41)
    probe = flawscope.audit(tmp_path / "set", tmp_path / "out", court=True).document["probe"]
    assert (probe["n"], probe["groups"]) == (40, 20)
    assert probe["notes"][0] == "40 of 80 images were used, whole groups of them"


def test_a_set_too_small_for_the_probe_says_why(data: Path, tmp_path: Path, draw: Draw) -> None:
    for name in ("ok", "nok"):
        draw(tmp_path / "set" / name / "1.png", ord(name[0]))
    probe: Any = flawscope.audit(tmp_path / "set", tmp_path / "out", court=True).document["probe"]
    assert "cannot fill 5" in probe["reason"]


def test_two_random_splits_are_not_compared(tmp_path: Path, draw: Draw) -> None:
    for seed in range(20):
        draw(tmp_path / "set" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed)
    probe = flawscope.audit(tmp_path / "set", tmp_path / "out", court=True).document["probe"]
    assert probe["reason"].endswith("both splits are random: there is nothing to compare")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "there is nothing to compare" in page and "is the leak" not in page


def test_images_of_a_cut_pair_are_not_trained_on_when_the_other_is_tested() -> None:
    twins = Twins((Pair("a", "b", "sister", 0.9), Pair("a", "gone", "sister", 0.9)), 4, "by hand")
    allowed_nf = step._allowed(table("a", "b", "c", "gone"), twins, {"a": 0, "b": 1, "c": 2}, np.array([0, 1, 2]))
    expected = np.ones((3, step.FOLDS), bool)
    expected[0, 1] = expected[1, 0] = False
    np.testing.assert_array_equal(allowed_nf, expected)


def test_a_copy_of_an_image_of_a_cut_pair_is_not_trained_on_either() -> None:
    # c and e are the same file as a, and only a was judged; e and a are not among the images that were drawn.
    samples = table("a", "b", "c", "d", "e", same={"a": "x", "c": "x", "e": "x"})
    twins = Twins((Pair("a", "b", "sister", 0.9),), 5, "by hand")
    allowed_nf = step._allowed(samples, twins, {"b": 0, "c": 1, "d": 2}, np.array([0, 1, 2]))
    assert (allowed_nf[0, 1], allowed_nf[1, 0]) == (False, False)
    assert allowed_nf[2].all() and allowed_nf[0, [0, 2, 3, 4]].all() and allowed_nf[1, 2:].all()


def table(*ids: str, same: Mapping[str, str] | None = None) -> Samples:
    rows = tuple(Sample(id, id, (0.0,), id, (same or {}).get(id, id)) for id in ids)
    return Samples("made", Task("binary", ("nok",)), rows)


def test_masks_are_counted_and_drawn(tmp_path: Path, court: Court) -> None:
    flawscope.synth("steel", tmp_path / "strips", 24, size="256x64")
    found = flawscope.audit(tmp_path / "strips", tmp_path / "audit")
    facts = found.document["masks"]
    assert (facts["images"], facts["flawed"]) == (24, 12)
    assert [row["name"] for row in facts["classes"]] == list(found.document["task"]["classes"])
    page = found.page.read_text(encoding="utf-8")
    assert 'id="masks"' in page and "12 of 24 images show a flaw (50 %)" in page
    assert page.count("outlines of its masks") == sum(map(len, found.document["examples"].values()))
    assert found.document["notices"][0].endswith("have no mask in train.csv: taken for good")
