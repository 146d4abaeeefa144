"""The `tune` section of a recipe: which keys are searched, where, and how. Torch-free.

Trials are compared by one number of one validation split. So a key that changes the data, the split or the number
itself cannot be searched: the trials would be no longer comparable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, model_validator

from flawscope.errors import choices
from flawscope.training.spec import Section

Number = int | float

FIXED = {
    "name": "it names the study",
    "data": "trials are compared on the same data",
    "split": "trials are compared on the same split; the best of several splits is luck",
    "calibrate": "the calibrator is fitted after training; it changes nothing that is learnt",
    "decide": "thresholds are set after training, on the calibration split",
    "export": "it changes nothing that is learnt",
    "gate": "it is a network of its own, which learns by itself",
    "masks.thresholds": "thresholds are set after training, on the calibration split",
    "masks.min_area": "it is set after training, on the calibration split",
    "masks.overlap": "it changes nothing that is learnt",
    "masks.mm_per_pixel": "it changes nothing that is learnt",
    "tune": "the search does not search itself",
    "image.crop": "it decides which pictures can be used",
    "train.watch": "it is the number by which trials are compared",
    "train.seed": "the best of several seeds is luck, no setting",
    "train.device": "it changes nothing that is learnt",
    "train.workers": "it changes nothing that is learnt",
}
"""Keys and sections that cannot be searched, and why. `train.soft_labels` can: it changes what is learnt from, while
validation measures against the labels as ever."""

OF_THE_LOSS = ("train.loss", "train.focal_gamma", "train.label_smoothing", "train.class_weights", "masks.loss")
"""They change what the validation loss is made of, so that it compares nothing."""


class Searched(Section):
    """Where one key is searched: a range (`low`, `high`), or a list of `choices`."""

    low: Number | None = Field(default=None, description="the lowest value")
    high: Number | None = Field(default=None, description="the highest value")
    log: bool = Field(default=False, description="search evenly over the logarithm: each factor of ten counts alike")
    step: Number | None = Field(default=None, gt=0, description="only low, low + step, and so on")
    choices: list[Any] | None = Field(default=None, description="these values and no others, of any kind, also lists")

    @model_validator(mode="after")
    def _range_or_choices(self) -> Searched:
        ends = (self.low, self.high)
        if self.choices is not None:
            if ends != (None, None) or self.log or self.step is not None:
                raise ValueError("give either choices, or low and high")
            if len(self.labels) < 2:
                raise ValueError("choices are at least two")
            if len(set(self.labels)) < len(self.labels):
                raise ValueError("one of the choices stands twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("expected low and high, or choices")
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs a positive low, got {self.low:g}")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"a step of {self.step:g} leads out of {self.low:g} to {self.high:g}")
        return self

    @property
    def labels(self) -> list[str]:
        """The choices in words, for the database, tables and figures.

        >>> Searched(choices=["sgd", None, [0.8, 1.2]]).labels
        ['sgd', 'null', '[0.8, 1.2]']
        """
        return [label(choice) for choice in self.choices or ()]

    @property
    def samples(self) -> list[Any]:
        """What stands for all values: the choices, or both ends."""
        return list(self.choices) if self.choices is not None else [self.low, self.high]

    @property
    def whole(self) -> bool:
        """Whether a range holds whole numbers only.

        >>> Searched(low=16, high=64).whole, Searched(low=0, high=0.5).whole
        (True, False)
        """
        given = [value for value in (self.low, self.high, self.step) if value is not None]
        return self.choices is None and all(isinstance(value, int) for value in given)


class TuneSpec(Section):
    """What `flawscope tune` searches, and how. It changes nothing for the other commands, nor the hash of the recipe.

    The key of each entry of `space` is a key of this recipe, such as `train.rate`. What cannot be searched: what
    changes the data, the split, or the number by which trials are compared.
    """

    space: dict[str, Searched] = Field(
        min_length=1, description="for each key that is searched its range or its choices, see below"
    )
    trials: int = Field(default=30, ge=1, description="how many trials in all; `--trials` goes first")
    sampler: Literal["tpe", "random"] = Field(
        default="tpe",
        description="tpe: after 10 random trials near what was good (Bergstra et al. 2011); random: anywhere",
    )
    pruner: Literal["median", "none"] = Field(
        default="median",
        description="median: a trial stops after an epoch where its best value is worse than the median of the "
        "finished ones in that epoch (Golovin et al. 2017)",
    )
    warm_up: int = Field(default=1, ge=0, description="no trial is pruned in its first so many epochs")
    first: int = Field(default=5, ge=1, description="so many trials must have finished before one is pruned")
    seed: int = Field(default=0, ge=0, lt=2**32, description="the same seed draws the same trials")


def label(value: Any) -> str:
    """A value in one line, as YAML and JSON write it.

    >>> label("none"), label(None), label(True), label([1, 2])
    ('none', 'null', 'true', '[1, 2]')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def number_or_label(value: Any) -> str:
    """A value as people write it.

    >>> number_or_label(0.00123456), number_or_label([1, 2]), number_or_label("sgd")
    ('0.001235', '[1, 2]', 'sgd')
    """
    return f"{value:.4g}" if isinstance(value, float) else label(value)


