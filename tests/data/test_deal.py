"""Rare labels come near to what was wanted although groups stay whole."""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from flawscope.data.deal import counted, deal_largest_first, deal_rarest_first, deviations
from flawscope.records import Part, Samples, Task

TASK = Task("multilabel", ("crack", "inactive"))
SHARES: dict[Part, float] = {"train": 0.5, "validation": 0.1, "calibration": 0.2, "test": 0.2}


def skewed(make_samples: Callable[..., Samples], seed: int, size: int = 20) -> Samples:
    """1,594 cells, 333 with a crack only, 12 inactive only, 110 both, of which some modules hold more than others."""
    rng = np.random.default_rng(seed)
    labels = [[1, 0]] * 333 + [[0, 1]] * 12 + [[1, 1]] * 110 + [[0, 0]] * 1139
    module = np.sort(rng.integers(0, 1594 // size, len(labels)))
    order = np.argsort(rng.normal(size=1594 // size)[module] + rng.normal(size=len(labels)))
    target = np.zeros((len(labels), 2))
    target[order] = labels
    return make_samples(target.tolist(), groups=[f"module {number}" for number in module], task=TASK)


def deviation(samples: Samples, part: Mapping[str, Part]) -> float:
    """Mean over parts and labels of |count - wanted| / wanted."""
    its = np.array([part[row.group] for row in samples.rows])
    total_k = samples.target_nk.sum(axis=0)
    off = [abs(samples.target_nk[its == name].sum(axis=0) / total_k / share - 1) for name, share in SHARES.items()]
    return float(np.mean(off))


def test_rarest_first_comes_nearer_than_largest_first(make_samples: Callable[..., Samples]) -> None:
    old, new = [], []
    for seed in range(6):
        samples = skewed(make_samples, seed)
        group = {row.id: row.group for row in samples.rows}
        old.append(deviation(samples, deal_largest_first(counted(samples, group), SHARES, seed)))
        new.append(deviation(samples, deal_rarest_first(counted(samples, group, single_labels=True), SHARES, seed)))
    assert np.mean(new) < 0.6 * np.mean(old)
    assert np.mean(new) < 0.05


def test_combinations_and_single_labels_are_counted(make_samples: Callable[..., Samples]) -> None:
    samples = make_samples([[1, 1], [1, 0], [0, 0]], task=TASK)
    group = {row.id: "g" for row in samples.rows}
    assert counted(samples, group) == {"g": Counter({"crack + inactive": 1, "crack": 1, "ok": 1})}
    both = {"crack + inactive": 1, "crack": 1, "ok": 1, "any crack": 2, "any inactive": 1}
    assert counted(samples, group, single_labels=True) == {"g": Counter(both)}


@pytest.mark.parametrize("deal", [deal_largest_first, deal_rarest_first])
def test_the_seed_decides_and_every_part_gets_a_group(make_samples: Callable[..., Samples], deal: Callable) -> None:  # type: ignore[type-arg]
    samples = skewed(make_samples, 0)
    counts = counted(samples, {row.id: row.group for row in samples.rows})
    assert deal(counts, SHARES, 3) == deal(dict(reversed(counts.items())), SHARES, 3)
    assert deal(counts, SHARES, 3) != deal(counts, SHARES, 4)
    tiny = {"train": 0.94, "validation": 0.02, "calibration": 0.02, "test": 0.02}
    dealt = deal(counts, tiny, 0)
    size = Counter(dealt[row.group] for row in samples.rows)
    assert all(0.01 < size[name] / 1594 < 0.04 for name in tiny if name != "train")
    few = {name: counts[name] for name in list(counts)[:4]}
    assert set(deal(few, tiny, 0).values()) == set(tiny)


def test_a_label_that_is_there_beside_another_is_not_called_missing(make_samples: Callable[..., Samples]) -> None:
    samples = make_samples([[0, 1]] + [[1, 1]] * 4 + [[0, 0]] * 5, task=TASK)
    part: dict[str, Part] = {row.id: "test" if i % 2 else "train" for i, row in enumerate(samples.rows)}
    notes = deviations(samples, part, {"train": 0.5, "test": 0.5}, {row.id: row.id for row in samples.rows})
    assert notes[0] == "train: 20.0% are 'inactive' alone, 10.0% in all the data"
    assert "test holds no image of 'inactive' alone: what depends on it cannot be measured there" in notes
