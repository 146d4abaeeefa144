from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flawscope.bundle.asked import AskedDecision
from flawscope.bundle.contract import EscapeContract
from flawscope.bundle.manifest import (
    Column,
    Engine,
    Golden,
    Graph,
    Hashes,
    ImageInput,
    Manifest,
    Output,
    Sealed,
    Step,
    TableInput,
    from_json,
    seal_of,
    to_json,
)
from flawscope.bundle.rules import Calibrator, DecisionRule, MaskRule, TaskModel
from flawscope.errors import BundleError
from flawscope.preprocess import Preprocess
from flawscope.records import Interval, Task, fingerprint

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NUMBER = st.floats(-1e6, 1e6)


def plain(**changes: Any) -> Sealed:
    values: dict[str, Any] = {
        "task": TaskModel.of(Task("binary", ("defective",))),
        "graphs": (Graph(inputs=(ImageInput(preprocess=Preprocess()),)),),
        "calibrator": Calibrator.identity(1),
        "decision": DecisionRule(rule="best F1", thresholds=(0.5,)),
        "split_stamp": "LEAK NOT CHECKED",
    }
    return Sealed(**(values | changes))


def manifest(sealed: Sealed, **changes: Any) -> Manifest:
    golden = tuple(
        Golden(
            graph=graph.name,
            file_inputs={each.name: f"golden/{graph.name}.{each.name}.npy" for each in graph.inputs},
            file_outputs={each.name: f"golden/{graph.name}.{each.name}.expected.npy" for each in graph.outputs},
        )
        for graph in sealed.graphs
    )
    seal = "" if sealed.is_draft else seal_of(sealed)
    values: dict[str, Any] = {
        "name": "cells",
        "created": "2026-01-31",
        "sealed": sealed,
        "seal": seal,
        "hashes": Hashes(data="a", split="b", recipe="c", code="d"),
        "golden": golden,
    }
    return Manifest(**(values | changes))


