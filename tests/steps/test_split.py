"""The step finds twins once, makes the splits, and proves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.data.court.proof import Crossing
from flawscope.data.court.verdict import METHOD
from flawscope.data.group_file import save_groups
from flawscope.data.read import read
from flawscope.data.split_file import load_split, save_split
from flawscope.errors import OutputError, SplitError
from flawscope.records import PARTS, Pair, Samples, Split, Twins
from flawscope.steps.run import pool
from flawscope.steps.split import proven_again, search
from flawscope.steps.workspace import Run
from flawscope.storage import write_json
from flawscope.training.recipe import load_recipe

Draw = Callable[..., Path]
Write = Callable[[Path, str], Path]
FIND = ["split.twins=find"]


@pytest.fixture
def recipe(tmp_path: Path, draw: Draw, write_recipe: Write) -> Path:
    """40 pictures of two classes in folders of a published split: 28 to learn from, 12 to test."""
    for i in range(40):
        name = f"{'train' if i < 28 else 'test'}/{'nok' if i % 2 else 'ok'}/{i}.png"
        draw(tmp_path / "data" / name, i, [i % 4] if i % 2 else ())
    return write_recipe(tmp_path / "r.yaml", "{kind: folders, root: data, positive: nok, level: 1, part_level: 0}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """A court that finds each picture to be the twin of the next in the table; where it was asked to keep its cache."""
    calls: list[Path | None] = []

    def find_twins(samples: Samples, *, cache: Path | None = None) -> Twins:
        calls.append(cache)
        pairs = tuple(Pair(a.id, b.id, "sister", 0.9) for a, b in pairwise(samples.rows))
        return Twins(pairs, len(samples), "a court of chains", {"note": "too few images"})

    monkeypatch.setattr("flawscope.data.court.verdict.find_twins", find_twins)
    return calls


def test_twins_are_found_once_and_kept_apart_from_no_part(recipe: Path, asked: list[Any], tmp_path: Path) -> None:
    folds = flawscope.split(recipe, tmp_path / "folds", folds=4, overrides=FIND)
    assert asked == [tmp_path / ".cache"]
    for made in folds:
        assert made.stamp == "leak checked: a court of chains"
        assert made.notes[-1] == "leak check: too few images"
        assert made.left_out
        assert load_split(tmp_path / "folds" / f"fold-{made.fold}.json") == made


def test_a_split_that_is_there_is_replaced_only_if_asked(recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / "folds" / "fold-1.json"
    path.parent.mkdir()
    path.write_text("signed")
    with pytest.raises(OutputError, match=r"(?s)fold-1.json exists already.*--overwrite"):
        flawscope.split(recipe, path.parent, folds=2)
    assert [each.name for each in path.parent.iterdir()] == ["fold-1.json"]
    assert path.read_text() == "signed"
    made = flawscope.split(recipe, path.parent, folds=2, overwrite=True)
    assert load_split(path) == made[1]


@pytest.mark.parametrize("folds", [None, 4])
def test_a_place_that_cannot_be_written_to_is_noticed_before_the_search(
    recipe: Path, asked: list[Any], tmp_path: Path, folds: int | None
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        flawscope.split(recipe, tmp_path / "file" / ("folds" if folds else "s.json"), folds=folds, overrides=FIND)
    assert asked == []


def test_a_split_of_nothing_but_memory_keeps_no_cache_and_says_what_goes_on(
    recipe: Path, asked: list[Any], tmp_path: Path
) -> None:
    there, said = set(tmp_path.iterdir()), []
    flawscope.split(recipe, overrides=FIND, say=said.append)
    assert asked == [None]
    assert set(tmp_path.iterdir()) == there
    assert said[-1].endswith("of the same thing found; reading the images anew to prove the split")


def test_identical_asks_no_court(recipe: Path, asked: list[Any]) -> None:
    made = flawscope.split(recipe)[0]
    assert asked == []
    assert (made.stamp, made.left_out) == ("LEAK NOT CHECKED", {})


def test_images_that_a_group_file_does_not_name_are_told_before_the_search(
    recipe: Path, asked: list[Any], tmp_path: Path
) -> None:
    samples = read(load_recipe(recipe).data, recipe.parent)
    first = [row.id for row in samples.rows[1:]]
    known, groups = samples.select(first), tmp_path / "groups.json"
    save_groups(groups, "bench", known, {id: id for id in first}, {id: n % 2 for n, id in enumerate(first)}, note="")
    with pytest.raises(SplitError, match=rf"1 of {len(samples)} images are not in the group file 'bench'"):
        flawscope.split(recipe, overrides=[f"split.file={groups}"])
    assert asked == []


def test_a_kept_split_is_purged_and_trained_on(
    recipe: Path, asked: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Run] = []

    def train_in(run: Any) -> None:
        trained.append(run)
        write_json(run.trained, {"best_epoch": 1, "epochs": 1})

    monkeypatch.setattr("flawscope.steps.run.train_in", train_in)
    monkeypatch.setattr("flawscope.steps.run.export", lambda run: pytest.fail("far enough"))
    with pytest.raises(pytest.fail.Exception):
        flawscope.run(recipe, tmp_path / "run", overrides=[*FIND, "split.published=keep"])
    split = trained[0].split
    assert asked == [tmp_path / ".cache"]
    assert split.ids("test") == [row.id for row in trained[0].samples.rows if row.id.startswith("test")]
    assert set(split.part) | set(split.left_out) == {row.id for row in trained[0].samples.rows}
    assert sum(len(trained[0].part(name)) for name in PARTS) == 40 - len(split.left_out) < 40


def test_a_proof_that_finds_a_little_more_each_time_comes_to_an_end(
    recipe: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with castings, where hundreds of images are much alike."""
    found: list[Pair] = []

    class Hidden:
        @classmethod
        def of(cls, samples: Samples) -> Hidden:
            return cls()

        def crossing(self, split: Split) -> Crossing:
            if len(found) == 7:
                return Crossing((), (), 1, 1)
            found.append(Pair(split.ids("train")[0], split.ids("test")[0], "shifted", 0.96))
            return Crossing((found[-1],), (), 1, 1)

    monkeypatch.setattr("flawscope.data.court.proof.Prover", Hidden)
    made = flawscope.split(recipe, overrides=[*FIND, "split.published=keep"])[0]
    assert len(found) == 7
    assert [pair for pair in found if pair.a in made.part and pair.b in made.part] == []


