"""Optimisers and schedules, as the recipe names them."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

if TYPE_CHECKING:
    from flawscope.models.build import Network
    from flawscope.training.spec import Schedule, TrainSpec

Groups = list[dict[str, Any]]
ADAM_MOMENTUM, MOMENTUM_CYCLE = 0.95, 0.1
"""Where one_cycle begins with the first beta of Adam, and by how much it lowers momentum (Smith & Topin 2019)."""


def parameter_groups(network: Network, spec: TrainSpec) -> Groups:
    """The head, and the backbone with its own rate; what is never to learn is left out."""
    of_head = {id(parameter) for parameter in network.head.parameters()}
    head = [parameter for parameter in network.parameters() if id(parameter) in of_head]
    backbone = [
        parameter
        for parameter in network.parameters()
        if id(parameter) not in of_head and (parameter.requires_grad or spec.unfreeze is not None)
    ]
    groups: Groups = [{"params": head, "lr": spec.rate}]
    return [*groups, {"params": backbone, "lr": spec.rate * spec.backbone_rate}] if backbone else groups


def make_optimiser(groups: Groups, spec: TrainSpec) -> torch.optim.Optimizer:
    """AdamW, Adam, NAdam or SGD with momentum."""
    decay = spec.weight_decay
    match spec.optimiser:
        case "sgd":
            return torch.optim.SGD(groups, momentum=spec.momentum, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(groups, weight_decay=decay)
        case "nadam":
            return torch.optim.NAdam(groups, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=decay)


def make_schedule(optimiser: torch.optim.Optimizer, spec: TrainSpec, steps: int) -> LRScheduler:
    """The learning rate after each step of the optimiser; `steps` of them are an epoch."""
    if spec.schedule.kind == "one_cycle":
        highest = [group["lr"] for group in optimiser.param_groups]
        # Momentum goes the other way, from its value down and back (of Adam and its like the first beta).
        most = spec.momentum if spec.optimiser == "sgd" else ADAM_MOMENTUM
        least = max(0.0, most - MOMENTUM_CYCLE)
        total = spec.epochs * steps + 1
        return OneCycleLR(optimiser, max_lr=highest, total_steps=total, base_momentum=least, max_momentum=most)
    return LambdaLR(optimiser, partial(rate_factor, schedule=spec.schedule, epochs=spec.epochs, steps=steps))


def rate_factor(step: int, *, schedule: Schedule, epochs: int, steps: int) -> float:
    """What the learning rate is multiplied by in one step, counting from 0.

    >>> from flawscope.training.spec import Schedule
    >>> thirds = Schedule(kind="divide_by_3", after=[1, 2])
    >>> [round(rate_factor(step, schedule=thirds, epochs=3, steps=2), 3) for step in range(6)]
    [1.0, 1.0, 0.333, 0.333, 0.111, 0.111]
    """
    rising = schedule.warm_up * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    done = step // steps
    match schedule.kind:
        case "cosine":
            share = (step - rising) / max(1.0, epochs * steps - rising)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
        case "step":
            return float(schedule.factor ** (done // schedule.every))
        case "multi_step" | "divide_by_3":
            return math.prod((factor for epoch, factor in _changes(schedule).items() if done >= epoch), start=1.0)
    return 1.0


def _changes(schedule: Schedule) -> dict[int, float]:
    """After which epoch the rate is multiplied by what."""
    if isinstance(schedule.after, dict):
        return schedule.after
    return dict.fromkeys(schedule.after, 1 / 3 if schedule.kind == "divide_by_3" else schedule.factor)
