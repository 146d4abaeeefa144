"""Many shots of few things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from flawscope.data.court import fair as fair_module
from flawscope.data.court.different import Different
from flawscope.data.court.fair import FEW, fair_sample
from flawscope.data.court.pictures import Grey, turned
from flawscope.data.court.verdict import twins_among
from flawscope.data.linkage import link_samples
from flawscope.records import Samples

Texture = Callable[..., Grey]
SamplesOf = Callable[..., Samples]


def series(texture: Texture, things: int, shots: int) -> Grey:
    """Each thing so many times, at slightly different exposures and with the noise of a camera."""
    rng = np.random.default_rng(0)
    seen = [texture(thing) * rng.uniform(0.85, 1.1) for thing in range(things) for _ in range(shots)]
    return np.stack([np.clip(each + rng.normal(0, 2, each.shape), 0, 249).astype(np.uint8) for each in seen])


def test_of_what_plainly_shows_the_same_a_few_take_part(texture: Texture) -> None:
    fair = fair_sample(series(texture, 6, 30))
    assert Counter((fair.places_s // 30).tolist()) == dict.fromkeys(range(6), FEW)
    assert fair.stands_for == 1.0


def test_turned_pictures_plainly_show_the_same(texture: Texture) -> None:
    others = [texture(100 + seed) for seed in range(20)]
    fair = fair_sample(np.stack([*(turned(texture(0), turn) for turn in range(8)), *others]))
    assert sorted(fair.places_s.tolist())[FEW:] == list(range(8, 28))
    assert (fair.places_s < 8).sum() == FEW


def test_different_pictures_all_take_part_up_to_a_number(texture: Texture, monkeypatch: pytest.MonkeyPatch) -> None:
    fair = fair_sample(np.stack([texture(seed) for seed in range(60)]))
    assert sorted(fair.places_s.tolist()) == list(range(60))
    monkeypatch.setattr(fair_module, "SAMPLE", 40)
    some = fair_sample(np.stack([texture(seed) for seed in range(60)]))
    assert len(set(some.places_s.tolist())) == 40
    assert some.stands_for == 1.5


@pytest.mark.parametrize(("things", "shots"), [(6, 25), (3, 20)])
def test_all_shots_of_a_thing_come_into_one_group(
    texture: Texture, samples_of: SamplesOf, things: int, shots: int
) -> None:
    samples = samples_of(things * shots)
    twins = twins_among(series(texture, things, shots), samples)
    group = link_samples(samples, twins, 1.0).group
    found = Counter((group[row.id], place // shots) for place, row in enumerate(samples.rows))
    assert len({name for name, _ in found}) == things
    assert sorted(found.values()) == [shots] * things


def test_twins_among_the_different_ones_are_noticed() -> None:
    def read(measures: np.ndarray) -> str:
        different = Different(100, (), (), np.zeros(0, np.int64), np.zeros((100, 1), np.int64))
        different.__dict__["measure_q"] = measures
        return different.unread

    plain = np.linspace(-0.2, 0.5, 400)
    assert read(plain) == ""
    assert "many pictures of few things" in read(np.append(plain, [0.95] * 20))
    assert read(np.append(plain, [0.95] * 4)) == ""
    assert "too few" in read(plain[:50])


@pytest.mark.parametrize(("things", "said"), [(199, "cannot be said"), (200, "")])
def test_of_few_things_no_rate_is_told(things: int, said: str) -> None:
    different = Different(things, (), (), np.zeros(0, np.int64), np.zeros((things, 1), np.int64))
    different.__dict__["measure_q"] = np.linspace(-0.2, 0.5, 400)
    assert different.unread == ""
    assert said in different.note if said else different.note == ""
