"""IoU, Dice and precision-recall of masks against scikit-learn, loops and cases worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, jaccard_score

from flawscope.evaluation import mask_curves, mask_measures
from flawscope.evaluation.mask_facts import MaskFacts, gathered, image_facts
from flawscope.evaluation.mask_measures import ANY, dice_nc, headline, measure_masks

CLASSES = ("hole", "crack")


def drawn(n: int = 12, k: int = 2, h: int = 9, w: int = 14, seed: int = 0) -> tuple[Any, Any, Any]:
    """Truth, marks and levels of n images: some show a class, some none; levels agree with truth more or less."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((n, k, h, w), dtype=bool)
    for image in range(n):
        for c in range(k):
            for _ in range(int(rng.integers(0, 3))):
                y, x = rng.integers(0, h - 3), rng.integers(0, w - 4)
                truth[image, c, y : y + rng.integers(1, 4), x : x + rng.integers(1, 5)] = True
    levels = np.clip(rng.normal(60, 50, truth.shape) + 110 * truth, 0, 255).astype(np.uint8)
    return truth, levels >= 128, levels


def facts_of(truth: Any, marked: Any, levels: Any) -> MaskFacts:
    return gathered(image_facts(*each) for each in zip(truth, marked, levels, strict=True))


@pytest.fixture(scope="module")
def measured() -> tuple[dict[str, Any], Any, Any, Any]:
    truth, marked, levels = drawn()
    groups = [f"g{i // 2}" for i in range(len(truth))]
    return measure_masks(CLASSES, facts_of(truth, marked, levels), groups), truth, marked, levels


def value(document: Any, *keys: str) -> float:
    for key in keys:
        document = document[key]
    return float(document["value"])


def test_iou_and_dice_over_all_pixels_are_those_of_scikit_learn(measured: Any) -> None:
    document, truth, marked, _ = measured
    iou, dice = [], []
    for c, name in enumerate(CLASSES):
        true, mine = truth[:, c].ravel(), marked[:, c].ravel()
        iou.append(jaccard_score(true, mine))
        dice.append(f1_score(true, mine))
        assert value(document, "classes", name, "measures", "IoU") == pytest.approx(iou[-1])
        assert value(document, "classes", name, "measures", "Dice") == pytest.approx(dice[-1])
    assert value(document, "measures", "mean IoU") == pytest.approx(np.mean(iou))
    assert value(document, "measures", "mean Dice") == pytest.approx(np.mean(dice))
    any_true, any_mine = truth.any(axis=1).ravel(), marked.any(axis=1).ravel()
    assert value(document, "classes", ANY, "measures", "IoU") == pytest.approx(jaccard_score(any_true, any_mine))
    assert document["pixels"] == truth[:, 0].size


def test_dice_image_by_image_is_that_of_a_plain_loop(measured: Any) -> None:
    document, truth, marked, _ = measured
    kaggle, flawed, empty = [], [], []
    for true_khw, mine_khw in zip(truth, marked, strict=True):
        for true, mine in zip(true_khw, mine_khw, strict=True):
            total = true.sum() + mine.sum()
            score = 1.0 if total == 0 else 2 * (true & mine).sum() / total
            kaggle.append(score)
            empty.append(0.0 if true.any() else 1.0)
            if true.any():
                flawed.append(score)
    assert value(document, "measures", "mean Dice over images") == pytest.approx(np.mean(kaggle))
    assert value(document, "measures", "mean Dice on flawed") == pytest.approx(np.mean(flawed))
    assert value(document, "measures", "mean Dice of no marks") == pytest.approx(np.mean(empty))
    assert 0 < np.mean(empty) < 1


def test_the_worked_example() -> None:
    """Two images of 1 x 4 pixels: one flaw half found with one false pixel beside it; one good image left empty."""
    truth = np.array([[[[1, 1, 0, 0]]], [[[0, 0, 0, 0]]]], dtype=bool)
    marked = np.array([[[[0, 1, 1, 0]]], [[[0, 0, 0, 0]]]], dtype=bool)
    facts = facts_of(truth, marked, marked.astype(np.uint8) * 200)
    assert dice_nc(facts)[:, 0].tolist() == [0.5, 1.0]
    document = measure_masks(["hole"], facts, ["a", "b"])
    assert value(document, "classes", "hole", "measures", "IoU") == pytest.approx(1 / 3)
    assert value(document, "measures", "mean Dice over images") == 0.75
    assert value(document, "measures", "mean Dice on flawed") == 0.5
    assert value(document, "measures", "mean Dice of no marks") == 0.5


