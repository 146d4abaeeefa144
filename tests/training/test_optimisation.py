"""Learning rates by hand, and which optimiser is made."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from flawscope.models.build import NetworkPlan, build
from flawscope.training.optimisation import make_optimiser, make_schedule, parameter_groups
from flawscope.training.spec import Schedule, TrainSpec, Unfreeze


def rates(epochs: int, steps: int = 1, **asked: Any) -> list[float]:
    """The learning rate of every step, 1 being the recipe's."""
    spec = TrainSpec(epochs=epochs, rate=1.0, schedule=Schedule(**asked))
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": spec.rate}]
    optimiser = make_optimiser(groups, spec)
    schedule, found = make_schedule(optimiser, spec, steps), []
    for _ in range(epochs * steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return found


def test_one_cycle_rises_for_three_tenths_and_falls_to_nearly_nothing() -> None:
    cycle = rates(4, 10, kind="one_cycle")
    assert max(cycle) == pytest.approx(1.0, rel=0.01)
    assert cycle[0] == pytest.approx(1 / 25)
    assert (cycle.index(max(cycle)) / len(cycle), cycle[-1] < 0.01) == (pytest.approx(0.3, abs=0.03), True)


@pytest.mark.parametrize(("name", "momentum", "most", "least"), [("sgd", 0.3, 0.3, 0.2), ("adamw", 0.3, 0.95, 0.85)])
def test_one_cycle_moves_momentum_the_other_way(name: Any, momentum: float, most: float, least: float) -> None:
    spec = TrainSpec(epochs=4, optimiser=name, momentum=momentum)
    optimiser = make_optimiser([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": spec.rate}], spec)
    schedule, found = make_schedule(optimiser, spec, 10), []
    for _ in range(40):
        group = optimiser.param_groups[0]
        found.append(group["momentum"] if name == "sgd" else group["betas"][0])
        optimiser.step()
        schedule.step()
    assert (found[0], min(found), max(found)) == pytest.approx((most, least, most), abs=1e-3)
    assert found.index(min(found)) == pytest.approx(12, abs=1)


@pytest.mark.parametrize(
    ("epochs", "asked", "expected"),
    [
        (3, {"kind": "constant"}, [1, 1, 1]),
        (4, {"kind": "cosine"}, [1, 0.5 + 0.25 * math.sqrt(2), 0.5, 0.5 - 0.25 * math.sqrt(2)]),
        (5, {"kind": "step", "every": 2}, [1, 1, 0.1, 0.1, 0.01]),
        (5, {"kind": "multi_step", "factor": 0.5, "after": [1, 4]}, [1, 0.5, 0.5, 0.5, 0.25]),
        (4, {"kind": "multi_step", "after": {1: 0.1, 3: 0.5}}, [1, 0.1, 0.1, 0.05]),
        (3, {"kind": "divide_by_3", "after": [1, 2]}, [1, 1 / 3, 1 / 9]),
    ],
)
def test_rates_by_hand(epochs: int, asked: dict[str, Any], expected: list[float]) -> None:
    assert rates(epochs, **asked) == pytest.approx(expected)
    every_step = rates(epochs, 3, **asked)
    assert every_step[::3] == pytest.approx(expected)


def test_the_rates_of_system_a_and_b() -> None:
    thirds = rates(18, kind="divide_by_3", after=[7, 9, 11, 13, 15, 17])
    assert thirds == pytest.approx(
        [1.0] * 7 + [1 / 3] * 2 + [1 / 9] * 2 + [1 / 27] * 2 + [1 / 81] * 2 + [1 / 243] * 2 + [1 / 729]
    )
    after = {10: 0.1, 20: 0.1, 30: 0.1, 40: 0.1, 60: 0.5, 80: 0.5, 100: 0.5, 130: 0.5}
    tenths = rates(131, kind="multi_step", after=after)
    assert [tenths[i] for i in (9, 10, 40, 60, 130)] == pytest.approx([1, 0.1, 1e-4, 5e-5, 1e-4 / 16])


def test_a_warm_up_rises_evenly_to_the_rate() -> None:
    assert rates(2, 4, kind="constant", warm_up=1)[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    warm = rates(3, 2, kind="cosine", warm_up=1)
    assert warm == pytest.approx([1 / 3, 2 / 3, 1, 0.5 + 0.25 * math.sqrt(2), 0.5, 0.5 - 0.25 * math.sqrt(2)])


def test_the_kind_alone_may_be_named() -> None:
    assert TrainSpec.model_validate({"schedule": "cosine"}).schedule == Schedule(kind="cosine")


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"kind": "multi_step"}, "needs `after`"),
        ({"kind": "cosine", "after": [3]}, "takes no `after`"),
        ({"kind": "one_cycle", "warm_up": 1}, "has its own warm-up"),
        ({"kind": "multi_step", "after": [0]}, "epochs count from 1"),
        ({"kind": "divide_by_3", "after": {3: 0.5}}, "only multi_step takes them"),
        ({"kind": "multi_step", "after": {3: -0.5}}, "factors are positive"),
    ],
)
def test_schedules_that_make_no_sense(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Schedule(**asked)


def test_the_backbone_has_its_own_rate() -> None:
    network = build(NetworkPlan("timm:test_resnet", 1, 1))
    spec = TrainSpec(rate=0.1, backbone_rate=0.01, epochs=2)
    head, backbone = (optimiser := make_optimiser(parameter_groups(network, spec), spec)).param_groups
    assert [id(p) for p in head["params"]] == [id(p) for p in network.head.parameters()]
    assert len(head["params"]) + len(backbone["params"]) == len(list(network.parameters()))
    schedule = make_schedule(optimiser, spec, steps=5)
    for _ in range(4):
        assert backbone["lr"] == pytest.approx(0.01 * head["lr"])
        optimiser.step()
        schedule.step()
    frozen = build(NetworkPlan("timm:test_resnet", 1, 1, freeze=True))
    assert len(parameter_groups(frozen, TrainSpec())) == 1
    assert len(parameter_groups(frozen, TrainSpec(unfreeze=Unfreeze(after=1)))) == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("nadam", torch.optim.NAdam), ("sgd", torch.optim.SGD)],
)
def test_optimisers(name: Any, kind: type[torch.optim.Optimizer]) -> None:
    spec = TrainSpec(optimiser=name, momentum=0.8, weight_decay=0.3)
    made = make_optimiser([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1}], spec)
    assert type(made) is kind
    assert made.param_groups[0]["weight_decay"] == 0.3
    assert made.param_groups[0].get("momentum", 0.8) == 0.8
