"""What disagreement between labels says of the best accuracy that anyone can reach against them.

Shapes: n cells, q readings of a cell beside another one (each pair of cells stands there twice, once from each side),
p pairs, s strata.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from flawscope.evaluation.metrics import IntArray
from flawscope.records import BoolArray, FloatArray


def least_error(disagreement: float) -> float:
    """The flip rate e of two independent readings that disagree this often: 2e(1 - e) = disagreement; at most 1/2.

    It is also the least error that the best rule can have: where some things are harder to label than others, 2e(1 - e)
    is concave in e, and the mean error is larger than this (Cover & Hart, 1967, IEEE Trans. Information Theory 13:21).

    >>> round(least_error(0.18), 4), least_error(0.0), least_error(0.7)
    (0.1, 0.0, 0.5)

    Raises:
        ValueError: the disagreement does not lie in [0, 1].
    """
    if not 0.0 <= disagreement <= 1.0:
        raise ValueError(f"a share of pairs lies in [0, 1], got {disagreement}")
    return (1 - math.sqrt(max(0.0, 1 - 2 * disagreement))) / 2


def greatest_error(disagreement: float) -> float:
    """The largest error that the best rule can have: the disagreement itself, and never more than 1/2.

    Reached where labels are certain of some things and tossed by a coin for the others: of these, half of two readings
    disagree, and half of all answers are wrong.

    >>> greatest_error(0.06), greatest_error(0.7)
    (0.06, 0.5)
    """
    return min(disagreement, 0.5)


def weight_of_cells(own_q: IntArray) -> FloatArray:
    """So much that each cell counts once, however many sisters it has.

    >>> weight_of_cells(np.array([0, 0, 1, 2])).tolist()
    [0.5, 0.5, 1.0, 1.0]
    """
    return 1.0 / np.bincount(own_q)[own_q]


def poststratified(
    opposite_q: BoolArray, weight_q: FloatArray, stratum_q: IntArray, share: Mapping[int, float]
) -> float:
    """The weighted share of opposite labels, each stratum counted as large as it is elsewhere.

    NaN where a stratum that is wanted holds nothing.

    >>> poststratified(np.array([True, False, False]), np.ones(3), np.array([0, 0, 1]), {0: 0.2, 1: 0.8})
    0.1
    """
    found = []
    for stratum, size in share.items():
        weight_s = weight_q[stratum_q == stratum]
        if not weight_s.sum():
            return float("nan")
        found.append(size * float(weight_s @ opposite_q[stratum_q == stratum] / weight_s.sum()))
    return sum(found) / sum(share.values())


def right_answers(probability_n: FloatArray) -> float:
    """Mean of max(p, 1 - p): how often the likelier answer is right, if p is the chance of "defective".

    >>> right_answers(np.array([0.0, 1.0, 0.25, 0.5]))
    0.8125
    """
    return float(np.maximum(probability_n, 1 - probability_n).mean())


def expected_auroc(chance_s: FloatArray, size_s: FloatArray | None = None) -> float:
    """AUROC of the chances as scores, against labels that are drawn with them; no other score can do better.

    The share of pairs (defective, functional) in the right order, ties counted half. `size_s`: how many cells have this
    chance; without it each is one cell. Exact up to the pairs of a cell with itself, one in n.

    >>> expected_auroc(np.array([0.0, 1.0])), expected_auroc(np.array([0.5, 0.5]))
    (1.0, 0.5)
    """
    value_s, of_s = np.unique(chance_s, return_inverse=True)
    count_s = np.bincount(of_s, weights=size_s)
    defective_s, functional_s = count_s * value_s, count_s * (1 - value_s)
    below_s = np.cumsum(functional_s) - functional_s
    return float(defective_s @ (below_s + functional_s / 2) / (defective_s.sum() * functional_s.sum()))


def auroc_if_few(disagreement: float, prevalence: float) -> float:
    """The best AUROC if all disagreement comes from cells whose labels are tossed by a coin; the others are certain.

    `prevalence` is the share of cells that are called defective. Half of the tossed cells are, too.

    >>> round(auroc_if_few(0.1, 0.3), 4), auroc_if_few(0.0, 0.3)
    (0.9762, 1.0)

    Raises:
        ValueError: there are not so many cells that could be called so by a coin.
    """
    if not 0 <= disagreement <= min(prevalence, 1 - prevalence):
        raise ValueError(f"expected a disagreement of at most {min(prevalence, 1 - prevalence)}, got {disagreement}")
    sizes = (1 - prevalence - disagreement, 2 * disagreement, prevalence - disagreement)
    return expected_auroc(np.array([0.0, 0.5, 1.0]), np.array(sizes))


def auroc_if_alike(disagreement: float, prevalence: float) -> float:
    """The best AUROC if each label, whatever it should be, is the wrong one with the same chance.

    >>> round(auroc_if_alike(0.18, 0.3), 4), auroc_if_alike(0.0, 0.3)
    (0.8571, 1.0)

    Raises:
        ValueError: so many wrong labels give another share of defective cells.
    """
    wrong = least_error(disagreement)
    if not wrong < min(prevalence, 1 - prevalence):
        raise ValueError(f"expected fewer wrong labels than {min(prevalence, 1 - prevalence)}, got {wrong}")
    real = (prevalence - wrong) / (1 - 2 * wrong)
    return expected_auroc(np.array([wrong, 1 - wrong]), np.array([1 - real, real]))


def in_a_run(place_p2: IntArray, least: int) -> BoolArray:
    """Which pairs belong to a run: at least so many neighbours in a row, each with its twin at the same distance.

    That is how a module looks that was photographed twice: the same cells in the same order. Such a distance must
    be at least as long as the run, or sisters side by side would count as one.

    >>> in_a_run(np.array([[0, 9], [1, 10], [2, 11], [4, 13], [5, 6]]), least=3).tolist()
    [True, True, True, False, False]
    """
    first_p, distance_p = place_p2.min(axis=1), np.abs(place_p2[:, 1] - place_p2[:, 0])
    belongs_p = np.zeros(len(place_p2), np.bool_)
    for distance in np.unique(distance_p[distance_p >= least]):
        at_p = np.flatnonzero(distance_p == distance)
        at_p = at_p[np.argsort(first_p[at_p])]
        for run in np.split(at_p, np.flatnonzero(np.diff(first_p[at_p]) != 1) + 1):
            belongs_p[run] = len(run) >= least
    return belongs_p


def mixture_share(seen: float, of_sure_functional: float, of_sure_defective: float) -> float:
    """Which share of unsure cells is like the surely defective ones, if the others are like the surely functional ones.

    `seen` is how often a second reader finds a defect in the unsure cells; the other two, in those of which the first
    was sure. NaN if the second reader does not tell these apart.

    >>> round(mixture_share(0.25, 0.05, 0.85), 4)
    0.25
    """
    if not of_sure_defective > of_sure_functional:
        return float("nan")
    return float(np.clip((seen - of_sure_functional) / (of_sure_defective - of_sure_functional), 0, 1))
