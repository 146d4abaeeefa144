"""Levels and areas that are fitted: against trying each of them, and cases worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flawscope.evaluation.mask_fit import AREAS, LEVELS, Grid, fit_masks, grid_of, level_of, summed, tally
from flawscope.masks import components


def tried(truth: Any, levels: Any, least: int, area: int) -> float:
    """The mean Dice index over images that show the class or are marked, by a plain loop."""
    scores = []
    for true, level in zip(truth, levels, strict=True):
        label = components(level >= least)
        mine = np.isin(label, [r for r in range(1, label.max() + 1) if (label == r).sum() >= area])
        if true.any() or mine.any():
            scores.append(2 * (true & mine).sum() / (true.sum() + mine.sum()))
    return float(np.mean(scores)) if scores else 0.0


def noisy(n: int = 14, seed: int = 1) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    truth = np.zeros((n, 20, 30), dtype=bool)
    for image in range(0, n, 2):
        y, x = rng.integers(0, 12), rng.integers(0, 20)
        truth[image, y : y + rng.integers(3, 8), x : x + rng.integers(3, 10)] = True
    noise = rng.normal(0, 1, truth.shape)
    smooth = sum(np.roll(noise, (dy, dx), (1, 2)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) / 3
    return truth, np.clip(90 + 40 * smooth + 70 * truth, 0, 255).astype(np.uint8)


def test_every_point_of_the_grid_is_what_a_plain_loop_says() -> None:
    truth, levels = noisy()
    grid = Grid((LEVELS[::6],), ((1, 4, 16, 32, 200),))
    total = summed(tally(true[None], level[None], grid) for true, level in zip(truth, levels, strict=True))
    value_ta = total.dice_ta[0] / np.maximum(total.shown[0] + total.false_ta[0], 1)
    for t, least in enumerate(grid.levels[0]):
        for a, area in enumerate(grid.areas[0]):
            assert value_ta[t, a] == pytest.approx(tried(truth, levels, least, area))
    found = fit_masks(["hole"], total, grid)
    best = max(tried(truth, levels, least, area) for least in grid.levels[0] for area in grid.areas[0])
    assert found.quality[0] == pytest.approx(best, abs=5e-4)
    assert tried(truth, levels, found.levels[0], found.min_areas[0]) == pytest.approx(found.quality[0])
    assert found.min_areas[0] > 1
    assert found.curve[0]["over levels"][list(grid.levels[0]).index(found.levels[0])] == found.quality[0]


def test_marks_on_good_images_cost_and_rightly_empty_ones_count_nothing() -> None:
    """Specks on the good images: with an area that drops them the score is that of the flawed images alone."""
    truth, levels = np.zeros((12, 1, 10, 10), dtype=bool), np.zeros((12, 1, 10, 10), dtype=np.uint8)
    truth[:6, 0, :4, :4] = True
    levels[:6, 0, :4, :4] = 220
    levels[6:, 0, 8, 8] = 200
    grid = Grid(((128,),), ((1, 8),))
    total = summed(map(lambda *pair: tally(*pair, grid), truth, levels))
    assert total.false_ta[0].tolist() == [[6.0, 0.0]]
    found = fit_masks(["hole"], total, grid)
    assert (found.min_areas, found.quality) == ((8,), (1.0,))
    assert found.curve[0]["over areas"] == [0.5, 1.0]


def test_a_rare_class_is_not_fitted_away() -> None:
    """What maximises Kaggle's mean over all images is never to mark: this must not."""
    rng = np.random.default_rng(0)
    truth, levels = np.zeros((300, 1, 8, 8), dtype=bool), np.zeros((300, 1, 8, 8), dtype=np.uint8)
    truth[:6, 0, :4, :4] = True
    levels[:6, 0, :3, :4] = 150
    wrong = rng.random(300) < 0.1
    levels[wrong, 0, 6:, 6:] = 150
    grid = Grid(((128, 200),), ((1,),))
    total = summed(map(lambda *pair: tally(*pair, grid), truth, levels))
    found = fit_masks(["hole"], total, grid)
    assert found.levels == (128,)
    assert found.quality[0] is not None
    assert found.quality[0] > 0


