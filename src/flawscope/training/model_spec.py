"""What a recipe says of networks: which one, its first weights, the gate before it, and what runs it. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from flawscope.metadata import composed
from flawscope.preprocess import Preprocess
from flawscope.training.decide_spec import DecideSpec
from flawscope.training.metadata import Asked
from flawscope.training.spec import CalibrateSpec, Section, TrainSpec


class Normalise(Section):
    """Mean and standard deviation, one number or one a channel, of pixels scaled to 0..1 (LeCun et al. 1998)."""

    source: Literal["given", "training"] = Field(
        default="given", description="given: the two below; training: those of the training split, a channel"
    )
    mean: tuple[float, ...] = Field(default=(0.5,), description="is subtracted")
    std: tuple[float, ...] = Field(default=(0.5,), description="divides what is left; positive")

    @field_validator("mean", "std", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @field_validator("std")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(number > 0 for number in value):
            raise ValueError("standard deviations are positive")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Normalise:
        if self.source == "training" and (self.mean, self.std) != ((0.5,), (0.5,)):
            raise ValueError("numbers are given, and asked for from the training split: remove one of the two")
        return self


class ModelSpec(Section):
    """Which network, and where its weights come from."""

    name: str = Field(
        default="table:resnet18",
        description="`timm:<name>` or `table:<name>`; for masks `table:resunet`, or `smp:<decoder>/<name>`: a decoder "
        "of segmentation_models_pytorch on a network of timm",
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="keyword arguments of a timm model; with smp of the decoder, and what that does not know goes to "
        "timm",
    )
    head: str = Field(
        default="linear",
        description="what stands on a timm backbone: linear (its own: mean over the map, Lin et al. 2014, and one full "
        "layer) | norm (batch norms around that mean, dropout: reference system A) | gate (means of 4 x 4 and a hidden "
        "layer of 256: reference system D)",
    )
    weights: str = Field(default="none", description="imagenet | path.safetensors | none")
    freeze: bool = Field(default=False, description="train the head only")
    normalise: Normalise | None = Field(
        default=None,
        description="null: what timm says of its own weights of this network, also where a file is given that was made "
        "elsewhere; 0.5 without weights",
    )
    metadata: dict[str, Asked] = Field(
        default_factory=dict,
        description="columns that the network is given beside the picture, each `auto`, `category` or `number`; auto: "
        "numbers, if every value of the training part is one; joined to the features before the last layer (Pacheco & "
        "Krohling 2020). The line must supply them: `inspect --table`",
    )

    @field_validator("metadata")
    @classmethod
    def _composed(cls, value: dict[str, Asked]) -> dict[str, Asked]:
        return {composed(name): kind for name, kind in value.items()}

    @field_validator("arguments")
    @classmethod
    def _finite(cls, value: dict[str, Any]) -> dict[str, Any]:
        for number in _floats(value):
            if not math.isfinite(number):
                raise ValueError(f"expected a finite number, got {number}")
        return value


class ExportSpec(Section):
    """What runs the graph. Engine and precision belong to the seal."""

    engine: Literal["onnxruntime"] = Field(default="onnxruntime", description="what computes the graph")
    precision: Literal["float32"] = Field(default="float32", description="in which numbers it computes")
    average_over: Literal["none", "mirrors", "turns"] = Field(
        default="none",
        description="the logits are the mean over: mirrors, the image, mirrored both ways, and by 180 degrees (costs 4 "
        "times the computing; Krizhevsky et al. 2012, section 4.1); turns, all eight (8 times; square images only; "
        "Wang et al. 2019)",
    )
    maps: bool = Field(
        default=True,
        description="the graph also gives what explains its answers without torch: class activation maps where the "
        "head is linear behind a global average pooling (Zhou et al. 2016), and the last feature maps; masks are maps "
        "already",
    )


class GateSpec(Section):
    """A network that decides whether an image shows any flaw, trained on the same split as the one for masks.

    Reference system D has a ResNet-50 and `head: gate`. The escape contract suits its threshold best.
    """

    image: Preprocess = Field(default=Preprocess(), description="how a picture becomes its input")
    model: ModelSpec = Field(default=ModelSpec(), description="which network, and its first weights")
    train: TrainSpec = Field(default=TrainSpec(), description="how it learns")
    calibrate: CalibrateSpec = Field(default=CalibrateSpec(), description="how its score becomes a probability")
    decide: DecideSpec = Field(default=DecideSpec(), description="how its threshold is set")
    export: ExportSpec = Field(default=ExportSpec(maps=False), description="what runs its graph")


def _floats(value: Any) -> Iterator[float]:
    """All fractions in plain data."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _floats(inner)
