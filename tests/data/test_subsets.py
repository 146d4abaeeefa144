"""Subsets for a learning curve: nested, whole groups, a fair mix of labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flawscope.data.subsets import nested_subsets
from flawscope.errors import SplitError
from flawscope.records import Samples, Task

FRACTIONS = (0.125, 0.25, 0.5, 1.0)
Make = Callable[..., Samples]


def grouped(make_samples: Make, n: int = 600, groups: int = 120, share: float = 0.2) -> Samples:
    rng = np.random.default_rng(0)
    module = np.sort(rng.integers(0, groups, n))
    bad = rng.random(n) < share * 2 * rng.random(groups)[module]
    return make_samples([[float(each)] for each in bad], groups=[f"m{each}" for each in module])


def test_each_is_in_the_next_and_no_group_is_cut(make_samples: Make) -> None:
    samples = grouped(make_samples)
    group = {row.id: row.group for row in samples.rows}
    found = nested_subsets(samples, group, (1.0, *FRACTIONS[:3]), seed=3)
    assert list(found) == list(FRACTIONS)
    before: set[str] = set()
    for fraction, ids in found.items():
        inside = {group[id] for id in ids}
        assert before < set(ids)
        assert set(ids) == {row.id for row in samples.rows if row.group in inside}
        assert len(ids) == pytest.approx(fraction * 600, abs=8)
        before = set(ids)
    assert before == set(group)


def test_every_subset_mixes_the_labels_as_the_whole_does(make_samples: Make) -> None:
    """Groups of several pictures that are all good or all bad: where a blind draw is farthest off."""
    module = np.sort(np.random.default_rng(0).integers(0, 120, 600))
    samples = make_samples([[float(each % 5 == 0)] for each in module], groups=[f"m{each}" for each in module])
    group = {row.id: row.group for row in samples.rows}
    blindly = np.array([f"m{each}" for each in range(120)])
    off: dict[str, list[float]] = {"dealt": [], "blind": []}
    for seed in range(40):
        ids = nested_subsets(samples, group, (0.25,), seed)[0.25]
        drawn = set(np.random.default_rng(seed).permutation(blindly)[:30])
        blind = [row.id for row in samples.rows if row.group in drawn]
        for kind, chosen in (("dealt", ids), ("blind", blind)):
            off[kind].append(abs(samples.select(chosen).target_nk.mean() - samples.target_nk.mean()))
    assert np.mean(off["dealt"]) < 0.35 * np.mean(off["blind"])


def test_the_seed_draws_other_subsets_and_more_fractions_do_not(make_samples: Make) -> None:
    samples = grouped(make_samples)
    group = {row.id: row.group for row in samples.rows}
    first = nested_subsets(samples, group, FRACTIONS, seed=0)
    assert nested_subsets(samples, group, (0.25,), seed=0)[0.25] == first[0.25]
    assert nested_subsets(samples, group, (0.25,), seed=1)[0.25] != first[0.25]


def test_a_label_that_a_subset_lacks_is_named(make_samples: Make) -> None:
    samples = make_samples([[1, 0]] * 3 + [[0, 1]] * 30 + [[0, 0]] * 30, task=Task("multilabel", ("crack", "dark")))
    group = {row.id: row.group for row in samples.rows}
    with pytest.raises(SplitError, match=r"0\.1 of the training part, \d images in whole groups, holds none of crack"):
        nested_subsets(samples, group, (0.1, 1.0), seed=0)


def test_groups_too_large_for_two_fractions_are_refused(make_samples: Make) -> None:
    samples = make_samples([[0], [1]] * 20, groups=["a"] * 20 + ["b"] * 20)
    with pytest.raises(SplitError, match="the groups are too large"):
        nested_subsets(samples, {row.id: row.group for row in samples.rows}, (0.4, 0.5, 1.0), seed=0)