def test_ties_go_to_the_middle() -> None:
    truth, levels = np.zeros((5, 1, 8, 8), dtype=bool), np.full((5, 1, 8, 8), 40, dtype=np.uint8)
    truth[:, 0, :4], levels[:, 0, :4] = True, 200
    grid = grid_of(1, min_area=1)
    found = fit_masks(["hole"], summed(map(lambda *pair: tally(*pair, grid), truth, levels)), grid)
    assert found.levels == (120,)  # from 48 to 200, in steps of 8
    assert found.quality == (1.0,)


def test_too_few_images_and_a_network_that_marks_nothing_are_said() -> None:
    mask, nothing = np.ones((2, 4, 4), dtype=bool), np.zeros((2, 4, 4), dtype=np.uint8)
    mask[1] = False
    grid = grid_of(2)
    few = fit_masks(["hole", "crack"], summed([tally(mask, nothing, grid)] * 2), grid)
    assert (few.levels, few.min_areas) == ((128, 128), (1, 1))
    assert few.quality == (0.0, None)
    assert "hole: only 2 images show this class, too few to fit" in few.notes[0]
    assert few.notes[1].startswith("crack: no image shows this class")
    blind = fit_masks(["hole", "crack"], summed([tally(mask, nothing, grid)] * 5), grid)
    assert "not one pixel of it is marked" in blind.notes[0]
    nearly = np.zeros((2, 80, 80), dtype=np.uint8)
    nearly[0, 0, 0] = 255
    wide = np.ones((2, 80, 80), dtype=bool)
    wide[1] = False
    hardly = fit_masks(["hole", "crack"], summed([tally(wide, nearly, grid)] * 5), grid)
    assert "hardly a pixel of it is marked" in hardly.notes[0] and 0 < hardly.quality[0] < 0.0005
    assert (hardly.levels[0], hardly.min_areas[0]) == (128, 1)
    assert (blind.levels[0], blind.min_areas[0]) == (128, 1), "where nothing is better than another, nothing is fitted"


def test_what_a_recipe_gives_is_kept() -> None:
    grid = grid_of(2, [0.5, 0.9], "fit")
    assert grid.levels == ((128,), (231,))
    assert grid.areas == (AREAS, AREAS)
    truth, levels = noisy()
    pairs = [np.stack([truth, truth], axis=1), np.stack([levels, levels], axis=1)]
    found = fit_masks(["a", "b"], summed(map(lambda *pair: tally(*pair, grid), *pairs)), grid)
    assert found.levels == (128, 231)
    assert grid_of(2, "fit", 7).areas == ((7,), (7,))
    few = fit_masks(["a", "b"], tally(pairs[0][0], pairs[1][0], grid_of(2, 0.7, 9)), grid_of(2, 0.7, 9))
    assert (few.levels, few.min_areas, few.notes) == ((180, 180), (9, 9), ())
    with pytest.raises(ValueError, match="one for each of 2 classes, got 3"):
        grid_of(2, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="rises from 1 on"):
        Grid(((5, 3),), ((1,),))


@pytest.mark.parametrize("p", [1 / 256, 0.1, 0.3, 0.5, 0.77, 0.999, 1.0])
def test_a_level_is_the_first_that_has_the_probability(p: float) -> None:
    assert level_of(p) == 255 or level_of(p) / 256 >= p > (level_of(p) - 1) / 256


def test_what_a_gate_has_stopped_is_an_empty_answer() -> None:
    mask, level = np.ones((1, 4, 4), dtype=bool), np.full((1, 4, 4), 250, dtype=np.uint8)
    grid = Grid(((128,),), ((1,),))
    total = summed([tally(mask, level, grid), tally(mask, None, grid), tally(~mask, None, grid)])
    assert (total.dice_ta[0].item(), total.false_ta[0].item(), total.shown) == (1.0, 0.0, (2,))
