"""How much better the same simple models look on a random split than on a grouped one: the difference is the leak.

Two models that need no tuning predict every image from the other folds, once with random folds and once with folds
that keep images of the same thing together. Where a split leaks, the nearest neighbour of a test picture is its twin
in training, and the model gives the twin's label: it remembers and need not understand.

These numbers are a diagnosis of the data. They say nothing about a product: reported numbers come from sealed bundles.

Shapes: n images, d features, k classes, f folds, s splits (random, grouped), b bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.errors import DataError, SplitError, listing
from flawscope.evaluation import metrics
from flawscope.evaluation.intervals import (
    FEW_GROUPS,
    IndexArray,
    bootstrap_draws,
    bootstrap_interval,
    difference_interval,
    proportion,
)
from flawscope.evaluation.leak_models import Folds, Model, nearest_neighbour, out_of_fold, small_model
from flawscope.records import BoolArray, FloatArray, Interval, TaskKind
from flawscope.wording import counted

DRAWS = 1000
DIAGNOSIS = "a diagnosis of the data, not of a product: no bundle was sealed for these numbers"


@dataclass(frozen=True)
class Compared:
    """One measure on both splits, and the difference: random minus grouped, of the same images."""

    random: Interval
    grouped: Interval
    difference: Interval

    def __post_init__(self) -> None:
        expected = self.random.value - self.grouped.value
        if abs(self.difference.value - expected) > 1e-9 or self.difference.low < -1 or self.difference.high > 1:
            raise ValueError(f"expected a difference of {expected} within -1 to 1, got {self.difference}")

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "random": self.random.as_dict(),
            "grouped": self.grouped.as_dict(),
            "difference": self.difference.as_dict(),
        }


@dataclass(frozen=True)
class ProbeModel:
    """One model, measured on both splits."""

    name: str
    measures: Mapping[str, Compared]

    def __post_init__(self) -> None:
        if not self.name or "accuracy" not in self.measures:
            raise ValueError(f"a model has a name and its accuracy, got {self.name!r} with {list(self.measures)}")


@dataclass(frozen=True)
class LeakProbe:
    """What the probe found. `notes` say in words what limits the numbers."""

    models: tuple[ProbeModel, ...]
    n: int
    groups: int
    folds: int
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not (self.models and 1 <= self.groups <= self.n and 2 <= self.folds <= self.n):
            raise ValueError(
                f"expected models, 1 <= groups <= n and 2 <= folds <= n, got {len(self.models)} models, "
                f"{self.groups} groups, {self.folds} folds and n = {self.n}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON and the pages."""
        models = [
            {"name": model.name, "measures": {key: each.as_dict() for key, each in model.measures.items()}}
            for model in self.models
        ]
        return {
            "models": models,
            "n": self.n,
            "groups": self.groups,
            "folds": self.folds,
            "notes": list(self.notes),
        }