def problems_of_names(spec: TuneSpec, recipe: type[BaseModel], watch: str) -> list[str]:
    """What is wrong with the keys of the space, one line each.

    Args:
        spec: the section.
        recipe: the model of a whole recipe.
        watch: the measure by which trials are compared.
    """
    found = []
    for key in spec.space:
        reason = refused(key, watch)
        unknown = _unknown(key, recipe)
        inside = [other for other in spec.space if other != key and key.startswith(f"{other}.")]
        if reason:
            found.append(f"tune.space.{key}: cannot be searched: {reason}")
        elif unknown:
            found.append(f"tune.space.{key}: unknown key, {unknown}")
        elif inside:
            found.append(f"tune.space.{key}: {inside[0]} is searched as a whole: leave out one of them")
        elif spec.space[key].choices is None and not (kinds(key, recipe) & {int, float, Any}):
            found.append(f"tune.space.{key}: is no number: give choices")
        elif _only_whole(key, recipe) and not spec.space[key].whole and spec.space[key].choices is None:
            found.append(f"tune.space.{key}: holds whole numbers: low, high and step must be whole, too")
    return found


def refused(key: str, watch: str) -> str:
    """Why a key cannot be searched; empty if it can.

    >>> refused("split.seed", "auroc")
    'trials are compared on the same split; the best of several splits is luck'
    >>> refused("train.loss", "auroc"), refused("train.rate", "loss")
    ('', '')
    """
    for fixed, reason in FIXED.items():
        if key == fixed or key.startswith(f"{fixed}."):
            return reason
    if watch == "loss" and any(key == each or key.startswith(f"{each}.") for each in OF_THE_LOSS):
        return "it changes the loss, which is what is watched: set train.watch to another measure"
    if key in ("image", "model", "train"):
        return "name a key of this section"
    return ""


def integers(key: str, searched: Searched, recipe: type[BaseModel]) -> bool:
    """Whether a range is drawn in whole numbers: both ends are whole, and the key does not hold a fraction."""
    return searched.whole and float not in kinds(key, recipe)


def kinds(key: str, recipe: type[BaseModel]) -> set[Any]:
    """The plain types that a key of the recipe may hold; `Any` where nobody has said."""
    annotation = _annotation(key, recipe)
    return {Any} if annotation is None else set(_leaves(annotation))


def _only_whole(key: str, recipe: type[BaseModel]) -> bool:
    return kinds(key, recipe) & {int, float, Any} == {int}


def _leaves(annotation: Any) -> Iterable[Any]:
    inner = get_args(annotation)
    if not inner or get_origin(annotation) is Literal:
        yield annotation
    for each in inner if get_origin(annotation) is not Literal else ():
        if each is not NoneType:
            yield from _leaves(each)


def _annotation(key: str, recipe: type[BaseModel]) -> Any:
    """The type that the recipe gives a key, or None below a key that holds anything (`model.arguments.drop_rate`)."""
    annotation: Any = recipe
    for part in key.split("."):
        section = section_of(annotation)
        if section is None or part not in section.model_fields:
            return None
        annotation = section.model_fields[part].annotation
    return annotation


def _unknown(key: str, recipe: type[BaseModel]) -> str:
    """The remedy for a key that the recipe does not have; empty if it has it."""
    annotation: Any = recipe
    above = ""
    for part in key.split("."):
        section = section_of(annotation)
        if section is None:
            return "" if _is_mapping(annotation) else f"{part!r} leads nowhere"
        if part not in section.model_fields:
            return choices(part, [name for name in section.model_fields if f"{above}{name}" not in FIXED])
        above += f"{part}."
        annotation = section.model_fields[part].annotation
    return ""


def _is_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section of a recipe that an annotation names, alone or beside null."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def put(content: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data of a recipe with other values for some keys; the data that were given stay as they are.

    >>> put({"train": {"rate": 0.1, "unfreeze": None}}, {"train.unfreeze.after": 2})
    {'train': {'rate': 0.1, 'unfreeze': {'after': 2}}}
    """
    changed: dict[str, Any] = json.loads(json.dumps(content))
    for key, value in settings.items():
        *sections, last = key.split(".")
        place = changed
        for section in sections:
            if not isinstance(place.get(section), dict):
                place[section] = {}
            place = place[section]
        place[last] = value
    return changed