def test_a_court_that_the_split_does_not_heed_is_noticed(
    recipe: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flawscope.data.split.purge", lambda *given: {})
    with pytest.raises(SplitError, match="pairs of the same thing across the split"):
        flawscope.split(recipe, overrides=FIND)


def test_a_whole_run_with_images_left_out(recipe: Path, asked: list[Any], tmp_path: Path) -> None:
    folder = flawscope.run(recipe, tmp_path / "run", folds=2, overrides=[*FIND, "train.epochs=1"])
    runs = [Run.at(folder / f"fold-{number}") for number in range(2)]
    assert all(run.split.left_out for run in runs)
    metrics = pool(folder, runs[0].recipe, runs[0].samples)
    assert metrics["n"] == 40
    assert metrics["split"]["stamp"] == "leak checked: a court of chains"


@pytest.mark.parametrize("stamped", [(), ("a court of old",)])
def test_a_split_from_a_file_is_stamped_with_what_this_run_did(
    recipe: Path, tmp_path: Path, stamped: tuple[str, ...]
) -> None:
    made = replace(flawscope.split(recipe)[0], checks=stamped)
    save_split(made, tmp_path / "s.json")
    asked = load_recipe(recipe, FIND)
    samples = read(asked.data, tmp_path)
    proven = proven_again(load_split(tmp_path / "s.json"), asked, samples)
    assert proven.split.stamp == f"leak checked: {METHOD}"
    assert proven.proof is not None
    assert (proven.proof["court"], proven.proof["split"]) == (METHOD, made.hash)
    assert (proven.split.hash, replace(proven.split, checks=stamped)) == (made.hash, made)
    again = proven_again(load_split(tmp_path / "s.json"), load_recipe(recipe), samples)
    assert (again.split.stamp, again.split.hash, again.proof) == ("LEAK NOT CHECKED", made.hash, None)


def test_the_split_that_was_trained_on_bears_the_new_stamp(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_split(replace(flawscope.split(recipe)[0], checks=("a court of old",)), tmp_path / "s.json")
    monkeypatch.setattr("flawscope.steps.train.train_in", lambda run: None)
    plain = flawscope.train(recipe, tmp_path / "plain", split=tmp_path / "s.json")
    assert (plain.split.stamp, (plain.folder / "proof.json").exists()) == ("LEAK NOT CHECKED", False)
    proven = flawscope.train(recipe, tmp_path / "proven", split=tmp_path / "s.json", overrides=FIND)
    assert (proven.split.stamp, (proven.folder / "proof.json").exists()) == (f"leak checked: {METHOD}", True)


def test_a_cache_that_cannot_be_written_is_done_without(recipe: Path, asked: list[Any], tmp_path: Path) -> None:
    samples, said = read(load_recipe(recipe).data, tmp_path), []
    search(samples, tmp_path / ".cache", said.append)
    (tmp_path / "file").touch()
    search(samples, tmp_path / "file", said.append)
    assert asked == [tmp_path / ".cache", None]
    assert len(said) == 1 and "file cannot be written to" in said[0]
    assert not (tmp_path / ".cache").exists()


def test_plan_says_what_goes_on_between_search_and_proof(recipe: Path, asked: list[Any]) -> None:
    said: list[str] = []
    flawscope.plan(recipe, max_escape=0.1, overrides=FIND, say=said.append)
    assert said[-2].startswith("splitting") and said[-2].endswith("and looking for those of the same thing")
    assert said[-1].endswith("of the same thing found; reading the images anew to prove the split")
