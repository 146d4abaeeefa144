"""What a learning curve says, as plain data for curve.json and its page.

Shapes: s sizes, r repeats, d draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from flawscope.evaluation.intervals import bootstrap_interval
from flawscope.evaluation.learning_curve import Curve, NotSaidError, fit_curve
from flawscope.pages.curve_words import cautions, curve_sentences
from flawscope.records import FloatArray, Interval, Samples, Split
from flawscope.steps.metrics_document import source
from flawscope.training.recipe import Recipe

FORECAST = (1.0, 2.0, 4.0)
"""What is foretold, in multiples of all training images."""
_TINY = 1e-9


@dataclass(frozen=True)
class Grown:
    """What was measured: `error_sr`, and `drawn_dsr` on draws of the calibration part's groups."""

    recipe: Recipe
    samples: Samples
    split: Split
    subsets: Mapping[tuple[float, int], Sequence[str]]
    trainings: tuple[dict[str, Any], ...]
    fractions: tuple[float, ...]
    repeats: int
    error_sr: FloatArray
    drawn_dsr: FloatArray

    @property
    def images_s(self) -> list[int]:
        """Training images of each size; of repeats that differ by a group the mean."""
        return [
            round(float(np.mean([len(self.subsets[fraction, repeat]) for repeat in range(self.repeats)])))
            for fraction in self.fractions
        ]

    def groups(self, ids: Sequence[str]) -> int:
        """How many groups these images come from."""
        return len({self.split.group[each] for each in ids})


def curve_document(grown: Grown, reach: float | None) -> dict[str, Any]:
    """Everything about a learning curve as plain data. Values are those of the watched measure, not of the error."""
    recipe, split, samples = grown.recipe, grown.split, grown.samples
    better = Scale(recipe.train.watch)
    calibration = split.ids("calibration")
    made: dict[str, Any] = {
        "schema": 1,
        "name": recipe.name,
        "measure": recipe.train.watch,
        "recipe": {"name": recipe.name, "hash": recipe.hash},
        "data": {"name": samples.name, "images": len(samples), "hash": samples.hash},
        "split": {"hash": split.hash, "stamp": split.stamp, "method": split.method},
        "calibration": {"images": len(calibration), "groups": grown.groups(calibration)},
        "in_all": len(split.part),
        "repeats": grown.repeats,
        "points": _points(grown, better),
        "trainings": [{key: value for key, value in row.items() if key != "logits"} for row in grown.trainings],
        "law": None,
        "forecast": [],
        "band": [],
        "reach": None,
        "unsaid": "",
        **source(samples),
    }
    try:
        curve = fit_curve(grown.images_s, grown.error_sr, grown.drawn_dsr, seed=recipe.split.seed)
    except NotSaidError as error:
        made["unsaid"] = str(error)
    else:
        made |= {
            "law": asdict(curve.law),
            "forecast": [_forecast(curve, times, better) for times in FORECAST],
            "band": [_forecast(curve, times, better) for times in _steps(grown.images_s)],
        }
        if reach is not None:
            made["reach"] = asdict(curve.reach(better.error(reach))) | {"value": reach}
    made["notes"] = cautions(made)
    made["sentences"] = list(curve_sentences(made))
    return made


@dataclass(frozen=True)
class Scale:
    """From errors to values of the measure that a recipe watches, and back: 1 - AUROC; a loss is its own error."""

    watch: str

    def value(self, error: float) -> float:
        """The value of the measure."""
        return error if self.watch == "loss" else 1 - error

    error = value  # the way back is the same

    def interval(self, found: Interval) -> dict[str, Any]:
        """The interval of an error as that of the measure."""
        if self.watch == "loss":
            return found.as_dict()
        return replace(found, value=1 - found.value, low=1 - found.high, high=1 - found.low).as_dict()


def _points(grown: Grown, better: Scale) -> list[dict[str, Any]]:
    """What was measured at each size: each repeat, and their mean with its interval over groups of the calibration."""
    part = [grown.split.group[id] for id in grown.split.ids("calibration")]
    points = []
    for s, fraction in enumerate(grown.fractions):
        errors, drawn_d = grown.error_sr[s], grown.drawn_dsr[:, s].mean(axis=1)
        mean = float(errors.mean())
        interval = None
        if math.isfinite(mean):
            if better.watch == "loss":
                ends = np.quantile(drawn_d, [0.025, 0.975])
                interval = Interval(mean, min(mean, ends[0]) - _TINY, max(mean, ends[1]) + _TINY, groups=len(set(part)))
            else:
                interval = bootstrap_interval(mean, drawn_d, part)
        groups = [grown.groups(grown.subsets[fraction, repeat]) for repeat in range(grown.repeats)]
        points.append(
            {
                "fraction": fraction,
                "images": grown.images_s[s],
                "groups": round(float(np.mean(groups))),
                "values": [better.value(float(each)) if math.isfinite(each) else None for each in errors],
                "interval": None if interval is None else better.interval(interval),
            }
        )
    return points


def _forecast(curve: Curve, times: float, better: Scale) -> dict[str, Any]:
    return {
        "times": times,
        "images": round(times * curve.most),
        "interval": better.interval(curve.interval(times)),
        "gain": curve.gain(times).as_dict() if times > 1 else None,
    }


def _steps(images_s: Sequence[int]) -> list[float]:
    """Sizes along the curve, from the smallest to four times the largest, in multiples of the largest."""
    return [float(each) for each in np.geomspace(min(images_s) / max(images_s), FORECAST[-1], 40)]
