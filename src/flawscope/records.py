"""The records that the rooms hand to each other: frozen, and checked on construction.

Shapes: n samples, k classes (score columns). A binary task has one score column, the class to be found; its other
answer is `Task.negative`. A multi-label sample that shows none of the classes is `Task.negative` too.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from flawscope.wording import interval_in_words

TaskKind = Literal["binary", "multiclass", "multilabel"]
PixelKind = Literal["", "multilabel", "multiclass"]
"""Whether the place of each flaw is known: no; yes, and classes may overlap; yes, and no pixel shows two classes."""
Part = Literal["train", "validation", "calibration", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "calibration", "test")
NOT_CHECKED = "LEAK NOT CHECKED"
HUMAN = "human"
"""The third answer: neither good nor bad, a person has to look."""
PairKind = Literal["identical", "re-encoded", "turned", "mirrored", "exposure", "shifted", "sister"]
PAIR_KINDS: tuple[PairKind, ...] = ("identical", "re-encoded", "turned", "mirrored", "exposure", "shifted", "sister")
"""From the plainest to the softest."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def fingerprint(content: Any) -> str:
    """SHA-256 of the canonical JSON of plain data: the same content gives the same hash on every machine.

    >>> fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """What is to be decided about each image; with `pixels` also where the flaws of each class are (masks).

    A task with masks is a multi-label one: an image is what its masks show.

    >>> Task("binary", ("defective",), negative="ok").labels
    ('ok', 'defective')
    """

    kind: TaskKind
    classes: tuple[str, ...]
    negative: str = "ok"
    pixels: PixelKind = ""

    def __post_init__(self) -> None:
        if self.pixels and self.kind != "multilabel":
            raise ValueError(f"a task with masks is a multilabel one, got {self.kind}")
        names = (*self.classes, self.negative) if self.kind != "multiclass" else self.classes
        if len(set(names)) != len(names) or not all(names):
            raise ValueError(f"class names must be distinct and not empty, got {names}")
        least = {"binary": 1, "multiclass": 2, "multilabel": 1}[self.kind]
        if len(self.classes) < least or (self.kind == "binary" and len(self.classes) != 1):
            raise ValueError(f"a {self.kind} task cannot have the classes {self.classes}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The answers that exclude each other: rows of the confusion matrix (not for multi-label)."""
        return (self.negative, *self.classes) if self.kind == "binary" else self.classes

    def describe(self, row: Iterable[float]) -> str:
        """The words for one row of targets or decisions (0 or 1 for each class).

        >>> Task("multilabel", ("crack", "inactive")).describe([1, 1])
        'crack + inactive'
        """
        return " + ".join(name for name, on in zip(self.classes, row, strict=True) if on >= 0.5) or self.negative


@dataclass(frozen=True)
class Masks:
    """Where an image shows each class: a run-length code a class, empty for none (`flawscope.masks`), and its size."""

    height: int
    width: int
    codes: tuple[str, ...]

    @property
    def shown(self) -> tuple[float, ...]:
        """The target that follows: 1 for each class of which a pixel is set.

        >>> Masks(2, 2, ("", "1 2")).shown
        (0.0, 1.0)
        """
        return tuple(float(bool(code)) for code in self.codes)


@dataclass(frozen=True)
class Sample:
    """One labelled image. `target` holds one number in [0, 1] a class; `group` names what must not be split.

    `published` is the part that the data set itself gives it to, where it comes with a split. `masks` are there in
    tasks with masks only; the target is then what they show.
    """

    id: str
    path: str
    target: tuple[float, ...]
    group: str
    sha256: str
    meta: Mapping[str, str | float] = field(default_factory=dict)
    published: Part | None = None
    masks: Masks | None = None

    def __post_init__(self) -> None:
        if not all(0.0 <= value <= 1.0 for value in self.target):
            raise ValueError(f"{self.id}: targets lie in [0, 1], got {self.target}")
        if self.masks is not None and self.masks.shown != self.target:
            raise ValueError(f"{self.id}: the target {self.target} is not what its masks show, {self.masks.shown}")

    @property
    def content(self) -> list[Any]:
        """What a hash over samples is made of: id, image, labels, and masks where there are any."""
        masks = [] if self.masks is None else [asdict(self.masks)]
        return [self.id, self.sha256, list(self.target), *masks]


