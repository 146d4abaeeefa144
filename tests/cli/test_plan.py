"""`flawscope plan` as it is typed: what it prints, and what is refused with exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flawscope.cli.plan import classes_table, sentences, shares
from flawscope.errors import UserError
from flawscope.evaluation.plan_sizes import promise_sizes
from flawscope.evaluation.wanted import Wanted

Answer = tuple[int, str, str]


@pytest.fixture
def typed(cli: Callable[..., Answer]) -> Callable[..., Answer]:
    """`typed("--max-escape", 0.01)`: exit code, what was printed, and the error."""
    return partial(cli, "plan")


def test_a_promise_in_plain_words(typed: Callable[..., Answer]) -> None:
    code, said, _ = typed("--max-escape", 0.01)
    assert code == 0
    assert said.splitlines() == [
        "The promise: with 95 % confidence at most 1 % of the defective parts pass.",
        "It needs 299 independent defective parts in the calibration part, none of which passes.",
        "If some may pass: 1 of 473, 2 of 628, 5 of 1,049, 10 of 1,693.",
        "Where 20 % of all parts go to the calibration part: 1,495 defective parts in all. How many images that is: "
        "--prevalence.",
    ]


def test_power_groups_and_prevalence_in_plain_words(typed: Callable[..., Answer], tmp_path: Path) -> None:
    groups = ["--groups-of", "5", "--correlation", "0.3", "--prevalence", "0.04"]
    code, said, _ = typed("--max-escape", "0.01", "--expected-escape", "0.002", *groups, "-o", "plan.json")
    assert code == 0
    assert "628 independent defective parts in the calibration part, of which at most 2 pass." in said
    assert "If truly 0.2 % pass, it can then be made with a probability of 86.7 % (asked for: 80 %)." in said
    assert "In groups of 5, correlated by 0.3: 1,382 defective parts in 277 groups" in said
    assert (
        "If each group counts as one (decide.units: groups, the default): 3,600 defective parts in 720 groups" in said
    )
    assert "6,910 to 18,000 defective parts in all; if 4 % of the labelled parts are such, 172,750 to 450,000" in said
    assert (tmp_path / "plan.json").is_file()


def test_groups_without_a_correlation_have_both_ends(typed: Callable[..., Answer]) -> None:
    code, said, _ = typed("--max-escape", 0.01, "--groups-of", 5, "--escapes", 1)
    assert code == 0
    assert "In groups of 5, if each part counts: 473 defective parts in 95 groups, of which at most 1 passes." in said
    assert (
        "(decide.units: groups, the default): 1,885 defective parts in 377 groups, of which at most 1 passes." in said
    )
    assert "--correlation says one number" in said
    assert "2,365 to 9,425 defective parts in all" in said
    assert (
        f"(decide.units: parts): {promise_sizes(Wanted(max_escape=0.01, groups_of=5), 0.2, None)['of_all_parts']} "
        "groups of which none passes, if all are of one size; else at most so many times as many as"
    ) in said
    _, said, _ = typed("--max-escape", 0.02, "--groups-of", 4)
    between, of_all = said.index("What they are worth lies between"), said.index("Of all parts, each counted alike")
    assert said.index("If each group counts as one") < between < of_all, "of_all lies beyond both ends"
    _, said, _ = typed("--half-width", 0.05, "--groups-of", 4)
    assert "If each group counts as one: 332 defective parts in 83 groups." in said
    assert "decide.units" not in said


def test_a_promise_of_hardly_any_escape_has_no_powers_of_ten(typed: Callable[..., Answer]) -> None:
    _, said, _ = typed("--max-escape", "1e-7", "--prevalence", "1e-3", "--confidence", 0.99999)
    assert "with 99.999 % confidence at most 1 of 10,000,000 defective parts passes." in said
    assert "e-" not in said
    _, said, _ = typed("--max-escape", 0.9, "--confidence", 0.1)
    assert "It needs 1 independent defective part in the calibration part" in said


def test_that_none_passes_is_answered_in_words(typed: Callable[..., Answer], parts: Path) -> None:
    code, said, _ = typed("--max-escape", 0)
    assert code == 0
    assert "none of the defective parts passes. NO NUMBER OF PARTS PROVES THAT" in said
    assert "59 prove 5 %, 149 prove 2 %, 299 prove 1 %, 598 prove 0.5 %" in said
    code, said, _ = typed(parts, "--max-escape", 0)
    assert code == 0
    assert "NO NUMBER OF PARTS PROVES THAT" in said and "best promise" in said and "needed" not in said


def test_groups_of_the_data_are_in_the_words(typed: Callable[..., Answer], tmp_path: Path, parts: Path) -> None:
    data = f"{{kind: folders, root: {parts}, positive: nok, groups: {{pattern: 'part(\\d+)_'}}}}"
    (tmp_path / "r.yaml").write_text(f"name: p\ndata: {data}\nsplit: {{twins: identical}}\n", encoding="utf-8")
    code, said, _ = typed("r.yaml", "--max-escape", 0.05)
    assert code == 0
    assert "In groups of 2 defective parts on average, as in these data, if each part counts: 59 defective" in said
    assert "If each group counts as one (decide.units: groups, the default): 118 defective parts in 59 groups" in said
    assert "295 to 590 defective parts in all; if 33.3 % of the labelled parts are such, 885 to 1,770 labelled" in said
    assert "note: groups of the split that a run would make: grouped by the pattern" in said


@pytest.mark.parametrize("asked", [[], ["--max-escape", 0.1]])
def test_good_parts_alone_are_told_so_with_what_to_do(
    asked: list[Any], typed: Callable[..., Answer], draw: Callable[..., Path], tmp_path: Path
) -> None:
    for seed in range(6):
        draw(tmp_path / "good" / "ok" / f"{seed}.png", seed)
    code, said, _ = typed("good", *asked)
    assert code == 0
    assert "good: 6 images, none of them defective." in said
    assert "NO DEFECTIVE IMAGES" in said and "What to do: collect defective parts" in said
    assert ("299 and 1,495 for at most 1 %" in said) == (not asked)
    assert ("145 defective parts in all" in said) == bool(asked)
    assert "best promise" not in said, "there is no table of nothing"


def test_a_class_without_an_image_is_named() -> None:
    row = {"images": 0}
    found = {
        "name": "x",
        "images": 5,
        "prevalence": None,
        "classes": [row | {"name": "dark"}, {"name": "a", "images": 5}],
    }
    said = list(sentences({"data": found, "promise": None, "interval": None, "asked": {}}))
    assert said == ["x: 5 images.", "No image shows dark: nothing can be promised of that yet."]


def test_an_interval_in_plain_words(typed: Callable[..., Answer]) -> None:
    _, said, _ = typed("--measure", "recall", "--value", 0.95, "--half-width", 0.02)
    assert "recall of 95 %, known to 2 points to either side, with 95 % confidence." in said
    assert "It needs 469 independent defective parts in the test part." in said
    _, said, _ = typed("--measure", "precision", "--half-width", 0.02)
    assert "hangs on how many are called defective: not known before." in said


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--max-escape", "1"],
        ["--max-escape", "2"],
        ["--max-escape", "-0.01"],
        ["--max-escape", "nan"],
        ["--max-escape", "inf"],
        ["--max-escape", "0.01", "--confidence", "95"],
        ["--max-escape", "0.01", "--correlation", "0.3"],
        ["--max-escape", "0.01", "--power", "0.9"],
        ["--measure", "recall"],
        ["--measure", "f1", "--half-width", "0.1"],
        ["--learning-curve"],
        ["r.yaml", "--learning-curve", "--fractions", "a,b"],
        ["no-such-folder"],
    ],
)
def test_bad_input_ends_with_a_remedy_and_exit_code_2(words: list[str], typed: Callable[..., Answer]) -> None:
    code, said, error = typed(*words)
    assert (code, said) == (2, "")
    assert error.startswith("error: ") and "\n  -> " in error


@pytest.mark.parametrize("command", ["plan", "decide"])
@pytest.mark.parametrize(("option", "text"), [("--max-escape", "one"), ("--max-escape", "2%"), ("--confidence", "95 %"),
                                              ("--prevalence", "a,b")])  # fmt: skip
def test_what_is_no_number_is_refused(command: str, option: str, text: str, cli: Callable[..., Answer]) -> None:
    code, said, error = cli(command, "x.flawscope", option, text)
    assert (code, said) == (2, "")
    assert f"'{option}': {text!r} is no number" in error
    assert ("2 % is 0.02" in error) == ("%" in text)


def support(best: float, lacking: int | None) -> dict[str, Any]:
    return {"best": best, "lacking_in_all": lacking}


@pytest.mark.parametrize("wanted", [None, 0.01])
def test_the_table_of_classes_fits_80_columns(wanted: float | None) -> None:
    rows = [
        {"name": "[crack]", "images": 1234, "groups": 567, "calibration_images": 246, "calibration_groups": 101,
         "verdict": "depends", "support": {"images": support(0.0121, 265), "groups": support(0.0292, 990)}},
        {"name": "dark", "images": 9, "groups": 4, "calibration_images": 0, "calibration_groups": 0, "verdict": "no",
         "support": {"images": support(1.0, 1495), "groups": support(1.0, 1495)}},
    ]  # fmt: skip
    console = Console(width=80)
    with console.capture() as capture:
        console.print(classes_table({"asked": {"max_escape": wanted, "confidence": 0.95}, "data": {"classes": rows}}))
    said = capture.get()
    assert "[crack]" in said and "1.21 to 2.92 %" in said and "none" in said
    assert ("265 to" in said) == ("990 groups" in said) == ("not by" in said) == (wanted is not None)


def test_ends_that_nearly_agree_are_one_number() -> None:
    """The larger: so many are enough, and so much is proven, however they are counted."""
    row = {"name": "crack", "images": 500, "groups": 498, "calibration_images": 100, "calibration_groups": 99,
           "verdict": "no"}  # fmt: skip
    asked = {"max_escape": 0.01, "confidence": 0.95}
    for images, groups, more in (((0.0295, 644), (0.0298, 648), "648"), ((0.0295, 644), (0.0295, 644), "644")):
        ways = {"images": support(*images), "groups": support(*groups)}
        console = Console(width=80)
        with console.capture() as capture:
            console.print(classes_table({"asked": asked, "data": {"classes": [row | {"support": ways}]}}))
        cells = [cell.strip() for cell in capture.get().splitlines()[-2].strip("│").split("│")]
        assert cells[3:] == [f"{100 * groups[0]:.2f} %", "too few", more]


def test_fractions_are_numbers() -> None:
    assert shares("0.25 0.5,1") == (0.25, 0.5, 1.0)
    with pytest.raises(UserError, match="expected numbers"):
        shares("half")
