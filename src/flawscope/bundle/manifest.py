"""What a bundle says of itself: `manifest.json`, schema version 1.

A bundle runs its steps in order; each step runs one graph on named inputs and reads named outputs. The first recipes
have one step, one graph, one input and one output, but the schema holds several of each.

Everything that can change an answer stands in `Sealed`; the seal is the hash over it. A bundle without calibrator or
decision is a draft: it gives scores, but no answers, and has no seal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from flawscope.bundle.rules import Calibrator, DecisionRule, Entry, Gate, MaskRule, TaskModel, without_empty
from flawscope.errors import BundleError, listing
from flawscope.preprocess import Preprocess
from flawscope.records import HUMAN, fingerprint

SCHEMA_VERSION = 1
DAMAGED = "copy it again from where it was sealed"
MAX_TOLERANCE = 0.05
"""Logits of different CPUs differ by some 1e-5; a bundle that allowed much more would check nothing."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class ImageInput(Entry):
    """A picture: integers, N x C x H x W, made by `flawscope.preprocess`.

    `neutral`: of each channel the value that the normalisation in the graph makes 0; what explains an answer covers
    places with it. Empty: not told.
    """

    kind: Literal["image"] = "image"
    name: Name = "inputs"
    preprocess: Preprocess
    neutral: tuple[float, ...] = ()

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(write(self), "neutral")


class Column(Entry):
    """One metadata column: one of `categories`, or a number where there are none.

    `mean` and `std` are those of the numbers of the training part. They are told and used for test patterns; the graph
    holds its own and is given numbers as they are.
    """

    name: str = Field(min_length=1)
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)

    @field_validator("categories")
    @classmethod
    def _different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        _distinct("category", value)
        return value

    def words(self) -> str:
        """What may stand in it.

        >>> Column(name="type", categories=("mono", "poly")).words(), Column(name="age", mean=3, std=0.5).words()
        ('type (one of mono, poly)', 'age (a number, 3 on average while training, deviation 0.5)')
        """
        if self.categories:
            return f"{self.name} (one of {', '.join(self.categories)})"
        return f"{self.name} (a number, {self.mean:.4g} on average while training, deviation {self.std:.4g})"


