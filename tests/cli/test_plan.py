"""`flawscope plan` as it is typed: what it prints, and what is refused with exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flawscope.cli.plan import classes_table, shares
from flawscope.errors import UserError

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
    assert "6,910 defective parts in all; if 4 % of the labelled parts are such, 172,750 labelled images." in said
    assert (tmp_path / "plan.json").is_file()


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
        ["--max-escape", "0"],
        ["--max-escape", "1"],
        ["--max-escape", "2"],
        ["--max-escape", "-0.01"],
        ["--max-escape", "0.01", "--confidence", "95"],
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


@pytest.mark.parametrize("words", [["--max-escape", "one"], ["--max-escape", "1%"]])
def test_what_is_no_number_is_refused(words: list[str], typed: Callable[..., Answer]) -> None:
    assert typed(*words)[0] == 2


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
    assert ("265 to" in said) == ("990 groups" in said) == ("perhaps" in said) == (wanted is not None)


def test_fractions_are_numbers() -> None:
    assert shares("0.25 0.5,1") == (0.25, 0.5, 1.0)
    with pytest.raises(UserError, match="expected numbers"):
        shares("half")