def test_a_class_that_nothing_shows_has_no_measure_and_is_in_no_mean() -> None:
    truth, marked, levels = drawn()
    truth[:, 1] = False
    document = measure_masks(CLASSES, facts_of(truth, marked, levels), [str(i) for i in range(len(truth))])
    crack = document["classes"]["crack"]
    assert not crack["measures"]
    assert crack["undefined"]["IoU"] == "no image shows 'crack'"
    assert value(document, "measures", "mean IoU") == value(document, "classes", "hole", "measures", "IoU")
    assert "crack" not in document["curves"]
    nothing = measure_masks(CLASSES, facts_of(truth & False, marked & False, levels), list("abcdefghijkl"))
    assert value(nothing, "measures", "mean Dice over images") == 1.0
    assert nothing["undefined"]["mean IoU"] == "no image shows any flaw"
    assert [entry["name"] for entry in headline(nothing)] == ["mean Dice over images", "mean Dice of no marks"]
    json.dumps(nothing, allow_nan=False)


def test_every_number_has_an_interval_over_groups(measured: Any) -> None:
    document = measured[0]
    for entry in headline(document):
        interval = entry["interval"]
        assert interval["low"] < interval["high"]
        assert interval["groups"] == 6
        assert "fewer than 20 groups" in interval["note"]
    assert [entry["name"] for entry in headline(document)][:3] == ["mean IoU", f"IoU of {ANY}", "mean Dice"]
    json.dumps(document, allow_nan=False)


def test_copies_of_the_same_images_in_one_group_teach_nothing_new() -> None:
    truth, marked, levels = drawn(30, seed=3)
    names = [str(i) for i in range(30)]
    once = measure_masks(CLASSES, facts_of(truth, marked, levels), names)
    twice_facts = facts_of(*(np.concatenate([each, each]) for each in (truth, marked, levels)))
    twice = measure_masks(CLASSES, twice_facts, names * 2)
    alone = measure_masks(CLASSES, twice_facts, [str(i) for i in range(60)])

    def width(document: Any) -> float:
        interval = document["measures"]["mean IoU"]
        return float(interval["high"] - interval["low"])

    assert width(twice) == pytest.approx(width(once), rel=0.1)
    assert width(alone) < 0.85 * width(once)


def test_draws_are_those_of_decoding_anew() -> None:
    """One draw by hand: the measures of the images of the drawn groups."""
    truth, marked, levels = drawn(6, seed=5)
    facts = facts_of(truth, marked, levels)
    index = np.array([0, 0, 2, 3, 5, 5])
    again = facts_of(truth[index], marked[index], levels[index])
    sums = mask_measures.drawn_values(again, [str(i) for i in range(6)], 0)[0]
    parts = (facts.truth_nc, facts.marked_nc, facts.both_nc)
    one, shown = dice_nc(facts), facts.truth_nc > 0
    columns = np.concatenate([*parts, one, one * shown, shown, np.ones((6, 1))], axis=1).astype(float)
    assert mask_measures._ratios(columns[index].sum(axis=0)[None]) == pytest.approx(sums, nan_ok=True)


def test_average_precision_of_pixels_is_that_of_scikit_learn(measured: Any) -> None:
    document, truth, _, levels = measured
    for c, name in enumerate(CLASSES):
        expected = average_precision_score(truth[:, c].ravel(), levels[:, c].ravel())
        curve = document["curves"][name]
        assert curve["average precision"]["value"] == pytest.approx(expected)
        assert curve["recall"][0] == 1.0
        at = curve["level"].index(128)
        called = levels[:, c] >= 128
        assert curve["precision"][at] == pytest.approx(truth[:, c][called].mean())
        assert curve["recall"][at] == pytest.approx(called[truth[:, c]].mean())
    highest = levels.max(axis=1).ravel()
    whole = average_precision_score(truth.any(axis=1).ravel(), highest)
    assert document["curves"][ANY]["average precision"]["value"] == pytest.approx(whole)