def leak_probe(  # noqa: PLR0917 (columns of one table: features, targets, folds, groups)
    feature_nd: FloatArray,
    target_nk: FloatArray,
    task_kind: TaskKind,
    fold_n: npt.ArrayLike,
    group_n: npt.ArrayLike,
    random_fold_n: npt.ArrayLike,
    *,
    seed: int = 0,
    train_allowed_nf: BoolArray | None = None,
) -> LeakProbe:
    """Measure one nearest neighbour and a small model on the grouped folds and on the random ones.

    `fold_n` and `random_fold_n` number the fold, 0 ... f-1, in which each image is tested; it is predicted by models
    that saw the other folds alone. `train_allowed_nf` says which image may be trained on when a fold of the grouped
    split is tested; images that would leak are left out by it.

    - accuracy: the share of images with the right answer, for multi-label with all labels right. Wilson interval on
      the effective sample size.
    - AUROC (mean over the classes): over pairs of one positive and one negative image **of the same fold**, because
      scores of models that were trained on different folds cannot be compared (Parker et al., 2007, BMC
      Bioinformatics 8:326). Bootstrap interval over groups. Only for the small model: a neighbour gives no scores.
    - difference, random minus grouped: the same draws of whole groups for both answers. Where the draws cannot tell
      the spread, the far ends of the two intervals, which is conservative.

    All intervals use the same groups, those of the random split too. Which images depend on each other is a fact of
    the data; dealing them out in another way does not make them independent. With each image counted by itself the
    random split would get an interval that is too narrow on top of a value that is too high. The intervals hold for
    the given folds: they do not tell how much another deal of the folds would change.

    >>> feature_nd = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]] * 2)
    >>> target_nk = np.array([[1.0], [1.0], [0.0], [0.0]] * 2)
    >>> probe = leak_probe(feature_nd, target_nk, "binary", [0] * 4 + [1] * 4, list("aabbccdd"), [0, 1] * 4)
    >>> probe.models[0].name, probe.models[0].measures["accuracy"].difference.value
    ('one nearest neighbour', 0.0)

    Raises:
        ValueError: the lengths differ, or the folds are not whole numbers from 0 on.
        DataError: there are no images, or a feature is not a finite number.
        SplitError: fewer than two folds, an empty fold, a fold with nothing to train on, or a group on both sides of
            a grouped fold.
    """
    feature_nd, group_n = np.asarray(feature_nd, dtype=np.float64), np.asarray(group_n)
    fold_n, random_fold_n = np.asarray(fold_n), np.asarray(random_fold_n)
    _check(feature_nd, target_nk, fold_n, group_n, random_fold_n)
    count = int(max(fold_n.max(), random_fold_n.max())) + 1
    everywhere_nf = np.ones((len(fold_n), count), dtype=np.bool_)
    allowed_nf = everywhere_nf if train_allowed_nf is None else np.asarray(train_allowed_nf)
    splits = (Folds("random", random_fold_n, everywhere_nf), Folds("grouped", fold_n, allowed_nf))
    _check_groups(splits[1], group_n)

    truth_nk = metrics.truth(task_kind, target_nk)
    group_n = np.unique(group_n, return_inverse=True)[1].astype(np.int64)
    notes = _notes(task_kind, truth_nk, group_n, splits)
    models: dict[str, Model] = {
        "one nearest neighbour": nearest_neighbour,
        "small model": partial(small_model, seed=seed),
    }
    found = []
    for name, model in models.items():
        score_snk = [out_of_fold(model, feature_nd, truth_nk, folds) for folds in splits]
        right_sn = [(metrics.truth(task_kind, score_nk) == truth_nk).all(axis=1) for score_nk in score_snk]
        measures = {"accuracy": _accuracy(right_sn, group_n, seed)}
        if model is not nearest_neighbour:
            measures |= (areas := _auroc(truth_nk, score_snk, splits, group_n, seed=seed))
            if not areas:
                notes.append("AUROC cannot be computed: no class has images with and without it in one fold")
        found.append(ProbeModel(name, measures))
    return LeakProbe(tuple(found), len(fold_n), len(np.unique(group_n)), count, tuple(notes))


def auroc_within_folds(truth_n: BoolArray, score_n: FloatArray, fold_n: IndexArray) -> float:
    """How often a positive scores above a negative of the same fold, ties counted half; NaN without such pairs.

    >>> auroc_within_folds(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.2, 0.1]), np.array([0, 0, 1, 1]))
    1.0
    """
    return _within_folds(truth_n, _places(score_n, fold_n), fold_n)


