"""Calibration: turn logits into probabilities that mean what they say. Fitted on the validation split.

The result is a table of knots (raw logit, calibrated logit) for each class, straight between and beyond the knots;
`flawscope.probability` applies it, here and at the line. Multi-class: one temperature for the logits, or a table a
class for its log-odds against the rest.

Shapes: n samples, k classes, g groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

from flawscope.errors import RecipeError, choices
from flawscope.evaluation import metrics
from flawscope.evaluation.calibrators import FITTERS, NAMES, Knots, NotFitted
from flawscope.evaluation.intervals import IndexArray
from flawscope.probability import calibrate, odds_against_rest
from flawscope.records import BoolArray, FloatArray, TaskKind
from flawscope.wording import counted

Method = Literal["standard", "auto", "temperature", "platt", "isotonic", "venn_abers", "none"]
IDENTITY: Knots = ((0.0, 0.0), (1.0, 1.0))
ORDER = ("platt", "temperature", "venn_abers", "isotonic")
"""From the plainest to the freest, for one yes-or-no class. Platt scaling is before temperature, which cannot shift:
a network that was trained with class weights is wrong by a shift. Venn-Abers is isotonic regression, held back."""
FOLDS = 5
FEW_GROUPS = 10
"""`auto` compares nothing where fewer groups than this show a class, or fewer do not."""
LEAST = 1e-15
"""Probabilities count as at least this far from 0 and 1 in a logarithm."""


@dataclass(frozen=True)
class Calibration:
    """A fitted calibrator as plain data. `note` says which classes were left as they are, why, and what was compared.

    `against_rest`: the tables take log-odds against all other classes, see `flawscope.probability`.
    """

    method: str
    knots: tuple[Knots, ...]
    note: str = ""
    against_rest: bool = False


def fit(
    kind: TaskKind,
    logit_nk: FloatArray,
    target_nk: FloatArray,
    classes: Sequence[str] = (),
    *,
    method: str = "standard",
    groups: Sequence[str] | None = None,
) -> Calibration:
    """Fit a calibrator by one method, or by the one that `auto` chooses.

    standard: Platt scaling for each class (binary, multi-label), one temperature (multi-class). Other methods of a
    multi-class task are fitted to each class against the rest. `auto` compares all by cross-validation over `groups`
    (by default each sample is one) and takes the plainest whose log loss is not clearly above the least one. `none`
    leaves logits as they are.

    Targets >= 0.5 count as present; a multi-class sample belongs to its largest target. Where the data allow no fit
    (one class only, scores that do not rise with the class, no finite optimum) logits stay as they are, and the note
    says why. `classes` are the names for the note.

    Sources: see `flawscope.evaluation.calibrators`; Guo et al. (2017), On Calibration of Modern Neural Networks; for
    the choice, the rule of one standard error (Breiman et al. 1984, Classification and Regression Trees).

    >>> logit_nk = np.array([[-2.0], [-1.0], [1.0], [-0.5], [2.0], [0.5]])
    >>> calibration = fit("binary", logit_nk, np.array([[0.0], [0], [0], [1], [1], [1]]))
    >>> calibration.method, len(calibration.knots)
    ('Platt scaling', 1)

    Raises:
        RecipeError: no such method.
        ValueError: the shapes differ, or a logit is not finite.
    """
    if method not in get_args(Method):
        raise RecipeError(f"no method of calibration {method!r}", choices(method, get_args(Method)))
    if logit_nk.ndim != 2 or logit_nk.shape != target_nk.shape or not np.isfinite(logit_nk).all():
        raise ValueError(f"expected finite logits n x k and targets alike, got {logit_nk.shape}, {target_nk.shape}")
    n, k = logit_nk.shape
    if groups is not None and len(groups) != n:
        raise ValueError(f"expected one group for each of {n} samples, got {len(groups)}")
    if method == "none":
        return Calibration("none", (IDENTITY,) * k, "scores are not calibrated")
    logit_nk, truth_nk = logit_nk.astype(np.float64), metrics.truth(kind, target_nk)
    names = list(classes) or [f"class {index}" for index in range(k)]
    group_n = np.unique([str(group) for group in groups] if groups is not None else np.arange(n), return_inverse=True)
    code_n = group_n[1].astype(np.int64)
    if kind == "multiclass":
        return _exclusive(logit_nk, truth_nk, names, method, code_n)
    fitted = [
        _one_class(logit_n, truth_n, "platt" if method == "standard" else method, code_n)
        for logit_n, truth_n in zip(logit_nk.T, truth_nk.T, strict=True)
    ]
    return _joined(fitted, names)


def _one_class(logit_n: FloatArray, truth_n: BoolArray, method: str, code_n: IndexArray) -> Calibration:
    """One yes-or-no class; its note does not name it."""
    said = ""
    if method == "auto":
        method, said = _choice("binary", logit_n[:, None], truth_n[:, None], ORDER, code_n)
    try:
        return Calibration(NAMES[method], (FITTERS[method](logit_n, truth_n),), said)
    except NotFitted as reason:
        return Calibration("identity", (IDENTITY,), f"logits are used as they are: {reason}")


def _joined(fitted: Sequence[Calibration], names: Sequence[str], against_rest: bool = False) -> Calibration:
    """The tables of single classes as one calibrator; where methods differ, each is named."""
    notes = [f"{name}: {each.note}" for name, each in zip(names, fitted, strict=True) if each.note]
    methods = list(dict.fromkeys(each.method for each in fitted))
    used = [each for each in methods if each != "identity"] or ["identity"]
    method = used[0]
    if len(used) > 1:
        method = "; ".join(f"{name}: {each.method}" for name, each in zip(names, fitted, strict=True))
    return Calibration(method, tuple(each.knots[0] for each in fitted), "; ".join(notes), against_rest)


def _exclusive(
    logit_nk: FloatArray, truth_nk: BoolArray, names: Sequence[str], method: str, code_n: IndexArray
) -> Calibration:
    """A multi-class task: one temperature, or a table for each class against the rest."""
    said = ""
    if method == "auto":
        order = ("temperature", *(each for each in ORDER if each != "temperature"))
        method, said = _choice("multiclass", logit_nk, truth_nk, order, code_n)
    if method not in ("standard", "temperature"):
        odds_nk = odds_against_rest(logit_nk)
        fitted = [
            _one_class(odds_n, truth_n, method, code_n) for odds_n, truth_n in zip(odds_nk.T, truth_nk.T, strict=True)
        ]
        joined = _joined(fitted, names, against_rest=True)
        words = joined.method if joined.method == "identity" else f"{joined.method}, each class against the rest"
        return Calibration(words, joined.knots, "; ".join(filter(None, (said, joined.note))), True)
    k = logit_nk.shape[1]
    try:
        return Calibration("temperature scaling", (_temperature(logit_nk, truth_nk),) * k, said)
    except NotFitted as reason:
        return Calibration("identity", (IDENTITY,) * k, f"logits are used as they are: {reason}")


def _choice(
    kind: TaskKind, logit_nk: FloatArray, truth_nk: BoolArray, order: Sequence[str], code_n: IndexArray
) -> tuple[str, str]:
    """The plainest method whose cross-validated log loss is within one standard error of the least, and the losses.

    The error is that of the difference to the best method, over groups: what is hard is hard for both.
    """
    shown = min(min(len(np.unique(code_n[kind_n])) for kind_n in (truth_n, ~truth_n)) for truth_n in truth_nk.T)
    if shown < FEW_GROUPS:
        few = counted(shown, "groups")
        return order[0], f"{NAMES[order[0]]} without comparison: {few} of a kind, {FEW_GROUPS} are needed to compare"
    fold_n = _folds(truth_nk, code_n)
    loss_gm = np.stack(
        [_held_out_loss(kind, logit_nk, truth_nk, name, fold_n=fold_n, code_n=code_n) for name in order], axis=1
    )
    n, groups = len(code_n), len(loss_gm)
    size_g = np.bincount(code_n)
    best = int(loss_gm.sum(axis=0).argmin())
    more_gm = loss_gm - loss_gm[:, [best]]
    rest_gm = more_gm - size_g[:, None] * more_gm.sum(axis=0) / n
    error_m = np.sqrt(groups / (groups - 1) * np.sum(rest_gm**2, axis=0))
    chosen = int(np.argmax(more_gm.sum(axis=0) <= error_m + 1e-12))
    losses = ", ".join(f"{NAMES[name]} {loss:.4f}" for name, loss in zip(order, loss_gm.sum(axis=0) / n, strict=True))
    why = "the least" if chosen == best else f"not clearly above the least, by {NAMES[order[best]]}, and plainer"
    return order[chosen], f"{NAMES[order[chosen]]} chosen over {groups} groups, log loss {losses}: {why}"


def _folds(truth_nk: BoolArray, code_n: IndexArray) -> IndexArray:
    """Deal whole groups to folds: those with the rarest class first, each to the fold that has least of that class."""
    count_gk = np.stack([np.bincount(code_n, weights=truth_n) for truth_n in truth_nk.T], axis=1)
    count_gk = np.column_stack([count_gk, np.bincount(code_n)])
    rare_k = np.argsort(count_gk.sum(axis=0), kind="stable")
    first_g = np.array([next(c for c in rare_k if row_k[c]) for row_k in count_gk])
    place_g = np.argsort(rare_k)[first_g]
    dealt_fk = np.zeros((FOLDS, count_gk.shape[1]))
    fold_g = np.zeros(len(count_gk), dtype=np.int64)
    for g in np.lexsort((-count_gk[:, -1], -count_gk[np.arange(len(count_gk)), first_g], place_g)):
        fold_g[g] = min(range(FOLDS), key=lambda f: (dealt_fk[f, first_g[g]], dealt_fk[f, -1], f))
        dealt_fk[fold_g[g]] += count_gk[g]
    return np.asarray(fold_g[code_n])


def _held_out_loss(
    kind: TaskKind,
    logit_nk: FloatArray,
    truth_nk: BoolArray,
    method: str,
    *,
    fold_n: IndexArray,
    code_n: IndexArray,
) -> FloatArray:
    """The log loss of each group, summed over its samples, by calibrators that were fitted without its fold."""
    loss_n = np.zeros(len(code_n))
    for fold in range(FOLDS):
        out_n = fold_n == fold
        names = [""] * logit_nk.shape[1]
        if kind == "multiclass":
            fitted = _exclusive(logit_nk[~out_n], truth_nk[~out_n], names, method, code_n[~out_n])
        else:
            fitted = _one_class(logit_nk[~out_n, 0], truth_nk[~out_n, 0], method, code_n[~out_n])
        probability_nk = calibrate(kind, fitted.knots, logit_nk[out_n], fitted.against_rest)
        right_nk = np.where(truth_nk[out_n], probability_nk, 1.0 if kind == "multiclass" else 1 - probability_nk)
        loss_n[out_n] = -np.log(np.clip(right_nk, LEAST, 1.0)).sum(axis=1)
    return np.bincount(code_n, weights=loss_n).astype(np.float64)


def _temperature(logit_nk: FloatArray, truth_nk: BoolArray) -> Knots:
    """Probability = softmax(logits / T), T by maximum likelihood: the root of the slope of a convex function of 1/T."""
    index_n = truth_nk.argmax(axis=1)
    if len(np.unique(index_n)) < 2:
        raise NotFitted("samples of at least two classes are needed")
    # Softmax ignores a shift; with the true class at zero the gain reads simply.
    true_n1 = np.take_along_axis(logit_nk, index_n[:, None], axis=1)
    above_nk = logit_nk - true_n1
    scale = float(np.abs(above_nk).max())
    if scale == 0.0:
        raise NotFitted("all logits are alike")
    above_nk = above_nk / scale

    def slope(inverse: float) -> float:
        return float(np.mean(np.sum(softmax(inverse * above_nk, axis=1) * above_nk, axis=1)))

    if slope(0.0) >= 0:
        raise NotFitted("the scores do not rise with the true class on these samples")
    high = 1.0
    while slope(high) <= 0:
        high *= 2
        if high > 1e9:
            raise NotFitted("no finite optimum: the true class has the largest logit on every sample")
    inverse = float(brentq(slope, 0.0, high, xtol=1e-12)) / scale
    return ((0.0, 0.0), (1.0, inverse))
