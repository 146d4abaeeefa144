from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flawscope.pages import figures, mask_figures, training_curves

CURVE: dict[str, Any] = {
    "positives": 4,
    "negatives": 6,
    "threshold": 0.35,
    "confusion": {"tp": 3, "fp": 1, "fn": 1, "tn": 5},
    "roc": {"false_positive_rate": [0.0, 0.25, 1.0], "true_positive_rate": [0.0, 0.8, 1.0]},
    "precision_recall": {"recall": [0.0, 0.5, 1.0], "precision": [1.0, 0.75, 0.4]},
    "histogram": {
        "edges": [i / 20 for i in range(21)],
        "positive": [0] * 16 + [1, 1, 1, 1],
        "negative": [6] + [0] * 19,
    },
}


def line(axes: Axes, gid: str) -> np.ndarray:
    """The points of the line of that name, n x 2."""
    (found,) = [one for one in axes.lines if str(one.get_gid()).startswith(gid)]
    return np.asarray(found.get_xydata())


def test_roc_draws_the_given_points_and_the_operating_point() -> None:
    axes = figures.roc(CURVE, "bad").axes[0]
    np.testing.assert_allclose(line(axes, "curve"), [[0, 0], [0.25, 0.8], [1, 1]])
    np.testing.assert_allclose(line(axes, "operating-point"), [[1 / 6, 3 / 4]])


def test_precision_recall_draws_the_given_points_and_the_operating_point() -> None:
    axes = figures.precision_recall(CURVE, "bad").axes[0]
    np.testing.assert_allclose(line(axes, "curve"), [[0, 1], [0.5, 0.75], [1, 0.4]])
    np.testing.assert_allclose(line(axes, "operating-point"), [[3 / 4, 3 / 4]])
    np.testing.assert_allclose(line(axes, "chance")[:, 1], 0.4)


def test_point_that_cannot_be_computed_is_left_out() -> None:
    never = {**CURVE, "confusion": {"tp": 0, "fp": 0, "fn": 4, "tn": 6}}
    assert not [
        one for one in figures.precision_recall(never, "bad").axes[0].lines if one.get_gid() == "operating-point"
    ]


def test_histogram_shows_counts_threshold_and_wrong_sides() -> None:
    upper, lower = figures.histogram(CURVE, "bad", "good").axes
    bars = [[p for p in axes.patches if not p.get_gid()] for axes in (upper, lower)]
    assert [[p.get_height() for p in one] for one in bars] == [
        CURVE["histogram"]["positive"],
        CURVE["histogram"]["negative"],
    ]
    assert all(line(axes, "threshold")[0, 0] == 0.35 for axes in (upper, lower))
    sides = [next(p for p in axes.patches if p.get_gid()).get_extents() for axes in (upper, lower)]
    assert sides[0].x1 == pytest.approx(sides[1].x0)
    assert upper.get_title(loc="left") == "bad: 4" and lower.get_title(loc="left") == "good: 6"


def test_histogram_without_threshold_draws_no_line() -> None:
    drawn = figures.histogram({**CURVE, "threshold": None}, "bad", "good", sides=False)
    assert all(not axes.lines for axes in drawn.axes)


def test_histogram_of_the_good_class_swaps_the_colours() -> None:
    plain, good = (figures.histogram(CURVE, "a", "b", sides=False, good=flag).axes[0] for flag in (False, True))
    assert plain.patches[0].get_facecolor() != good.patches[0].get_facecolor()


def test_learning_draws_columns_and_marks_the_chosen_epoch() -> None:
    rows = [
        {"epoch": "1", "train_loss": "0.9", "val_loss": "0.8"},
        {"epoch": "2", "train_loss": "0.5", "val_loss": "nan"},
        {"epoch": "3", "train_loss": "0.4", "val_loss": "0.6"},
    ]
    axes = training_curves.learning(rows, ["train_loss", "val_loss"], 3).axes[0]
    np.testing.assert_allclose(line(axes, "line-train_loss"), [[1, 0.9], [2, 0.5], [3, 0.4]])
    np.testing.assert_allclose(line(axes, "line-val_loss"), [[1, 0.8], [2, np.nan], [3, 0.6]])
    np.testing.assert_allclose(line(axes, "best"), [[3, 0.6]])
    alone = training_curves.learning(rows[:1], ["train_loss"], None).axes[0]
    assert [tick for tick in alone.get_xticks() if tick % 1] == [], "there is no part of an epoch"


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ((0.9, 0.4, 0.02), "log"),
        ((0.9, 0.7, 0.6), "linear"),  # a logarithm would show nothing more
        ((0.9, -0.4, -2.0), "linear"),  # a loss may be below 0, such as -log of a density
        (("nan", "nan", "nan"), "linear"),
    ],
)
def test_a_loss_that_falls_far_stands_on_a_logarithmic_axis(losses: tuple[float, ...], scale: str) -> None:
    rows = [{"epoch": epoch, "train_loss": loss, "val_f1": loss} for epoch, loss in enumerate(losses, start=1)]
    axes = training_curves.learning(rows, ["train_loss"], None).axes[0]
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    if scale == "log":
        assert 3 <= len([tick for tick in axes.get_yticks() if low <= tick <= high]) <= 7
    assert training_curves.learning(rows, ["val_f1"], None).axes[0].get_yscale() == "linear"
    assert training_curves.learning_overlaid([(figures.STROKES[0], rows)], "train_loss").axes[0].get_yscale() == scale


@pytest.mark.parametrize(("low", "high"), [(682, 682), (300, 900), (40, 20_000)])
def test_areas_of_any_span_have_numbers_below_them(low: float, high: float) -> None:
    row = {"middle": low, "from": low, "to": high, "recall": {"value": 0.5, "low": 0.1, "high": 0.9}}
    axes = mask_figures.sizes([row], "pixels").axes[0]
    left, right = axes.get_xlim()
    assert len([tick for tick in axes.get_xticks() if left <= tick <= right]) >= 2


def test_of_one_epoch_there_are_no_parts_on_the_axis() -> None:
    axes = training_curves.learning(
        [{"epoch": "1", "train_loss": "0.9", "val_loss": "0.8"}], ["train_loss", "val_loss"], 1
    ).axes[0]
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def draw() -> Figure:
    return figures.roc(CURVE, "<$a_b$> 漢")


def test_svg_is_the_same_every_time_and_has_no_date_nor_address() -> None:
    text = figures.svg(draw(), "x", 'a "curve"')
    assert text == figures.svg(draw(), "x", 'a "curve"')
    assert "http" not in text and "<metadata" not in text and "<style" not in text and "font-family" not in text
    assert 'aria-label="a &quot;curve&quot;"' in text
    assert "&lt;$a_b$&gt; 漢" in text


def test_svg_prefix_reaches_every_id_and_reference() -> None:
    text = figures.svg(draw(), "here", "")
    ids = set(re.findall(r'\bid="([^"]*)"', text))
    used = set(re.findall(r'href="#([^"]*)"', text)) | set(re.findall(r"url\(#([^)]*)\)", text))
    assert ids and used and used <= ids and all(name.startswith("here-") for name in ids)


def test_svg_takes_the_colours_of_the_page() -> None:
    text = figures.svg(draw(), "x", "")
    assert "var(--find, #d55e00)" in text and not re.search(r"(fill|stroke): #(?!000|fff)", text)


def test_drawing_leaves_global_settings_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.svg(draw(), "x", "")
    assert dict(matplotlib.rcParams) == before