def _places(score_n: FloatArray, fold_n: IndexArray) -> IndexArray:
    """The rank of each image by fold, then by score; equal scores of one fold share it."""
    return np.unique([fold_n, score_n], axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _within_folds(truth_n: BoolArray, place_n: IndexArray, fold_n: IndexArray) -> float:
    """In whole numbers: all pairs that stand in the right order of places, less those of a higher and a lower fold."""
    tp_t, fp_t, _ = metrics.counts_by_threshold(truth_n, place_n)
    doubled = int(np.sum(np.diff(fp_t) * (tp_t[1:] + tp_t[:-1])))
    folds = int(fold_n.max()) + 1
    positive_f, negative_f = (np.bincount(fold_n[kind_n], minlength=folds) for kind_n in (truth_n, ~truth_n))
    between = int(np.sum(positive_f * (np.cumsum(negative_f) - negative_f)))
    pairs = int(np.sum(positive_f * negative_f))
    return (doubled - 2 * between) / (2 * pairs) if pairs else float("nan")


def _accuracy(right_sn: Sequence[BoolArray], group_n: IndexArray, seed: int) -> Compared:
    """The share of images with the right answer; the same draws of groups for both splits."""
    random, grouped = (proportion(right_n, group_n) for right_n in right_sn)
    gain_n = right_sn[0].astype(np.float64) - right_sn[1]
    drawn_b = bootstrap_draws(lambda index: [float(gain_n[index].mean())], group_n, seed, DRAWS)[:, 0]
    return Compared(random, grouped, difference_interval(random, grouped, drawn_b, group_n))


def _auroc(
    truth_nk: BoolArray, score_snk: Sequence[FloatArray], splits: Sequence[Folds], group_n: IndexArray, *, seed: int
) -> dict[str, Compared]:
    """The AUROC, or its mean over the classes for which it is defined on both splits."""
    values, draws, units = [], [], []
    for c, truth_n in enumerate(truth_nk.T):
        value_s, drawn_sb = [], []
        for score_nk, folds in zip(score_snk, splits, strict=True):
            place_n = _places(score_nk[:, c], folds.fold_n)
            order_n = np.argsort(place_n, kind="stable")  # Sorted once, each draw is sorted too.
            measured = partial(_area, truth_n[order_n], place_n[order_n], folds.fold_n[order_n])
            value_s.append(measured(np.arange(len(order_n)))[0])
            # One seed: the same draws of groups, in whichever order the images stand.
            drawn_sb.append(bootstrap_draws(measured, group_n[order_n], seed, DRAWS)[:, 0])
        if np.isfinite(value_s).all():
            values.append(value_s)
            draws.append(drawn_sb)
            units.append(min(len(np.unique(group_n[kind_n])) for kind_n in (truth_n, ~truth_n)))
    if not values:
        return {}
    mean_s, mean_sb = np.mean(values, axis=0), np.mean(draws, axis=0)
    random, grouped = (
        bootstrap_interval(float(value), drawn_b, group_n, units=min(units))
        for value, drawn_b in zip(mean_s, mean_sb, strict=True)
    )
    difference = difference_interval(random, grouped, mean_sb[0] - mean_sb[1], group_n, min(units))
    return {"AUROC" if truth_nk.shape[1] == 1 else "mean AUROC": Compared(random, grouped, difference)}


def _area(truth_n: BoolArray, place_n: IndexArray, fold_n: IndexArray, index: IndexArray) -> list[float]:
    return [_within_folds(truth_n[index], place_n[index], fold_n[index])]


def _check(
    feature_nd: FloatArray, target_nk: FloatArray, fold_n: IndexArray, group_n: npt.NDArray[Any], random_n: IndexArray
) -> None:
    """Lengths, folds and numbers."""
    n = len(feature_nd)
    if not n:
        raise DataError("there are no images to probe for leaks", "name a folder or table with images")
    shapes = [array.shape for array in (fold_n, group_n, random_n)]
    if feature_nd.ndim != 2 or target_nk.ndim != 2 or len(target_nk) != n or shapes != [(n,)] * 3:
        raise ValueError(
            f"expected n x d features, n x k targets and n folds, groups and random folds, got {feature_nd.shape}, "
            f"{target_nk.shape}, {shapes}"
        )
    if any(not np.issubdtype(each_n.dtype, np.integer) or each_n.min() < 0 for each_n in (fold_n, random_n)):
        raise ValueError("expected folds as whole numbers from 0 on")
    bad_n = ~np.isfinite(feature_nd).all(axis=1)
    if bad_n.any():
        rows = [f"image {row} of the table (counted from 0)" for row in np.flatnonzero(bad_n)]
        raise DataError(
            f"the features of {len(rows)} images are not finite numbers:\n{listing(rows)}",
            "look at these images, or leave them out",
        )


def _check_groups(grouped: Folds, group_n: npt.NDArray[Any]) -> None:
    """No group on both sides of a fold: else the grouped number would leak as well."""
    crossing = {
        str(name)
        for fold, train_n in enumerate(grouped.train_nf.T)
        for name in np.intersect1d(group_n[train_n], group_n[grouped.fold_n == fold])
    }
    if crossing:
        raise SplitError(
            f"{len(crossing)} groups stand in training and in test of one fold:\n{listing(sorted(crossing))}",
            "deal the folds by these groups, or leave their images out of training",
        )


def _notes(kind: TaskKind, truth_nk: BoolArray, group_n: IndexArray, splits: Sequence[Folds]) -> list[str]:
    """What limits the numbers, in words."""
    commonest = float(np.unique(truth_nk, axis=0, return_counts=True)[1].max()) / len(truth_nk)
    notes = [DIAGNOSIS, f"always giving the commonest answer would be right for {commonest:.1%} of the images"]
    if kind == "multilabel":
        notes.append("accuracy counts an image as right only where all its labels are right")
    groups = len(np.unique(group_n))
    if groups < FEW_GROUPS:
        notes.append(f"only {counted(groups, 'groups')}: intervals over fewer than {FEW_GROUPS} groups are rough")
    for folds in splits:
        left_f = (folds.others_nf & ~folds.allowed_nf).sum(axis=0)
        if left_f.any():
            notes.append(
                f"in the {folds.name} folds {left_f.min()} to {left_f.max()} images were left out of training, because "
                "they would leak; a part of the difference can come from training on fewer images"
            )
        one = [str(f) for f, train_n in enumerate(folds.train_nf.T) if len(np.unique(truth_nk[train_n], axis=0)) == 1]
        if one:
            notes.append(f"all training images have the same answer in these {folds.name} folds: {', '.join(one)}")
    return notes
