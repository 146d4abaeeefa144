"""The rules of a bundle that turn the numbers of a graph into answers. Torch-free."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from flawscope.bundle.asked import AskedDecision
from flawscope.bundle.contract import EscapeContract
from flawscope.bundle.cost import ExpectedCost
from flawscope.records import PixelKind, Task, TaskKind

Knots = tuple[tuple[float, float], ...]


def _not_test(part: str) -> str:
    if part == "test":
        raise ValueError("nothing that decides may be fitted on the test split")
    return part


Threshold = Annotated[float, Field(gt=0, le=1)]
FittedOn = Annotated[str, AfterValidator(_not_test)]
"""The split part that something was fitted on; empty where nothing was fitted."""


class Entry(BaseModel):
    """Plain data of the file; unknown keys are refused, and numbers that are none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def without_empty(written: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Without these keys where they are empty: the seal is what it was before there were such keys."""
    return {key: value for key, value in written.items() if value or key not in keys}


class TaskModel(Entry):
    """`records.Task` as it stands in the file."""

    kind: TaskKind
    classes: tuple[str, ...]
    negative: str
    pixels: PixelKind = ""

    @model_validator(mode="after")
    def _possible(self) -> TaskModel:
        self.task()
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(write(self), "pixels")

    @classmethod
    def of(cls, task: Task) -> TaskModel:
        """The file's form of a task."""
        return cls(kind=task.kind, classes=task.classes, negative=task.negative, pixels=task.pixels)

    def task(self) -> Task:
        """The record that the rooms work with."""
        return Task(self.kind, self.classes, self.negative, self.pixels)


class Calibrator(Entry):
    """From raw to calibrated logits: one table of (x, y) knots a class, linear between and beyond them.

    `against_rest` (multi-class only): the tables take log-odds against all other classes, see `flawscope.probability`.
    """

    method: str
    fitted_on: FittedOn = ""
    knots: tuple[Knots, ...]
    against_rest: bool = False
    note: str = ""

    @field_validator("knots")
    @classmethod
    def _monotone(cls, value: tuple[Knots, ...]) -> tuple[Knots, ...]:
        for table in value:
            if len(table) < 2:
                raise ValueError(f"a calibrator needs at least 2 knots a class, got {len(table)}")
            for (x, y), (next_x, next_y) in pairwise(table):
                if not (x < next_x and y <= next_y):
                    raise ValueError(f"knots rise in x and do not fall in y, got {(x, y)} before {(next_x, next_y)}")
                if not math.isfinite((next_y - y) / (next_x - x)):
                    raise ValueError(f"knots {(x, y)} and {(next_x, next_y)} are too close in x")
        return value

    @classmethod
    def identity(cls, classes: int) -> Calibrator:
        """Leaves logits as they are."""
        return cls(method="none", knots=(((0.0, 0.0), (1.0, 1.0)),) * classes, note="scores are not calibrated")


class DecisionRule(Entry):
    """The threshold of each class, in (0, 1], and how it was found (see `postprocess.decide`).

    `looked_at` are the lower thresholds: between the two of them a person looks; empty where nobody does. `contracts`
    is empty where no escape rate was promised, `costs` where the rule is another. `asked` are all decisions that the
    recipe asked for, this one among them; empty where it asked for one.
    """

    rule: str
    fitted_on: FittedOn = ""
    thresholds: tuple[Threshold, ...]
    looked_at: tuple[Threshold, ...] = ()
    notes: tuple[str, ...] = ()
    contracts: tuple[EscapeContract, ...] = ()
    costs: tuple[ExpectedCost, ...] = ()
    asked: tuple[AskedDecision, ...] = ()

    @model_validator(mode="after")
    def _low_and_high(self) -> DecisionRule:
        pairs = list(zip(self.looked_at, self.thresholds, strict=False))
        if self.looked_at and (len(self.looked_at) != len(self.thresholds) or any(low > high for low, high in pairs)):
            raise ValueError(f"a person looks from {self.looked_at} on, which do not lie below {self.thresholds}")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is empty is not written: the seal is what it was before there were these keys."""
        return without_empty(write(self), "looked_at", "contracts", "costs", "asked")


class MaskRule(Entry):
    """From the maps of a network to flaws. The probability of a pixel counts in 256 steps: level = floor(256 p).

    A pixel is marked where its level reaches the threshold of its class; of classes that exclude each other only the
    most probable answer (the background is one) can be marked. Connected marked pixels are a flaw (corners connect),
    and flaws of fewer pixels than the least area of their class are dropped. Pictures larger than the graph's input are
    looked at in tiles that overlap by `overlap` (height, width) pixels and are blended there.
    """

    levels: tuple[Annotated[int, Field(ge=1, le=255)], ...] = Field(min_length=1)
    min_areas: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    overlap: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 0)
    mm_per_pixel: float | None = Field(default=None, gt=0)
    fitted_on: FittedOn = ""
    notes: tuple[str, ...] = ()


class Gate(Entry):
    """What decides whether an image shows any flaw at all; only then flaws are looked for."""

    task: TaskModel
    calibrator: Calibrator
    decision: DecisionRule
