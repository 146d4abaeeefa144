"""The section of the report on costs: the words of the seal, calibration beside test, one picture each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from flawscope.bundle.cost import ExpectedCost
from flawscope.evaluation.bands import Chosen, fit_bands, measured_costs
from flawscope.evaluation.costs import Costs
from flawscope.pages.costs import CostContent, cost_views, picture
from flawscope.pages.report import ReportContent, render
from flawscope.records import Task

COSTS = Costs(100, 10, 2, 0.02)
BINARY = Task("binary", ("defective",), negative="functional")
TWO = Task("multilabel", ("crack", "inactive"), negative="good")


def parts(seed: int, k: int, bad: int = 120, good: int = 400) -> tuple[Any, Any, list[str]]:
    rng = np.random.default_rng(seed)
    target_nk = np.repeat(np.arange(bad + good) < bad, k).reshape(-1, k).astype(float)
    logit_nk = rng.normal(-2.2, 1.4, (bad + good, k)) + 4 * target_nk
    return 1 / (1 + np.exp(-logit_nk)), target_nk, [f"block {i // 2}" for i in range(bad + good)]


def contents(task: Task = BINARY, costs: Costs = COSTS, bad: int = 120) -> list[CostContent]:
    """Bands of invented calibration parts, and what invented test parts say of them."""
    found = fit_bands(task, *parts(1, len(task.classes), bad), costs)
    probability_nk, target_nk, groups = parts(2, len(task.classes), bad)
    chosen = [Chosen(each.costs, each.low, each.high, each.single) for each in found.each]
    human_n = np.zeros(len(groups), dtype=bool)
    tested = measured_costs(task, probability_nk, target_nk, groups, human_n=human_n, chosen_k=chosen)
    made = []
    for each in found.each:
        values = {
            key: value
            for key, value in (each.band.as_dict() if each.band else {}).items()
            if key in ExpectedCost.model_fields and key not in ("low", "high", "prevalence")
        }
        sealed = ExpectedCost(
            name=each.name, escape_cost=costs.escape, overkill_cost=costs.overkill, review_cost=costs.review,
            prevalence=each.costs.prevalence, low=each.low, high=each.high, single=each.single, words=each.words,
            **values,
        ).model_dump(mode="json")  # fmt: skip
        made.append(CostContent(sealed, each.curve, tested["classes"][each.name], tested["person"]))
    return made


def test_the_page_says_what_seal_and_test_say(inspection: Callable[..., ReportContent]) -> None:
    (content,) = contents()
    page = render(inspection(BINARY, 60, 9, pictures=False, costs=[content]))
    assert '<a href="#costs">Costs</a>' in page
    for words in (*content.cost["words"], content.tested["words"] if content.tested else "?"):
        assert words in page
    for gid in ("cost0-cost", "cost0-band", "cost0-low", "cost0-high", "cost0-without", "cost0-expected"):
        assert f'id="{gid}"' in page
    (view,) = cost_views([content])
    rows = {name: (here, there) for name, here, there in view["rows"]}
    assert content.tested is not None
    here, there = content.cost["cost"]["value"], content.tested["cost"]["value"]
    assert [float(value) for value, _ in rows["expected cost a part"]] == pytest.approx([here, there], 0.01)
    assert rows["share for a person, among these images"][0] == ("–", "")


def test_several_classes_and_one_without_bad_parts(inspection: Callable[..., ReportContent]) -> None:
    page = render(inspection(TWO, 60, 9, pictures=False, costs=contents(TWO)))
    assert "Their sum is not the cost of a part: one that shows several is rejected or looked at once" in page
    assert 'id="cost1-cost"' in page
    (content,) = contents(bad=0)
    page = render(inspection(BINARY, 60, 9, pictures=False, costs=[content]))
    assert '<div class="stamp alarm" role="alert"><strong>defective</strong><p>NOT CHOSEN BY COSTS' in page
    assert "there are no defective images among them" in page


def test_a_network_that_saves_nothing_is_an_alarm(inspection: Callable[..., ReportContent]) -> None:
    (content,) = contents()
    here, there = "THE NETWORK SAVES NOTHING here.", "THE NETWORK SAVES NOTHING there."
    assert content.tested is not None and content.tested["saving"] == ""
    assert '<div class="stamp calm"><strong>defective</strong>' in render(
        inspection(BINARY, 60, 9, pictures=False, costs=[content])
    )
    cost = {**content.cost, "words": (content.cost["words"][0], here, *content.cost["words"][1:])}
    useless = replace(content, cost=cost, saving=here, tested={**content.tested, "saving": there})
    page = render(inspection(BINARY, 60, 9, pictures=False, costs=[useless]))
    assert page.count(here) == page.count(there) == 1
    assert '<div class="stamp alarm" role="alert"><strong>defective</strong>' in page


def test_without_costs_there_is_no_such_section(binary: ReportContent) -> None:
    assert 'id="costs"' not in render(binary)


@pytest.mark.parametrize("costs", [Costs(100, 10), Costs(1e6, 1, 0.5, 1e-4), Costs(1, 100, 0.5, 0.9), Costs(5, 5, 4)])
def test_the_picture_holds_whatever_is_asked(costs: Costs) -> None:
    (content,) = contents(costs=costs)
    (axes,) = picture(content).axes
    low, high = axes.get_xlim()
    assert 0 < low < content.cost["high"]
    assert high > content.cost["low"]
    assert axes.get_ylim()[1] > content.cost["cost"]["value"]


@pytest.mark.parametrize("costs", [COSTS, Costs(1e6, 1, 0.5, 1e-4), Costs(100, 10, 2, 0.5), Costs(1, 1e4, 0.5, 0.9)])
def test_no_line_crosses_what_the_band_means(costs: Costs) -> None:
    (content,) = contents(costs=costs)
    assert content.cost["low"] < content.cost["high"]
    figure = picture(content)
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    (words,) = [text for text in axes.texts if text.get_text() == "a person looks"]
    box, drawn, (width, _) = words.get_window_extent(), axes.bbox, figure.canvas.get_width_height()
    assert box.y0 >= drawn.y1, "it stands above the axes, in which all lines are"
    assert box.x0 >= 0 and box.x1 <= width
    low, high = (axes.transData.transform((content.cost[end], 0))[0] for end in ("low", "high"))
    assert box.x0 < min(high, drawn.x1) and max(low, drawn.x0) < box.x1, "above the band"
    assert not box.overlaps(axes._left_title.get_window_extent())  # type: ignore[attr-defined]