@dataclass(frozen=True)
class Skipped:
    """An input that was left out, where it stands and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Samples:
    """The one table of samples that every importer makes, in file order. `notes`: what is to be known of them."""

    name: str
    task: Task
    rows: tuple[Sample, ...]
    skipped: tuple[Skipped, ...] = ()
    grouping: str = "each image by itself"
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len({row.id for row in self.rows}) != len(self.rows):
            raise ValueError("sample ids must be unique")
        if any(len(row.target) != len(self.task.classes) for row in self.rows):
            raise ValueError(f"each target needs {len(self.task.classes)} values")
        if any((row.masks is not None) != bool(self.task.pixels) for row in self.rows):
            raise ValueError("all samples of a task with masks have masks, those of other tasks have none")

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def target_nk(self) -> FloatArray:
        """All targets, float64, n x k."""
        return np.array([row.target for row in self.rows], dtype=np.float64).reshape(len(self), len(self.task.classes))

    @property
    def groups(self) -> list[str]:
        """The group of each sample."""
        return [row.group for row in self.rows]

    @cached_property
    def hash(self) -> str:
        """Hash over ids, contents and labels: the same data gives the same hash wherever it lies."""
        return fingerprint([row.content for row in sorted(self.rows, key=lambda r: r.id)])

    def combinations(self) -> list[str]:
        """The label combination of each sample in words: what a split is stratified on."""
        return list(self.combination_of.values())

    @cached_property
    def combination_of(self) -> dict[str, str]:
        """The label combination of each sample id in words."""
        return {row.id: self.task.describe(row.target) for row in self.rows}

    def select(self, ids: Iterable[str]) -> Samples:
        """The samples of these ids, in table order."""
        wanted = set(ids)
        rows = tuple(row for row in self.rows if row.id in wanted)
        return replace(self, rows=rows)


@dataclass(frozen=True)
class Pair:
    """Two images of the same thing, and the evidence for it.

    `measure` is the correlation of the two once they lie on each other, 1 for the same pixels; `turn` says what is
    done to `b` to lie on `a`, `shift` by which share of height and width it is moved then. `needed` is the threshold
    that the measure had to reach.
    """

    a: str
    b: str
    kind: PairKind
    measure: float
    turn: str = ""
    shift: tuple[float, float] = (0.0, 0.0)
    needed: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in PAIR_KINDS or self.a == self.b:
            raise ValueError(f"a pair has two images and a kind of {PAIR_KINDS}, got {self.a}, {self.b}, {self.kind}")
        if not -1.0 <= self.measure <= 1.0:
            raise ValueError(f"a correlation lies in [-1, 1], got {self.measure}")


@dataclass(frozen=True)
class Twins:
    """All pairs that the leak court has found among `n` images, and how it came to its thresholds.

    `facts` is plain data: the thresholds, the false-pair rate, and the distribution that they come from.
    """

    pairs: tuple[Pair, ...]
    n: int
    method: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """Which part each sample belongs to, and the groups that were kept together.

    `checks` names the searches for images of the same thing that were run on the images; without any, the split
    carries the stamp LEAK NOT CHECKED. `left_out` gives the reason for each sample that is in no part, because it
    would leak.
    """

    part: Mapping[str, Part]
    group: Mapping[str, str]
    wanted: Mapping[str, float]
    seed: int
    method: str
    checks: tuple[str, ...] = ()
    fold: int | None = None
    folds: int | None = None
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.part) | set(self.left_out) != set(self.group) or set(self.part) & set(self.left_out):
            raise ValueError("each sample with a group is either in a part or left out")
        unknown = set(self.part.values()) - set(PARTS)
        if unknown:
            raise ValueError(f"unknown parts {sorted(unknown)}, expected {PARTS}")

    @property
    def stamp(self) -> str:
        """What stands in the seal and on the report."""
        return f"leak checked: {', '.join(self.checks)}" if self.checks else NOT_CHECKED

    @cached_property
    def hash(self) -> str:
        """Hash over the assignment alone."""
        return fingerprint(sorted(self.part.items()))

    def ids(self, part: Part) -> list[str]:
        """The samples of one part."""
        return [name for name, value in self.part.items() if value == part]


@dataclass(frozen=True)
class Interval:
    """A measured value with its confidence interval. Never of zero width.

    `n` counts samples, `effective` the independent samples that they are worth, `groups` the groups they come from.
    """

    value: float
    low: float
    high: float
    level: float = 0.95
    method: str = ""
    n: int = 0
    effective: float = 0.0
    groups: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"an interval needs finite numbers, got {numbers}")
        if not self.low <= self.value <= self.high or self.low >= self.high:
            raise ValueError(f"expected low <= value <= high with low < high, got {numbers}")

    def __str__(self) -> str:
        value, ends = interval_in_words(self.value, self.low, self.high)
        return f"{value} ({ends})"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Decision:
    """The answer of the bundle for one image: which classes are called, and the words for it.

    `unsure` says which classes are neither called nor ruled out; empty if none is.

    >>> Decision((False,), "human", unsure=(True,)).human, Decision((True, False), "crack", unsure=(False, True)).human
    (True, False)
    """

    flags: tuple[bool, ...]
    label: str
    unsure: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        if self.unsure and (len(self.unsure) != len(self.flags) or not any(self.unsure)):
            raise ValueError(f"expected {len(self.flags)} classes of which some is unsure, or none, got {self.unsure}")
        if any(flag and unsure for flag, unsure in zip(self.flags, self.unsure, strict=False)):
            raise ValueError("a class is either called or unsure")

    @property
    def human(self) -> bool:
        """Whether a person has to look: no class is called, and not all are ruled out."""
        return any(self.unsure) and not any(self.flags)


@dataclass(frozen=True)
class Prediction:
    """What the runtime says of one image. Either `error` is given, or all of the rest."""

    name: str
    logits: tuple[float, ...] = ()
    probability: tuple[float, ...] = ()
    decision: Decision | None = None
    seconds: float = 0.0
    error: str = ""

    def __post_init__(self) -> None:
        if bool(self.error) == (self.decision is not None):
            raise ValueError("a prediction has either a decision or an error")
        if self.decision and not all(0.0 <= value <= 1.0 for value in self.probability):
            raise ValueError(f"{self.name}: probabilities lie in [0, 1], got {self.probability}")


@dataclass(frozen=True)
class FoundFlaw:
    """One connected flaw that the runtime has found; a pixel is a square of side 1, (0, 0) the upper left corner.

    `area` counts pixels; `box` is (left, top, right, bottom), right and bottom just beyond the last pixel; `centroid`
    is (x, y); `score` is the mean probability of its pixels.
    """

    name: str
    area: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    score: float


@dataclass(frozen=True)
class MaskPrediction:
    """What a bundle that makes masks says of one image.

    `answer` is about the image as a whole: the highest probability of a pixel for each class, and the classes of which
    a flaw is found. `gate` is the gate's probability of any flaw, where there is a gate; `stopped`: the gate called the
    image good, and nobody looked for flaws. `gate_seconds` is the gate's share of `answer.seconds`.
    """

    answer: Prediction
    masks: Masks | None = None
    flaws: tuple[FoundFlaw, ...] = ()
    gate: float | None = None
    stopped: bool = False
    gate_seconds: float = 0.0

    def __post_init__(self) -> None:
        if bool(self.answer.error) == (self.masks is not None):
            raise ValueError("a prediction has either masks or an error")

    @property
    def unmarked(self) -> bool:
        """Whether there is a gate that did not call the image good, and no flaw was found."""
        return self.gate is not None and not self.stopped and not self.flaws
