"""How many images are needed: counts alone, and what given data support, with and without a split."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.data.split import SplitSpec
from flawscope.errors import DataError, UserError
from flawscope.evaluation.class_promise import class_promise
from flawscope.evaluation.plan import best_promise, defects_needed
from flawscope.evaluation.plan_sizes import INSTEAD, Sizes
from flawscope.evaluation.wanted import Wanted
from flawscope.steps.split import split, split_samples
from flawscope.steps.workspace import Run
from flawscope.training.recipe import load_recipe
from flawscope.wording import percent_up

module = import_module("flawscope.steps.plan")
RECIPE = """\
name: parts
data: {{kind: folders, root: {root}, positive: nok, groups: {{pattern: 'part(\\d+)_'}}}}
image: {{size: 24, channels: 1}}
split: {{twins: identical}}
"""


@pytest.fixture
def recipe(tmp_path: Path, parts: Path) -> Path:
    """96 pictures of 48 parts, 32 of them bad, in 16 groups of two."""
    path = tmp_path / "parts.yaml"
    path.write_text(RECIPE.format(root=parts), encoding="utf-8")
    return path


def classes(document: Any) -> dict[str, Any]:
    return {row["name"]: row for row in document["data"]["classes"]}


def test_counts_alone_need_no_data_and_are_written_as_json(tmp_path: Path) -> None:
    made = flawscope.plan(None, tmp_path / "plan.json", max_escape=0.005, half_width=0.05, measure="recall")
    assert made.document["promise"]["independent"] == 598
    assert made.document["promise"]["share"] == SplitSpec().calibration
    assert made.document["interval"]["independent"] == 83
    assert (made.document["data"], made.page, made.folder) == (None, None, None)
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8")) == made.document


def test_what_a_recipes_data_support_is_counted_in_the_split_that_a_run_would_make(
    recipe: Path, tmp_path: Path
) -> None:
    made = flawscope.plan(recipe, tmp_path / "plan.json", max_escape=0.1).document
    bad = {path.name for path in (Path(load_recipe(recipe).data.root) / "nok").iterdir()}  # type: ignore[union-attr]
    real = split(recipe)[0]
    inside = [name for name in real.ids("calibration") if Path(name).name in bad]
    row = classes(made)["nok"]
    assert set(classes(made)) == {"nok"}, "good parts are no defect"
    assert (row["images"], row["groups"]) == (32, 16)
    assert row["calibration_images"] == len(inside) > 0
    assert row["calibration_groups"] == len({real.group[name] for name in inside}) == len(inside) / 2
    assert row["support"]["images"]["best"] == pytest.approx(best_promise(len(inside)))
    assert row["support"]["groups"]["lacking"] == defects_needed(0.1) - len(inside) // 2
    assert sum(each["images"] for each in row["parts"].values()) == 32
    assert made["data"]["prevalence"] == pytest.approx(1 / 3)
    every = made["promise"]["ways"]["images"]["in_all"]
    assert every["parts"] == 3 * every["counted"]
    assert "LEAK NOT CHECKED" in made["notes"][0]
    assert made["notes"][1] == f"groups of the split that a run would make: {real.method}"
    assert "the pattern 'part" in made["notes"][1]
    ways = made["promise"]["ways"]
    needed = defects_needed(0.1)
    assert (ways["groups"]["groups"], ways["groups"]["parts"]) == (needed, 2 * needed), "two pictures of each part"
    assert ways["groups"]["in_all"]["parts"] == 6 * 5 * needed


def test_groups_of_a_run_reach_the_sum_of_all_images(
    finish_run: Callable[..., Path], parts: Path, tmp_path: Path
) -> None:
    run = Run.at(finish_run(tmp_path / "runs" / "one", parts))
    bad = [row.id for row in run.samples.rows if row.target[0]]
    joint = {**run.split.group, bad[0]: "one", bad[1]: "one", bad[2]: "one"}  # 14 groups of 2, one of 3, one of 1
    found = module._Found(run.recipe, run.samples, replace(run.split, group=joint))
    assert found.sizes("defective parts") == Sizes(2.0, (14 * 4 + 9 + 1) / 32, 1)
    assert found.sizes("good parts") == Sizes(2.0, 2.0, 2)
    assert found.sizes("parts") == Sizes(2.0, (46 * 4 + 9 + 1) / 96, 1)
    made = flawscope.plan(run.folder, max_escape=0.1, half_width=0.1, measure="overkill", correlation=1.0).document
    effective = made["promise"]["ways"]["effective"]
    assert (effective["size"], effective["parts"]) == (2.0, 2 * defects_needed(0.1)), "as one part each"
    assert made["interval"]["ways"]["groups"]["parts"] == 2 * made["interval"]["independent"]
    assert made["notes"][1] == f"groups of the run's split: {run.split.method}"


def test_no_escape_at_all_gets_the_promises_that_there_are(recipe: Path) -> None:
    alone = flawscope.plan(max_escape=0, confidence=0.9).document
    assert alone["promise"]["independent"] is None
    assert [row["independent"] for row in alone["promise"]["instead"]] == [defects_needed(r, 0.9) for r in INSTEAD]
    made, best = (classes(flawscope.plan(recipe, max_escape=rate).document)["nok"] for rate in (0, None))
    assert made == best, "the best promise of the data stands in the table, and nothing is lacking"
    assert made["support"]["groups"]["best"] < 1 and made["verdict"] == ""


def test_shares_are_those_of_the_recipe_and_prevalence_may_be_said(recipe: Path, tmp_path: Path) -> None:
    overrides = ["split.calibration=0.4", "split.test=0.3"]
    found = flawscope.plan(
        recipe, tmp_path / "p.json", max_escape=0.1, half_width=0.1, prevalence=0.02, overrides=overrides
    ).document
    assert (found["promise"]["share"], found["interval"]["share"]) == (0.4, 0.3)
    every = found["promise"]["ways"]["images"]["in_all"]
    assert every["parts"] == 50 * every["counted"]


def test_too_few_images_for_a_split_get_an_answer(draw: Callable[..., Path], tmp_path: Path) -> None:
    for seed in range(6):
        draw(tmp_path / "few" / ("nok" if seed < 2 else "ok") / f"{seed}.png", seed)
    (tmp_path / "r.yaml").write_text(
        "name: few\ndata: {kind: folders, root: few, positive: nok, groups: {block: 6}}\nsplit: {twins: identical}\n",
        encoding="utf-8",
    )
    made = flawscope.plan(tmp_path / "r.yaml", tmp_path / "p.json", max_escape=0.01).document
    row = classes(made)["nok"]
    assert (made["data"]["stamp"], made["data"]["parts"], row["parts"]) == (None, None, None)
    assert made["notes"][0].startswith("no split can be made yet (")
    assert made["notes"][1] == "groups: blocks of 6 images in order; byte-identical files joined"
    assert made["promise"]["ways"]["groups"]["size"] == 2.0
    assert row["support"]["groups"]["best"] == 1.0
    assert row["verdict"] == "no"


def test_data_without_a_defective_part_get_an_answer(draw: Callable[..., Path], tmp_path: Path) -> None:
    for seed in range(40):
        draw(tmp_path / "good" / "ok" / f"{seed}.png", seed)
    text = (
        "name: good\ndata: {kind: folders, root: good, classes: [nok, ok], positive: nok}\nsplit: {twins: identical}\n"
    )
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    made = flawscope.plan(tmp_path / "r.yaml", tmp_path / "p.json", max_escape=0.05).document
    row = classes(made)["nok"]
    assert (row["images"], row["support"]["images"]["best"], made["data"]["prevalence"]) == (0, 1.0, None)
    assert row["support"]["images"]["lacking_in_all"] == 5 * 59
    assert made["promise"]["ways"]["images"]["in_all"]["parts"] is None
    assert (made["data"]["parts"], made["data"]["needed"], made["notes"]) == (None, [], []), "nothing is to be split"


@pytest.mark.parametrize("place", ["good/ok", "good"])
def test_a_folder_of_good_parts_alone_gets_the_counts_that_are_needed(
    place: str, draw: Callable[..., Path], tmp_path: Path
) -> None:
    for seed in range(8):
        draw(tmp_path / place / f"{seed}.png", seed)
    made = flawscope.plan(tmp_path / "good", tmp_path / "p.json", confidence=0.9).document
    assert {name: row["images"] for name, row in classes(made).items()} == {"defective": 0}
    needed = [(row["max_escape"], row["independent"]) for row in made["data"]["needed"]]
    assert needed == [(rate, defects_needed(rate, 0.9)) for rate in (0.05, 0.02, 0.01, 0.005)]
    assert made["data"]["needed"][0]["ways"]["images"]["in_all"]["counted"] == 5 * needed[0][1]
    assert (made["data"]["prevalence"], made["notes"]) == (None, [])


def test_bad_parts_alone_are_what_a_promise_needs(
    draw: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "split_samples", lambda recipe, samples, **more: split_as(recipe, samples))
    for seed in range(20):
        draw(tmp_path / "scrap" / f"{seed}.png", seed)
    made = flawscope.plan(tmp_path / "scrap", tmp_path / "p.json", max_escape=0.5).document
    row = classes(made)["scrap"]
    assert (row["images"], row["calibration_images"]) == (20, 4)
    assert made["data"]["needed"] == []


def split_as(recipe: Any, samples: Any) -> Any:
    return split_samples(recipe.changed({"split.twins": "identical"}), samples)


def test_a_run_is_planned_with_the_split_that_it_was_made_with(
    finish_run: Callable[..., Path], parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.at(finish_run(tmp_path / "runs" / "one", parts, overrides=["split.calibration=0.2", "split.seed=5"]))

    def never(*given: Any, **more: Any) -> None:
        raise AssertionError("the split is there")

    monkeypatch.setattr(module, "split_samples", never)
    made = flawscope.plan(run.folder, tmp_path / "plan.json", max_escape=0.1).document
    bad = {row.id for row in run.samples.rows if row.target[0]}
    inside = [id for id in run.split.ids("calibration") if id in bad]
    row = classes(made)["nok"]
    assert (row["images"], row["calibration_images"]) == (len(bad), len(inside))
    assert row["calibration_groups"] == len({run.split.group[id] for id in inside}) < len(inside)
    assert (made["data"]["shares"], made["promise"]["share"]) == (dict(run.split.wanted), 0.2)
    assert made["notes"][0] == f"split as the run is: {run.split.stamp}"
    with pytest.raises(UserError, match="--set changes a recipe"):
        flawscope.plan(run.folder, overrides=["split.seed=6"])
    (run.folder / "data.json").write_text('{"hash": "other"}', encoding="utf-8")
    with pytest.raises(DataError, match="have changed since it was made"):
        flawscope.plan(run.folder)


def test_a_fold_has_its_own_shares_and_all_folds_have_none(
    finish_run: Callable[..., Path], parts: Path, tmp_path: Path
) -> None:
    folder = finish_run(tmp_path / "runs" / "all", parts, folds=3)
    with pytest.raises(UserError, match=r"is a cross-validation(?s:.)*fold-0"):
        flawscope.plan(folder)
    made = flawscope.plan(folder / "fold-1", half_width=0.1).document
    assert made["interval"]["share"] == made["data"]["shares"]["test"] == pytest.approx(1 / 3)


def test_what_is_foretold_is_what_the_data_ask(recipe: Path, draw: Callable[..., Path], tmp_path: Path) -> None:
    assert flawscope.plan(recipe).document["notes"][2:] == [module.TWO_ENDS, module.PRICE]
    assert flawscope.plan(recipe, correlation=0.4).document["notes"][2:] == [module.BY_CORRELATION, module.PRICE]
    alone = flawscope.plan(recipe, overrides=["split.groups=none"]).document
    assert alone["notes"][2:] == [module.PRICE], "each image is a group of its own"


def test_groups_of_unequal_size_are_told_what_they_allow_of_all_images() -> None:
    sizes = [1, 2, 9] * 8
    calibration = [str(g) for g, n in enumerate(sizes) for _ in range(n)]
    for most, more in ((0.05, True), (0.5, False)):
        wanted = Wanted(max_escape=most)
        row = class_promise("nok", 400, 100, calibration, share=0.2, wanted=wanted).as_dict()
        *_, words, price = module._foretold([row], wanted)
        assert price == module.PRICE
        found = row["support"]["parts"]
        assert words.startswith(
            "nok: the groups differ in size; of all images, each counted alike (decide.units: parts), they allow at "
            f"best {percent_up(found['best'])} if none passes"
        )
        assert (f"; {found['lacking']} groups more such as these would do" in words) == more


def test_each_class_of_a_multi_label_table_has_its_line(
    draw: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.split_samples
    asked: list[str] = []

    def without_court(recipe: Any, samples: Any, **more: Any) -> Any:
        asked.append(recipe.split.twins)
        return real(recipe.changed({"split.twins": "identical"}), samples, **more)

    monkeypatch.setattr(module, "split_samples", without_court)
    lines = ["image,crack,dark"]
    for seed in range(60):
        draw(tmp_path / f"{seed}.png", seed, [seed % 4])
        lines.append(f"{seed}.png,{int(seed % 3 == 0)},{int(seed % 10 == 0)}")
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    made = flawscope.plan(tmp_path / "labels.csv", tmp_path / "p.json", max_escape=0.2).document
    assert {name: row["images"] for name, row in classes(made).items()} == {"crack": 20, "dark": 6}
    assert made["data"]["prevalence"] == pytest.approx(24 / 60), "an image with two defects is one defective part"
    assert asked == ["find"], "groups are those that a run would make"


@pytest.mark.parametrize(
    ("data", "asked", "words"),
    [
        (None, {}, "nothing was asked"),
        (None, {"max_escape": 1}, "--max-escape 1"),
        (None, {"reach": 0.9, "max_escape": 0.1}, "--reach belongs to a learning curve"),
        (None, {"resume": True, "max_escape": 0.1}, "--resume belongs to a learning curve"),
        (None, {"overrides": ["a=1"], "max_escape": 0.1}, "--set changes a recipe"),
        ("x.csv", {"overrides": ["a=1"]}, "--set changes a recipe"),
        (None, {"max_escape": 0.1, "correlation": 0.3}, "--correlation 0.3 is that of the parts of a group"),
        (None, {"half_width": 0.1, "escapes": 2}, "--escapes is part of a promise"),
        ("r.yaml", {"groups_of": 3}, "--groups-of: the groups of these data are known"),
        (None, {"learning_curve": True}, "a learning curve trains a recipe"),
        ("x.csv", {"learning_curve": True}, "a learning curve trains a recipe"),
        ("r.yaml", {"learning_curve": True, "max_escape": 0.1}, "takes no promise"),
        ("r.yaml", {"learning_curve": True, "fractions": (12.5, 100)}, "--fractions 12.5"),
        ("r.yaml", {"learning_curve": True, "fractions": (0.5, 0.5)}, "at least two different"),
        ("r.yaml", {"learning_curve": True, "fractions": (1.0,)}, "at least two different"),
        ("r.yaml", {"learning_curve": True, "repeats": 0}, "--repeats 0"),
        ("r.yaml", {"learning_curve": True, "reach": 95, "overrides": ["train.watch=auroc"]}, "--reach 95"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    data: str | None, asked: dict[str, Any], words: str, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path = recipe.parent
    monkeypatch.chdir(tmp_path)
    recipe.rename(tmp_path / "r.yaml")
    with pytest.raises(UserError, match=words):
        flawscope.plan(data, **asked)
    assert [path.name for path in tmp_path.iterdir() if path.name != "r.yaml"] == []


def test_a_folder_is_no_place_for_counts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        flawscope.plan(None, tmp_path, max_escape=0.01)