def test_counts_of_levels_hold_every_pixel(measured: Any) -> None:
    _, truth, marked, levels = measured
    facts = facts_of(truth, marked, levels)
    assert (facts.shown_ncl.sum(axis=2) == facts.truth_nc).all()
    assert (facts.shown_ncl.sum(axis=2) + facts.rest_ncl.sum(axis=2) == truth[0, 0].size).all()
    recall, _ = mask_curves.at_levels(facts.shown_ncl[:, 0].sum(axis=0), facts.rest_ncl[:, 0].sum(axis=0))
    assert recall[128] == pytest.approx((levels[:, 0] >= 128)[truth[:, 0]].mean())


@pytest.mark.parametrize("wrong", ["shape", "type", "groups"])
def test_what_does_not_fit_is_refused(wrong: str) -> None:
    truth, marked, levels = drawn(2)
    with pytest.raises(ValueError, match=r"expected|images of"):
        if wrong == "groups":
            measure_masks(CLASSES, facts_of(truth, marked, levels), ["a"])
        elif wrong == "shape":
            image_facts(truth[0], marked[0][:1], levels[0])
        else:
            image_facts(truth[0], marked[0].astype(int), levels[0])


def test_a_few_pixels_hit_by_chance_make_no_interval_narrower_than_none() -> None:
    truth = np.zeros((12, 1, 40, 60), dtype=bool)
    truth[:, :, :30] = True
    marked = np.zeros_like(truth)
    groups = [f"g{i // 2}" for i in range(len(truth))]
    none = measure_masks(["pit"], facts_of(truth, marked, marked.astype(np.uint8)), groups)["measures"]["mean IoU"]
    marked[3, 0, 5, 5] = True
    one = measure_masks(["pit"], facts_of(truth, marked, marked.astype(np.uint8)), groups)["measures"]["mean IoU"]
    assert one["value"] == pytest.approx(1 / (12 * 30 * 60))
    assert none["high"] == pytest.approx(0.39, abs=0.01), "Wilson of 0 in 6 groups"
    assert one["high"] == pytest.approx(none["high"], abs=0.001)


def test_levels_are_counted_some_pixels_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, marked, levels = drawn(n=2)
    whole = facts_of(truth, marked, levels)
    shown = [np.bincount(levels[0, 1][truth[0, 1]], minlength=256), np.bincount(levels[0].max(0)[truth[0].any(0)])]
    assert whole.shown_ncl[0, 1].tolist() == shown[0].tolist()
    assert whole.shown_ncl[0, 2, : len(shown[1])].tolist() == shown[1].tolist()
    monkeypatch.setattr("flawscope.evaluation.mask_facts.AT_ONCE", 7)
    parts = facts_of(truth, marked, levels)
    assert (parts.rest_ncl == whole.rest_ncl).all() and (parts.shown_ncl == whole.shown_ncl).all()
    assert (parts.rest_ncl.sum(axis=2) + parts.truth_nc == levels[0, 0].size).all()


@pytest.mark.parametrize("share", [0.0004, 0.3, 1.0])
def test_the_interval_of_dice_is_that_of_iou(share: float) -> None:
    """Also where nearly nothing, or all, is found: Dice is never below IoU, and so are its ends."""
    truth = np.ones((30, 1, 50, 50), dtype=bool)
    marked = np.arange(2500).reshape(50, 50) < share * 2500 * np.linspace(0.5, 1, 30)[:, None, None, None]
    found = measure_masks(["hole"], facts_of(truth, marked, marked.astype(np.uint8) * 255), [str(i) for i in range(30)])
    iou, dice = (found["classes"]["hole"]["measures"][name] for name in ("IoU", "Dice"))
    assert dice["low"] <= dice["value"] <= dice["high"]
    for end in ("value", "low", "high"):
        assert dice[end] == pytest.approx(2 * iou[end] / (1 + iou[end]))
