from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.records import (
    NOT_CHECKED,
    Decision,
    Interval,
    Masks,
    Prediction,
    Sample,
    Samples,
    Split,
    Task,
    fingerprint,
)

BINARY = Task("binary", ("bad",), "good")
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def sample(id: str, target: float = 0.0, **other: Any) -> Sample:
    return Sample(**{"id": id, "path": id, "target": (target,), "group": id, "sha256": id} | other)


@pytest.mark.parametrize(
    ("kind", "classes", "negative"),
    [
        ("binary", (), "ok"),
        ("binary", ("a", "b"), "ok"),
        ("binary", ("ok",), "ok"),
        ("binary", ("",), "ok"),
        ("multiclass", ("a",), "ok"),
        ("multiclass", ("a", "a"), "ok"),
        ("multilabel", (), "ok"),
        ("multilabel", ("a", "ok"), "ok"),
    ],
)
def test_tasks_that_make_no_sense(kind: Any, classes: tuple[str, ...], negative: str) -> None:
    with pytest.raises(ValueError, match="class"):
        Task(kind, classes, negative)


def test_a_task_in_words() -> None:
    assert BINARY.labels == ("good", "bad")
    assert [BINARY.describe([p]) for p in (0, 0.49, 0.5, 1)] == ["good", "good", "bad", "bad"]
    many = Task("multiclass", ("a", "ok", "c"))  # `negative` is no answer here, so a class may bear its name
    assert (many.labels, many.describe([0, 1, 0])) == (("a", "ok", "c"), "ok")
    both = Task("multilabel", ("a", "b"), "none")
    assert [both.describe(row) for row in ([0, 0], [0, 1], [1, 1])] == ["none", "b", "a + b"]
    with pytest.raises(ValueError, match="argument"):
        both.describe([1])


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_targets_lie_between_0_and_1(value: float) -> None:
    with pytest.raises(ValueError, match=r"x.png: targets lie in \[0, 1\]"):
        sample("x.png", value)


def test_samples() -> None:
    table = Samples("s", BINARY, (sample("b", 1.0), sample("a"), sample("c", 0.25)))
    assert table.target_nk.tolist() == [[1.0], [0.0], [0.25]]
    assert table.combinations() == ["bad", "good", "good"]
    assert [row.id for row in table.select(["c", "b", "unknown"]).rows] == ["b", "c"]
    assert Samples("s", BINARY, ()).target_nk.shape == (0, 1)
    with pytest.raises(ValueError, match="unique"):
        Samples("s", BINARY, (sample("a"), sample("a")))
    with pytest.raises(ValueError, match="1 values"):
        Samples("s", BINARY, (dataclasses.replace(sample("a"), target=(0.0, 1.0)),))


def test_the_hash_of_samples_sees_contents_and_labels_but_neither_place_nor_order() -> None:
    table = Samples("s", BINARY, (sample("a"), sample("b", 1.0)))
    moved = Samples("t", BINARY, (sample("b", 1.0, path="/else/b"), sample("a", group="g")), source="elsewhere")
    assert table.hash == moved.hash
    for changed in (sample("a", 1.0), sample("a", sha256="other"), sample("z")):
        assert Samples("s", BINARY, (changed, sample("b", 1.0))).hash != table.hash


def test_a_split() -> None:
    made = Split({"a": "train", "b": "test"}, {"a": "a", "b": "b"}, {"train": 0.5}, 0, "m")
    assert (made.stamp, made.ids("train"), made.ids("validation")) == (NOT_CHECKED, ["a"], [])
    assert dataclasses.replace(made, checks=("turned copies",)).stamp == "leak checked: turned copies"
    assert dataclasses.replace(made, seed=5, notes=("n",)).hash == made.hash
    assert dataclasses.replace(made, part={"a": "test", "b": "train"}).hash != made.hash
    with pytest.raises(ValueError, match="either in a part or left out"):
        dataclasses.replace(made, group={"a": "a"})
    with pytest.raises(ValueError, match=r"unknown parts \['tset'\]"):
        dataclasses.replace(made, part={"a": "tset", "b": "test"})


@pytest.mark.parametrize(
    "numbers", [(0.5, 0.5, 0.5), (0.5, 0.6, 0.7), (0.8, 0.6, 0.7), (0.5, math.nan, 1), (1, 0, 9e999)]
)
def test_intervals_that_say_nothing(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"expected low|finite"):
        Interval(*numbers)


def test_an_interval_as_words_and_data() -> None:
    interval = Interval(0.9, 0.85, 0.95, n=10)
    assert str(interval) == "0.900 (0.850 to 0.950)"
    assert Interval(**interval.as_dict()) == interval


def test_a_prediction_has_an_answer_or_a_reason() -> None:
    answer = Decision((True,), "bad")
    assert Prediction("a", (0.1,), (0.6,), answer).error == ""
    for wrong in ({}, {"error": "x", "decision": answer}, {"decision": answer, "probability": (1.2,)}):
        with pytest.raises(ValueError, match=r"either|probabilities"):
            Prediction("a", **wrong)  # type: ignore[arg-type]


def test_a_class_is_called_or_unsure_or_ruled_out() -> None:
    assert not Decision((False, False), "good").human
    assert Decision((False, False), "human", (True, False)).human
    assert not Decision((False, True), "crack", (True, False)).human
    for flags, unsure in (((True,), (True,)), ((False,), (False,)), ((False, False), (True,))):
        with pytest.raises(ValueError, match=r"called or unsure|of which some is unsure"):
            Decision(flags, "x", unsure)


@pytest.mark.parametrize("record", [BINARY, sample("a"), Interval(0.5, 0, 1), Decision((True,), "bad")])
def test_records_are_frozen(record: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, dataclasses.fields(record)[0].name, None)


@given(st.dictionaries(st.text(), plain, max_size=5))
def test_the_fingerprint_does_not_depend_on_the_order_of_keys(content: dict[str, Any]) -> None:
    assert fingerprint(content) == fingerprint(dict(reversed(content.items())))


def test_the_fingerprint_of_a_known_text() -> None:
    # sha256sum of the eight characters {"a":"ä"} less one: the canonical JSON is not escaped to ASCII
    import hashlib

    assert fingerprint({"a": "ä"}) == hashlib.sha256('{"a":"ä"}'.encode()).hexdigest()
    assert fingerprint([1]) != fingerprint(["1"])
    with pytest.raises(ValueError, match="JSON"):
        fingerprint(math.nan)


def test_masks_are_part_of_what_a_sample_is() -> None:
    task = Task("multilabel", ("hole", "crack"), pixels="multilabel")
    masks = Masks(2, 2, ("1 2", ""))
    row = Sample("a", "a.png", (1.0, 0.0), "a", "0" * 64, masks=masks)
    table = Samples("some", task, (row,))
    other = dataclasses.replace(table, rows=(dataclasses.replace(row, masks=Masks(2, 2, ("1 3", ""))),))
    assert table.hash != other.hash
    with pytest.raises(ValueError, match="is not what its masks show"):
        dataclasses.replace(row, target=(1.0, 1.0))
    with pytest.raises(ValueError, match="all samples of a task with masks have masks"):
        dataclasses.replace(table, rows=(dataclasses.replace(row, masks=None),))
    with pytest.raises(ValueError, match="those of other tasks have none"):
        dataclasses.replace(table, task=Task("multilabel", ("hole", "crack")))