@st.composite
def knots(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    xs = sorted(draw(st.sets(st.integers(-1000, 1000), min_size=2, max_size=6)))
    ys = sorted(draw(st.lists(NUMBER, min_size=len(xs), max_size=len(xs))))
    return tuple((x / 16, y) for x, y in zip(xs, ys, strict=True))


@st.composite
def sealeds(draw: st.DrawFn) -> Sealed:
    classes = tuple(draw(st.lists(TEXT, min_size=2, max_size=3, unique=True)))
    kind = draw(st.sampled_from(["multiclass", "multilabel"]))
    spec = Preprocess(
        size=(draw(st.integers(8, 512)), draw(st.integers(8, 512))),
        channels=draw(st.sampled_from([1, 3])),
        depth=draw(st.sampled_from([8, 16])),
        crop=draw(st.sampled_from([None, (0, 0, 5, 6)])),
    )
    table = TableInput(name="meta", columns=(Column(name=draw(TEXT)), Column(name="line", categories=("1", "2"))))
    gate = Graph(name="gate", file="graphs/gate.onnx", inputs=(ImageInput(preprocess=spec), table))
    mask = Graph(
        name="mask",
        file="graphs/mask.onnx",
        inputs=(ImageInput(preprocess=spec),),
        outputs=(Output(), Output(name="masks", kind="masks")),
    )
    drafted = draw(st.booleans())
    thresholds = tuple(draw(st.floats(0, 1, exclude_min=True)) for _ in classes)
    return Sealed(
        task=TaskModel(kind=kind, classes=classes, negative="\0none of them\0"),
        graphs=(gate, mask),
        steps=(Step(name="gate", kind="gate", graph="gate"), Step(name="mask", kind="mask", graph="mask")),
        calibrator=None if drafted else Calibrator(method=draw(TEXT), knots=tuple(draw(knots()) for _ in classes)),
        decision=DecisionRule(rule=draw(TEXT), fitted_on="calibration", thresholds=thresholds),
        engine=Engine(precision=draw(st.sampled_from(["float32", "bfloat16"]))),
        split_stamp=draw(TEXT),
    )


@given(sealeds(), TEXT)
def test_round_trip_through_json(sealed: Sealed, name: str) -> None:
    first = manifest(sealed, name=name)
    assert from_json(to_json(first)) == first


@given(sealeds())
def test_the_seal_depends_on_content_alone(sealed: Sealed) -> None:
    if sealed.is_draft:
        with pytest.raises(BundleError, match="draft has no seal"):
            seal_of(sealed)
    else:
        again = Sealed.model_validate_json(sealed.model_dump_json())
        assert seal_of(again) == seal_of(sealed)


@pytest.mark.parametrize(
    "changes",
    [
        {"split_stamp": "leak checked: bytes"},
        {"task": TaskModel.of(Task("binary", ("defect",)))},
        {"graphs": (Graph(inputs=(ImageInput(preprocess=Preprocess(resize="nearest")),)),)},
        {"graphs": (Graph(sha256="0" * 64, inputs=(ImageInput(preprocess=Preprocess()),)),)},
        {"calibrator": Calibrator(method="none", knots=(((0, 0), (1, 1.0000001)),))},
        {"decision": DecisionRule(rule="best F1", thresholds=(0.5000001,))},
        {"engine": Engine(precision="bfloat16")},
    ],
)
def test_whatever_changes_an_answer_changes_the_seal(changes: dict[str, Any]) -> None:
    assert seal_of(plain(**changes)) != seal_of(plain())


def test_a_bundle_of_before_calibrators_went_against_the_rest_opens_with_its_old_seal() -> None:
    raw = json.loads(to_json(manifest(plain())))
    assert raw["sealed"]["calibrator"].pop("against_rest") is False
    raw["seal"] = fingerprint(raw["sealed"])
    opened = from_json(json.dumps(raw))
    assert opened.sealed == plain()
    assert opened.seal == raw["seal"] != seal_of(plain())


def test_changed_after_sealing_is_refused() -> None:
    raw = json.loads(to_json(manifest(plain())))
    raw["sealed"]["decision"]["thresholds"] = [0.4]
    with pytest.raises(BundleError, match="changed after sealing"):
        from_json(json.dumps(raw))


def test_a_newer_schema_is_refused_before_its_fields_are_read() -> None:
    with pytest.raises(BundleError, match=r"schema version 2, .* up to 1\n  -> install a newer flawscope"):
        from_json('{"schema_version": 2, "all": "new"}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        (b"\xff\xfe{}", "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"schema_version": NaN}', "damaged"),
        ('{"schema_version": 1, "name": "\\ud800"}', "damaged"),
        ("[]", "no schema version"),
        ("{}", "no schema version"),
        ('{"schema_version": true}', "no schema version"),
        ('{"schema_version": "1"}', "no schema version"),
        ('{"schema_version": 0}', "no schema version"),
        ('{"schema_version": 1}', "sealed: Field required"),
    ],
)
def test_damaged_manifests(text: str | bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        from_json(text)


def test_every_key_that_does_not_fit_is_named() -> None:
    raw = json.loads(to_json(manifest(plain())))
    raw["extra"] = 1
    raw["sealed"]["decision"]["thresholds"] = [1.5]
    with pytest.raises(BundleError) as error:
        from_json(json.dumps(raw))
    for key in ("extra", "sealed.decision.thresholds.0"):
        assert key in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Calibrator(method="x", knots=(((0, 0),),)), "at least 2 knots"),
        (lambda: Calibrator(method="x", knots=(((0, 0), (0, 1)),)), "knots rise"),
        (lambda: Calibrator(method="x", knots=(((0, 1), (1, 0)),)), "knots rise"),
        (lambda: Calibrator(method="x", knots=(((0, 0), (5e-324, 1e300)),)), "too close"),
        (lambda: Calibrator(method="x", fitted_on="test", knots=(((0, 0), (1, 1)),)), "test split"),
        (lambda: DecisionRule(rule="x", fitted_on="test", thresholds=(0.5,)), "test split"),
        (lambda: DecisionRule(rule="x", thresholds=(0.0,)), "greater than 0"),
        (
            lambda: plain(calibrator=Calibrator(method="x", knots=(((0, 0), (1, 1)),), against_rest=True)),
            "against the rest belongs to a multiclass task, this one is binary",
        ),
        (lambda: plain(calibrator=Calibrator.identity(2)), "2 tables for 1 classes"),
        (lambda: plain(decision=DecisionRule(rule="x", thresholds=(0.1, 0.2))), "2 thresholds for 1 classes"),
        (lambda: plain(steps=(Step(graph="other"),)), "asks for graph 'other'"),
        (lambda: plain(steps=(Step(), Step())), "step names must be distinct"),
        (lambda: manifest(plain(), golden=()), "no golden test patterns"),
        (lambda: Graph(file="graphs/../x.onnx", inputs=()), "String should match pattern"),
        (lambda: Golden(file_inputs={}, file_outputs={}, tolerance=0.1), "less than or equal to 0.05"),
        (lambda: TaskModel(kind="binary", classes=("a", "b"), negative="c"), "binary task cannot have"),
    ],
)
def test_what_makes_no_sense_cannot_be_made(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


def test_a_decision_without_contracts_is_written_as_before_there_were_any() -> None:
    rule = DecisionRule(rule="best_f1", fitted_on="calibration", thresholds=(0.4,))
    assert set(rule.model_dump(mode="json")) == {"rule", "fitted_on", "thresholds", "notes"}


def test_a_contract_goes_into_the_seal_and_comes_back() -> None:
    contract = EscapeContract(
        name="defective", max_escape=0.02, confidence=0.95, units="groups", kept=True, threshold=0.4, positives=300,
        effective=200.0, groups=200, escapes=0, bound=0.0149, reached=0.98, needed=149, more=None,
        overkill=Interval(0.1, 0.05, 0.2, n=90, effective=90.0, groups=90), overkill_unproven=0.05, words=("So.",),
    )  # fmt: skip
    rule = DecisionRule(rule="max_escape", fitted_on="calibration", thresholds=(0.4,), contracts=(contract,))
    assert DecisionRule.model_validate_json(rule.model_dump_json()) == rule
    with pytest.raises(ValidationError):
        DecisionRule.model_validate({**rule.model_dump(), "contracts": [{**contract.model_dump(), "bound": 2}]})


def test_what_was_asked_together_goes_into_the_seal_and_comes_back() -> None:
    asked = (AskedDecision(name="a", words="rule best_f1"), AskedDecision(name="b", words="x", confidences=(0.95, 0.9)))
    rule = DecisionRule(rule="best_f1", thresholds=(0.4,), asked=asked)
    assert DecisionRule.model_validate_json(rule.model_dump_json()) == rule
    alone = plain(decision=DecisionRule(rule="best_f1", thresholds=(0.4,)))
    assert seal_of(plain(decision=rule)) != seal_of(alone)


def test_lower_thresholds_go_into_the_seal_and_lie_below_the_upper_ones() -> None:
    rule = DecisionRule(rule="costs", thresholds=(0.7,), looked_at=(0.1,))
    assert DecisionRule.model_validate_json(rule.model_dump_json()) == rule
    for bad in ((0.8,), (0.1, 0.1), (0.0,)):
        with pytest.raises(ValidationError):
            DecisionRule(rule="costs", thresholds=(0.7,), looked_at=bad)


def test_a_task_with_masks_is_decided_by_its_own_rule() -> None:
    task = TaskModel(kind="multilabel", classes=("hole", "crack"), negative="ok", pixels="multilabel")
    picture = ImageInput(preprocess=Preprocess(size=64, channels=1, resize="none"))
    graph = Graph(inputs=(picture,))
    steps = (Step(name="mask", kind="mask"),)
    draft = Sealed(task=task, graphs=(graph,), steps=steps, split_stamp="s")
    assert draft.is_draft
    rule = MaskRule(levels=(128, 90), min_areas=(1, 20), fitted_on="calibration")
    decided = draft.model_copy(update={"masks": rule})
    assert not decided.is_draft
    assert Sealed.model_validate(decided.model_dump()) == decided
    assert not {"masks", "gate"} & set(draft.model_dump())
    for wrong, words in (
        ({"masks": rule.model_copy(update={"levels": (9,)})}, "for 1 classes, the task has 2"),
        ({"steps": (Step(),)}, "has the steps"),
        ({"calibrator": Calibrator.identity(2)}, "decided by its rule of masks"),
        ({"task": task.model_copy(update={"pixels": ""}), "masks": rule}, "belong to tasks with masks"),
    ):
        with pytest.raises(ValueError, match=words):
            Sealed.model_validate(draft.model_copy(update=wrong).model_dump())
    with pytest.raises(ValueError, match="a task with masks is a multilabel one"):
        TaskModel(kind="binary", classes=("hole",), negative="ok", pixels="multilabel")


def test_what_explains_an_answer_is_not_written_where_there_is_none() -> None:
    """So that the seal of an older bundle, decided anew, is what it would have been then."""
    plain = Graph(inputs=(ImageInput(preprocess=Preprocess(size=(8, 8))),))
    assert set(plain.model_dump(mode="json")) == {"name", "file", "sha256", "inputs", "outputs", "views"}
    assert set(plain.model_dump(mode="json")["inputs"][0]) == {"kind", "name", "preprocess"}
    told = plain.model_copy(update={"layer": "layer4", "no_maps": "why"})
    assert {"layer", "no_maps"} < set(told.model_dump(mode="json"))
    assert Graph.model_validate(told.model_dump(mode="json")) == told
