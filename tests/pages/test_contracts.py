"""The section of the report on escape contracts: the numbers of the seal, one picture each, both ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flawscope.bundle.contract import EscapeContract
from flawscope.evaluation.contract import Units
from flawscope.evaluation.promises import fit_promises
from flawscope.pages.contracts import ContractContent, assumed, contract_views, picture
from flawscope.pages.fold_decisions import fold_tables
from flawscope.pages.report import ReportContent, render
from flawscope.records import Task

BINARY = Task("binary", ("defective",), negative="functional")
TWO = Task("multilabel", ("crack", "inactive"), negative="good")


def contents(
    task: Task = BINARY, max_escape: float = 0.02, bad: int = 210, good: int = 400, units: Units = "groups"
) -> list[ContractContent]:
    """Contracts of invented calibration parts: two defective images a group."""
    rng = np.random.default_rng(1)
    k = len(task.classes)
    target_nk = np.repeat(np.arange(bad + good) < bad, k).reshape(-1, k).astype(float)
    logit_nk = rng.normal(-2.5, 1, (bad + good, k)) + 4.5 * target_nk
    groups = [f"block {i // 2}" for i in range(bad + good)]
    found = fit_promises(task, 1 / (1 + np.exp(-logit_nk)), target_nk, groups, max_escape=max_escape, units=units)
    made = []
    for each in found.each:
        values = {key: value for key, value in each.contract.as_dict().items() if key in EscapeContract.model_fields}
        sealed = EscapeContract(**values, name=each.name, words=each.words).model_dump(mode="json")
        made.append(ContractContent(sealed, each.curve, task.negative))
    return made


def test_the_page_says_what_the_seal_says(inspection: Callable[..., ReportContent]) -> None:
    (content,) = contents(max_escape=0.05)
    page = render(inspection(BINARY, 60, 9, pictures=False, contracts=[content]))
    assert '<a href="#promise">Promise</a>' in page
    assert "defective: proven" in page
    for words in content.contract["words"]:
        assert words in page
    (view,) = contract_views([content])
    rows = dict(view["rows"])
    assert rows["defective images that it rests on"] == "210, in 105 groups"
    assert rows["asked: share that may pass"] == "5\N{NO-BREAK SPACE}%"
    assert rows["of these let through"] == str(content.contract["escapes"])


def test_the_promise_of_a_gate_says_that_masks_come_after_it() -> None:
    found = contents()
    assert not any("gate" in text for text in assumed(found))
    first, *rest = assumed([replace(found[0], gate=True)], "strips")
    assert first.startswith("It is the gate that promises. Of the flawed strips that it hands on, some")
    assert rest == assumed(found)


def test_a_promise_of_all_parts_names_the_largest_group_that_it_trusts(
    inspection: Callable[..., ReportContent],
) -> None:
    (content,) = contents(max_escape=0.1, bad=211, units="parts")
    page = render(inspection(BINARY, 60, 9, pictures=False, contracts=[content]))
    assert "no group at the line holds more than 2 of them" in page
    rows = dict(contract_views([content])[0]["rows"])
    assert rows["counted"] == "all images alike, in whole groups" and rows["most of them in one group"] == "2"
    assert not any("independent" in name for name in rows), "it is not worth so many independent ones"
    assert rows["groups such as these that would do, if none passes"] == f"{content.contract['needed']}"


@pytest.mark.parametrize(
    ("units", "trusts"),
    [
        ("groups", "more of all parts may pass than was promised"),
        ("parts", "No group at the line holds more than 2 defective "),
        ("effective", "No group fails as a whole."),
    ],
)
def test_the_page_says_what_each_way_of_counting_trusts_and_how_many_keep_it(
    inspection: Callable[..., ReportContent], units: Units, trusts: str
) -> None:
    made = contents(max_escape=0.1, units=units)
    page = render(inspection(BINARY, 60, 9, pictures=False, contracts=made))
    listed = page.partition("What it takes for granted")[2].partition("</ul>")[0]
    assert trusts in listed and "of 100 bundles decided like this, 95 keep what they promise" in listed
    said = ("more of all parts may pass", "holds more than", "fails as a whole")
    assert sum(words in listed for words in said) == 1
    (alone,) = contents(max_escape=0.1, units=units)
    alone = replace(alone, contract={**alone.contract, "groups": alone.contract["positives"]})
    assert not any(words in " ".join(assumed([alone])) for words in said)


def test_what_is_not_proven_is_an_alarm(inspection: Callable[..., ReportContent]) -> None:
    page = render(inspection(BINARY, 60, 9, pictures=False, contracts=contents(max_escape=0.001)))
    alarm = re.search(r'<div class="stamp alarm" role="alert"><strong>defective: not proven as asked', page)
    assert alarm is not None
    assert "NOT PROVEN" in page


def test_only_what_is_proven_has_a_price_and_small_shares_are_no_round_ones() -> None:
    rows = [dict(contract_views(contents(max_escape=most))[0]["rows"]) for most in (0.05, 0.0005)]
    assert ["rejected without proof" in each for each in rows] == [True, False]
    assert rows[1]["asked: share that may pass"] == "0.05\N{NO-BREAK SPACE}%"


def test_a_bound_is_said_to_be_proven_only_where_what_was_asked_is_not() -> None:
    kept, lacking = (contents(max_escape=most)[0] for most in (0.05, 0.0005))
    said = "proven in its place: share that may pass"
    rows = dict(contract_views([lacking])[0]["rows"])
    assert float(rows[said].split("\N{NO-BREAK SPACE}")[0]) / 100 >= lacking.contract["bound"]
    assert kept.contract["kept"] and not any(
        "in its place" in name or "reached" in name for name, _ in contract_views([kept])[0]["rows"]
    )


def test_the_table_of_the_folds_shows_a_bound_only_where_the_promise_is_not_kept() -> None:
    fold = {"fold": "fold 1", "threshold": 0.5, "bound": 0.0142, "escapes": 0, "bad": 9, "overkill": 1, "good": 9}
    rate = {"value": 0.0, "low": 0.0, "high": 0.3}
    folds = [{**fold, "kept": True}, {**fold, "kept": False}]
    entry = {"kind": "promise", "name": "nok", "asked": "at most 2 %", "folds": folds}
    (table,) = fold_tables([{**entry, "pooled": {"escape": rate, "overkill": rate}}])
    assert table["columns"][2] == "if not: at most"
    assert [row[2][0] for row in table["rows"]] == ["", "1.42 %"]


def test_a_promise_that_takes_no_network_is_an_alarm_though_it_is_proven(
    inspection: Callable[..., ReportContent],
) -> None:
    (content,) = contents(max_escape=0.05)
    saving = "The promise holds, but THE NETWORK SAVES NOTHING: all functional images are rejected."
    words = (content.contract["words"][0], saving, "And more.")
    useless = replace(content, contract={**content.contract, "words": words}, saving=saving)
    page = render(inspection(BINARY, 60, 9, pictures=False, contracts=[useless]))
    assert '<div class="stamp alarm" role="alert"><strong>defective: proven</strong>' in page
    assert page.count(saving) == 1 and f"<b>{saving}</b>" in page
    assert '<div class="stamp calm"><strong>defective: proven' in render(
        inspection(BINARY, 60, 9, pictures=False, contracts=[content])
    )


def test_without_a_contract_there_is_no_promise(binary: ReportContent) -> None:
    assert "promise" not in re.sub(r"<style>.*?</style>", "", render(binary), flags=re.DOTALL).split("<main>")[0]
    assert 'id="promise"' not in render(binary)


def test_each_class_has_its_own_picture() -> None:
    views = contract_views(contents(TWO))
    assert [view["name"] for view in views] == ["crack", "inactive"]
    assert ["contract0-bound" in views[0]["svg"], "contract1-bound" in views[1]["svg"]] == [True, True]


def test_how_sure_all_promises_hold_at_once_is_on_the_page(inspection: Callable[..., ReportContent]) -> None:
    said = "That both hold at once is known with 90 % confidence (Bonferroni: 1 - 2 x 5 %)."
    assert said in render(inspection(TWO, 60, 9, pictures=False, contracts=contents(TWO)))
    assert "Bonferroni" not in render(inspection(BINARY, 60, 9, pictures=False, contracts=contents()))


@pytest.mark.parametrize(("bad", "good"), [(30, 0), (0, 30), (1, 1)])
def test_one_kind_only(bad: int, good: int) -> None:
    (content,) = contents(bad=bad, good=good)
    (view,) = contract_views([content])
    assert bool(view["svg"]) == bool(bad)
    assert view["overkill"] == bool(bad and good)
    if bad:
        lines = {line.get_gid(): line for axes in picture(content).axes for line in axes.get_lines()}
        assert ("overkill" in lines) == bool(good)


def test_the_curves_are_drawn_as_they_are() -> None:
    (content,) = contents()
    upper, lower = picture(content).axes
    lines: dict[Any, Any] = {line.get_gid(): line for line in upper.get_lines()}
    assert np.allclose(lines["bound"].get_ydata(), content.curve["bound"])
    assert np.allclose(lines["escape"].get_ydata(), content.curve["escape"])
    assert np.allclose(lines["chosen"].get_xdata(), content.contract["threshold"])
    assert np.allclose(lines["asked"].get_ydata(), 0.02)
    assert lower.get_xscale() == "logit"


def test_the_axis_shows_where_the_curves_are() -> None:
    """Scores in a sliver are not drawn in the middle of an empty axis."""
    t = [0.50, 0.51, 0.52, 0.53]
    curve = {
        "threshold": t,
        "escape": [0, 0.01, 0.02, 0.9],
        "bound": [0.01, 0.02, 0.05, 0.95],
        "overkill": [1, 0.5, 0.1, 0],
    }
    (content,) = contents()
    content = replace(content, curve=curve, contract={**content.contract, "threshold": 0.51})
    left, right = picture(content).axes[1].get_xlim()
    assert 0.4 < left < 0.5 and 0.52 < right < 0.6
