"""How well masks fit: IoU and Dice over all pixels and image by image, each with an interval over groups.

Shapes: n images, k classes, c = k + 1 columns (the classes, and any of them as one), d bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from flawscope.evaluation.intervals import bootstrap_interval, bootstrap_sums
from flawscope.evaluation.mask_curves import curves
from flawscope.evaluation.mask_facts import SHARE, MaskFacts
from flawscope.evaluation.mask_flaws import found_flaws
from flawscope.records import FloatArray, Interval

DRAWS = 1000
EDGE = 0.0005
"""What lies below reads 0.000: a few pixels that were hit by chance are no reason for a narrower interval than none."""
ANY = "any flaw"
"""What all classes as one are called."""
RULE = (
    "A true flaw (its pixels hang together, corners connect) is found if marked pixels of its class cover at least "
    f"{SHARE:.0%} of it. A marked region is a false flaw if less than {SHARE:.0%} of it lies on true flaws of its "
    "class."
)


def measure_masks(
    classes: Sequence[str],
    facts: MaskFacts,
    groups: Sequence[str],
    *,
    mm_per_pixel: float | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Any]:
    """Everything that is reported of the masks of a set of images; plain data for metrics.json and the pages.

    Over all pixels of the set: IoU = both / (truth or marked), Dice = 2 both / (truth + marked), for each class, their
    means over the classes, and both for all classes as one. Image by image: the mean Dice index over all pairs of image
    and class, 1 where both are empty (Kaggle's Severstal contest, 2019); beside it, because most of that is a gift, the
    same over the pairs in which the class truly shows, and what an answer without a single mark would get. A class that
    no image shows has no measure, and is in no mean over classes.

    Raises:
        ValueError: the classes or groups do not fit the facts.
    """
    if len(groups) != len(facts) or len(classes) != facts.classes:
        raise ValueError(f"{len(facts)} images of {facts.classes} classes, got {len(groups)} and {len(classes)}")
    names = (*classes, ANY)
    value_1m, value_dm, keys = drawn_values(facts, groups, seed)
    units_c = units_of(facts, groups)
    found: dict[str, Interval] = {}
    undefined: dict[str, str] = {}
    for column, (measure, c) in enumerate(keys):
        value = float(value_1m[0, column])
        key = measure if c is None else f"{measure} {names[c]}"
        if np.isfinite(value):
            if measure == "Dice" and c is not None:  # a function of the IoU: so are the ends
                iou = found[f"IoU {names[c]}"]
                low, high = min(value, dice_of(iou.low)), max(value, dice_of(iou.high))
                found[key] = replace(iou, value=value, low=low, high=high)
                continue
            units = hangs_on(measure, units_c) if c is None else int(units_c[c])
            found[key] = bootstrap_interval(value, value_dm[:, column], groups, level, units, edge=EDGE)
        else:
            undefined[key] = _reason(names, c)
    return {
        "classes": {
            name: {
                "images": int((facts.truth_nc[:, c] > 0).sum()),
                "pixels": int(facts.truth_nc[:, c].sum()),
                "marked": int(facts.marked_nc[:, c].sum()),
                "both": int(facts.both_nc[:, c].sum()),
                "measures": {m: found[f"{m} {name}"].as_dict() for m in OF_A_CLASS if f"{m} {name}" in found},
                "undefined": {m: undefined[f"{m} {name}"] for m in OF_A_CLASS if f"{m} {name}" in undefined},
            }
            for c, name in enumerate(names)
        },
        "measures": {key: found[key].as_dict() for key in OVER_ALL if key in found},
        "undefined": {key: undefined[key] for key in OVER_ALL if key in undefined},
        "pixels": int(facts.shown_ncl[:, -1].sum(dtype=np.int64) + facts.rest_ncl[:, -1].sum(dtype=np.int64)),
        "flaws": found_flaws(names, facts, groups, mm_per_pixel=mm_per_pixel, seed=seed, level=level),
        "curves": curves(names, facts, groups, units_c, seed=seed, level=level),
        "rule": RULE,
        "mm_per_pixel": mm_per_pixel,
    }


OF_A_CLASS = ("IoU", "Dice", "mean Dice where it shows")
OVER_ALL = ("mean IoU", "mean Dice", "mean Dice over images", "mean Dice on flawed", "mean Dice of no marks")


def headline(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The few numbers to read first, as `measure.measure` gives them."""
    known = document["measures"]
    shown = [{"name": key, "interval": known[key]} for key in OVER_ALL if key in known]
    whole = document["classes"][ANY]["measures"]
    if "IoU" in whole:
        shown.insert(1, {"name": f"IoU of {ANY}", "interval": whole["IoU"]})
    recall = document["flaws"]["classes"][ANY]["measures"].get("flaw recall")
    return shown + ([{"name": "flaw recall", "interval": recall}] if recall else [])


def dice_of(iou: float) -> float:
    """The Dice index of masks with this IoU.

    >>> dice_of(0.0), dice_of(1 / 3), dice_of(1.0)
    (0.0, 0.5, 1.0)
    """
    return 2 * iou / (1 + iou)


def dice_nc(facts: MaskFacts) -> FloatArray:
    """The Dice index of each image and class, n x c: 1 where nothing shows and nothing is marked.

    >>> from flawscope.evaluation.mask_facts import gathered, image_facts
    >>> mask, level = np.zeros((1, 1, 2), dtype=bool), np.zeros((1, 1, 2), dtype=np.uint8)
    >>> dice_nc(gathered([image_facts(mask, mask, level), image_facts(~mask, mask, level)])).tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    total_nc = facts.truth_nc + facts.marked_nc
    return np.where(total_nc == 0, 1.0, 2 * facts.both_nc / np.maximum(total_nc, 1))


def drawn_values(
    facts: MaskFacts, groups: Sequence[str], seed: int
) -> tuple[FloatArray, FloatArray, list[tuple[str, int | None]]]:
    """Each measure on the images and on the draws, and which column is which: the measure, and the column of classes.

    The same groups and seed give the same draws, so that two runs on the same images can be compared draw by draw. All
    are ratios of sums over images, so only the sums are drawn.
    """
    one_nc, shown_nc = dice_nc(facts), facts.truth_nc > 0
    parts = (facts.truth_nc, facts.marked_nc, facts.both_nc, one_nc, one_nc * shown_nc, shown_nc)
    sums_nm = np.concatenate([part.astype(np.float64) for part in parts], axis=1)
    sums_nm = np.concatenate([sums_nm, np.ones((len(facts), 1))], axis=1)
    keys: list[tuple[str, int | None]] = []
    for measure in OF_A_CLASS:
        keys += [(measure, c) for c in range(facts.classes + 1)]
    keys += [(measure, None) for measure in OVER_ALL]
    return _ratios(sums_nm.sum(axis=0)[None]), _ratios(bootstrap_sums(sums_nm, groups, seed, DRAWS)), keys


def _ratios(sums_dm: FloatArray) -> FloatArray:
    """From the sums of some draws to their measures; NaN where nothing shows."""
    truth_dc, marked_dc, both_dc, one_dc, on_flawed_dc, shown_dc = np.split(sums_dm[:, :-1], 6, axis=1)
    images_d = sums_dm[:, -1]
    k = truth_dc.shape[1] - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        iou_dc = np.where(truth_dc > 0, both_dc / (truth_dc + marked_dc - both_dc), np.nan)
        whole_dc = np.where(truth_dc > 0, 2 * both_dc / (truth_dc + marked_dc), np.nan)
        flawed_dc = np.where(shown_dc > 0, on_flawed_dc / shown_dc, np.nan)
        known_d = (truth_dc[:, :k] > 0).sum(axis=1)
        means = [np.where(known_d > 0, np.nansum(dc[:, :k], axis=1) / known_d, np.nan) for dc in (iou_dc, whole_dc)]
        means.append(one_dc[:, :k].sum(axis=1) / (k * images_d))
        pairs_d = shown_dc[:, :k].sum(axis=1)
        means.append(np.where(pairs_d > 0, on_flawed_dc[:, :k].sum(axis=1) / pairs_d, np.nan))
        means.append(1 - pairs_d / (k * images_d))
    return np.concatenate([iou_dc, whole_dc, flawed_dc, np.stack(means, axis=1)], axis=1)


def units_of(facts: MaskFacts, groups: Sequence[str]) -> FloatArray:
    """The number of groups that show each class: what its measures hang on."""
    group_n = np.asarray([str(group) for group in groups])
    return np.array([len(np.unique(group_n[shown_n])) for shown_n in (facts.truth_nc > 0).T])


def hangs_on(measure: str, units_c: FloatArray) -> int | None:
    """The groups that a measure over all classes hangs on: those of the rarest class where each counts alike."""
    if measure in ("mean IoU", "mean Dice"):
        return int(min(units_c[:-1][units_c[:-1] > 0], default=1))
    return int(units_c[-1]) if measure == "mean Dice on flawed" else None


def _reason(names: Sequence[str], c: int | None) -> str:
    return "no image shows any flaw" if c is None or c == len(names) - 1 else f"no image shows {names[c]!r}"