class TableInput(Entry):
    """Metadata of the image: float32, N x columns, a category as its index, a number as it is.

    See `flawscope.metadata.encode`.
    """

    kind: Literal["table"] = "table"
    name: Name = "table"
    columns: tuple[Column, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _columns(self) -> TableInput:
        _distinct("column", (each.name for each in self.columns))
        return self


class Output(Entry):
    """A named output of a graph.

    `logits`: n x classes. `maps`: class activation maps, n x classes x h x w, in logits; their mean over h x w is the
    logit, but for a constant. `features`: the last feature maps, n x channels x h x w; for explaining only, what is
    made of them is checked in their place. `masks`: n x maps x height x width of the input.
    """

    name: Name = "logits"
    kind: Literal["logits", "features", "maps", "masks"] = "logits"


class Graph(Entry):
    """One ONNX file of the bundle. `sha256` is filled in when the bundle is written.

    `views`: so many times the network looks at each image, turned and mirrored; its answers are averaged in the graph.
    `layer`: the one that maps and features show; `no_maps`: why there are no maps, where they were wanted.
    """

    name: Name = "main"
    file: str = Field(default="graphs/main.onnx", pattern=r"^graphs/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.onnx$")
    sha256: Sha256 = ""
    inputs: tuple[Annotated[ImageInput | TableInput, Field(discriminator="kind")], ...] = Field(min_length=1)
    outputs: tuple[Output, ...] = Field(default=(Output(),), min_length=1)
    views: int = Field(default=1, ge=1)
    layer: str = ""
    no_maps: str = ""

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(write(self), "layer", "no_maps")

    @property
    def checked(self) -> tuple[str, ...]:
        """The outputs that golden test patterns check: all but features, which all others are made of."""
        return tuple(each.name for each in self.outputs if each.kind != "features")

    def output(self, kind: str) -> str:
        """The name of the first output of a kind; empty if there is none."""
        return next((each.name for each in self.outputs if each.kind == kind), "")

    @model_validator(mode="after")
    def _names(self) -> Graph:
        _distinct("input", (each.name for each in self.inputs))
        _distinct("output", (each.name for each in self.outputs))
        return self


class Step(Entry):
    """What is done with a graph: classify the image, let it pass to the next step (gate), or mark areas (mask)."""

    name: Name = "classify"
    kind: Literal["classify", "gate", "mask"] = "classify"
    graph: Name = "main"


class Engine(Entry):
    """What computes the graph. Another engine or precision gives other numbers, so it is part of the seal."""

    name: str = "onnxruntime"
    precision: str = "float32"


class Golden(Entry):
    """Test patterns for one graph: a .npy file for each input, the expected .npy for each output but features.

    `tolerance` is the largest accepted difference of an output value, as a share of the largest expected one (at
    least 1).
    """

    graph: Name = "main"
    file_inputs: dict[str, str]
    file_outputs: dict[str, str]
    tolerance: float = Field(default=1e-3, gt=0, le=MAX_TOLERANCE)


class Sealed(Entry):
    """Everything that can change an answer, and the stamp of the split that its numbers rest on."""

    task: TaskModel
    graphs: tuple[Graph, ...] = Field(min_length=1)
    steps: tuple[Step, ...] = Field(default=(Step(),), min_length=1)
    calibrator: Calibrator | None = None
    decision: DecisionRule | None = None
    masks: MaskRule | None = None
    gate: Gate | None = None
    engine: Engine = Engine()
    split_stamp: str

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(write(self), "masks", "gate")

    @model_validator(mode="after")
    def _consistent(self) -> Sealed:
        _distinct("graph", (each.name for each in self.graphs))
        _distinct("graph file", (each.file for each in self.graphs))
        _distinct("step", (each.name for each in self.steps))
        names = [each.name for each in self.graphs]
        for step in self.steps:
            if step.graph not in names:
                raise ValueError(f"step {step.name!r} asks for graph {step.graph!r}, the bundle has {names}")
        k = len(self.task.classes)
        if self.calibrator and len(self.calibrator.knots) != k:
            raise ValueError(f"the calibrator has {len(self.calibrator.knots)} tables for {k} classes")
        if self.calibrator and self.calibrator.against_rest and self.task.kind != "multiclass":
            raise ValueError(
                f"a calibrator against the rest belongs to a multiclass task, this one is {self.task.kind}"
            )
        if self.decision and len(self.decision.thresholds) != k:
            raise ValueError(f"the decision has {len(self.decision.thresholds)} thresholds for {k} classes")
        if self.decision and self.decision.looked_at and self.task.kind == "multiclass":
            raise ValueError("no person looks between the thresholds of a multiclass task: its classes are weighed")
        if self.decision and self.decision.looked_at and HUMAN in (*self.task.classes, self.task.negative):
            raise ValueError(f"no class may be called {HUMAN!r}: this is the answer that a person has to look")
        self._masks_consistent(k)
        return self

    def _masks_consistent(self, k: int) -> None:
        kinds = [step.kind for step in self.steps]
        wanted = ["gate", "mask"] if self.gate else ["mask"]
        if self.task.pixels and kinds != wanted:
            raise ValueError(f"a task with masks has the steps {wanted}, got {kinds}")
        if not self.task.pixels and (self.masks or self.gate):
            raise ValueError("rules of masks and gates belong to tasks with masks")
        if self.task.pixels and (self.calibrator or self.decision):
            raise ValueError("a task with masks is decided by its rule of masks, and its gate")
        if self.masks and not len(self.masks.levels) == len(self.masks.min_areas) == k:
            raise ValueError(f"the rule of masks is for {len(self.masks.levels)} classes, the task has {k}")

    @property
    def is_draft(self) -> bool:
        """Whether what decides is still missing: calibrator or decision, or the rule of masks."""
        if self.task.pixels:
            return self.masks is None
        return self.calibrator is None or self.decision is None

    def graph(self, name: str) -> Graph:
        """The graph of that name (it exists: checked on construction)."""
        return next(each for each in self.graphs if each.name == name)


class Hashes(Entry):
    """Where the bundle comes from: hashes of the data, the split and the recipe, and the version of the code."""

    data: str
    split: str
    recipe: str
    code: str


class Manifest(Entry):
    """The whole of `manifest.json`. `seal` and `files` are filled in when the bundle is written."""

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    created: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}", description="ISO 8601 date, given by whoever makes the bundle")
    sealed: Sealed
    seal: Sha256 = ""
    hashes: Hashes
    licences: tuple[str, ...] = ()
    parent: str | None = None
    golden: tuple[Golden, ...]
    files: dict[str, Sha256] = Field(default={})

    @model_validator(mode="after")
    def _golden_for_each_graph(self) -> Manifest:
        covered = {each.graph: each for each in self.golden}
        for graph in self.sealed.graphs:
            golden = covered.get(graph.name)
            if golden is None:
                raise ValueError(f"graph {graph.name!r} has no golden test patterns")
            if {each.name for each in graph.inputs} != set(golden.file_inputs):
                raise ValueError(f"the golden patterns of graph {graph.name!r} do not name its inputs")
            if set(graph.checked) != set(golden.file_outputs):
                raise ValueError(f"the golden outputs of graph {graph.name!r} do not name its outputs")
        return self


def _distinct(what: str, names: Iterable[str]) -> None:
    found = list(names)
    if len(set(found)) != len(found):
        raise ValueError(f"{what} names must be distinct, got {found}")


def seal_of(sealed: Sealed) -> str:
    """The seal: SHA-256 over the canonical JSON of everything that can change an answer.

    Raises:
        BundleError: a draft, which has nothing to seal yet.
    """
    if sealed.is_draft:
        raise BundleError("a draft has no seal: its calibrator or decision is missing", "run: flawscope decide")
    return fingerprint(sealed.model_dump(mode="json"))


def to_json(manifest: Manifest) -> str:
    """The text of `manifest.json`."""
    return json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str | bytes) -> Manifest:
    """Read `manifest.json` and check its seal.

    Raises:
        BundleError: damaged, of a newer schema, or the seal does not fit what it covers.
    """
    try:
        raw = json.loads(text)
        fingerprint(raw)  # json.loads takes NaN and half characters, which can be neither hashed nor written
    except (ValueError, RecursionError) as error:
        raise BundleError(f"manifest.json is damaged: {_short(error)}", DAMAGED) from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError("manifest.json names no schema version", DAMAGED)
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"the bundle has schema version {version}, this flawscope reads up to {SCHEMA_VERSION}",
            "install a newer flawscope: pip install --upgrade flawscope",
        )
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'manifest'}: {each['msg']}" for each in error.errors()]
        raise BundleError(f"manifest.json does not fit the schema:\n{listing(problems)}", DAMAGED) from None
    # Over the text as it was sealed, so that a default added in a later version cannot break an old seal.
    expected = "" if manifest.sealed.is_draft else fingerprint(raw["sealed"])
    if manifest.seal != expected:
        raise BundleError("the seal does not fit what it covers: the bundle was changed after sealing", DAMAGED)
    return manifest


def _short(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]
