"""Bundles that attack, lie or break, let loose in the real sandbox: each ends as its own failure, with a reason."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from flawscope.bundle.runtime import Runtime
from flawscope.challenge import answers as module
from flawscope.challenge import child
from flawscope.challenge.answers import Answers, Refused, Unfinished, answers_of, packed, unpacked
from flawscope.challenge.bounds import Bounds
from flawscope.challenge.sandbox import Ended
from flawscope.errors import BundleError, DataError
from flawscope.preprocess import Preprocess
from flawscope.records import Task

Odd = Callable[..., Path]
BINARY = Task("binary", ("defective",), "functional")
THREE = Task("multilabel", ("crack", "dirt", "hole"), "fine")
QUICK = Bounds(cpu_seconds=60, wall_seconds=120, memory_bytes=2**31)
MEAN = helper.make_node("ReduceMean", ["values", "axes"], ["mean"], keepdims=1)
FLAT = helper.make_node("Flatten", ["mean"], ["flat"])
AXES = {"axes": np.array([1, 2, 3])}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey pictures of 0, 20, ... 240, and a white one."""
    folder = tmp_path_factory.mktemp("images")
    for i, value in enumerate([*range(0, 241, 20), 255]):
        Image.new("L", (10, 10), value).save(folder / f"{i:05d}.png")
    return folder


def asked(bundle: Path, images: Path, task: Task = BINARY, bounds: Bounds = QUICK) -> Answers | Refused | Unfinished:
    return answers_of(bundle, images, [path.name for path in sorted(images.iterdir())], task, bounds)


def refused(bundle: Path, images: Path, words: str, **asked_for: Any) -> None:
    found = asked(bundle, images, **asked_for)
    assert isinstance(found, Refused)
    assert re.search(words, found.reason), found.reason
    assert "/given" not in found.reason and ".png" not in found.reason


@pytest.mark.usefixtures("sandbox")
def test_answers_are_those_of_the_runtime_in_the_classes_order(make_bundle: Odd, images: Path) -> None:
    files = sorted(images.iterdir())
    bundle = make_bundle(THREE, Preprocess(size=(8, 8), channels=3), thresholds=(0.2, 0.5, 0.7))
    found = asked(bundle, images, THREE)
    assert isinstance(found, Answers)
    expected = list(Runtime.open(bundle).predict(files))
    np.testing.assert_array_equal(found.scores_nk, [each.probability for each in expected])
    flags = [each.decision.flags for each in expected if each.decision]
    np.testing.assert_array_equal(found.decided_nk, flags)
    assert found.decided_nk.any() and not found.decided_nk.all()
    turned = asked(bundle, images, replace(THREE, classes=("hole", "crack", "dirt")))
    assert isinstance(turned, Answers)
    np.testing.assert_array_equal(turned.scores_nk, found.scores_nk[:, [2, 0, 1]])
    np.testing.assert_array_equal(turned.decided_nk, found.decided_nk[:, [2, 0, 1]])


@pytest.mark.usefixtures("sandbox")
def test_bundles_that_do_not_fit_the_challenge(
    make_bundle: Odd, make_mask_bundle: Odd, images: Path, tmp_path: Path
) -> None:
    refused(make_bundle(), images, r"decides about defective \(binary\); the challenge asks for crack", task=THREE)
    refused(make_bundle(draft=True), images, "a draft")
    refused(make_mask_bundle(), images, "makes masks")
    refused(make_bundle(spec=Preprocess(size=(8, 8), crop=(0, 0, 50, 50))), images, "crop .* reaches beyond the pict")
    content = bytearray(make_bundle().read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.flawscope").write_bytes(content)
    refused(tmp_path / "changed.flawscope", images, "damaged")


def test_a_hidden_picture_that_is_gone_is_nobodys_failure(make_bundle: Odd, images: Path) -> None:
    with pytest.raises(DataError, match=r"lacks x\.png, and 0 others"):
        answers_of(make_bundle(), images, ["00000.png", "x.png"], BINARY, QUICK)


@pytest.mark.usefixtures("sandbox")
def test_nan_for_one_hidden_picture(odd_bundle: Odd, images: Path) -> None:
    nodes = [
        MEAN,
        FLAT,
        helper.make_node("Sub", ["most", "flat"], ["less"]),
        helper.make_node("Log", ["less"], ["logits"]),
    ]
    bundle = odd_bundle(nodes, AXES | {"most": np.float32(254.5)})  # the logarithm of white is none
    refused(bundle, images, "^output 'logits' is not a finite number, for one of the pictures$")


@pytest.mark.usefixtures("sandbox")
def test_a_failure_on_a_hidden_picture_tells_nothing_of_it(odd_bundle: Odd, images: Path) -> None:
    nodes = [
        MEAN,
        FLAT,
        helper.make_node("Cast", ["flat"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "place"], ["logits"], name="pick"),
    ]
    # onnxruntime names the index that it has not found, which here is the grey value of the white picture.
    bundle = odd_bundle(nodes, AXES | {"table": np.zeros(255, dtype=np.float32)})
    refused(bundle, images, "^graph 'main' fails at its operator Gather 'pick', for one of the pictures$")


@pytest.mark.usefixtures("sandbox")
def test_a_graph_that_onnxruntime_does_not_know(odd_bundle: Odd, images: Path) -> None:
    unknown = helper.make_node("NoSuchOperator", ["values"], ["logits"])
    words = "^onnxruntime [0-9.]+ cannot load graph 'main': `flawscope show` tells why$"
    refused(odd_bundle([unknown], {}, honest=False), images, words)


@pytest.mark.usefixtures("sandbox")
def test_the_wrong_shape(odd_bundle: Odd, images: Path) -> None:
    nodes = [
        MEAN,
        FLAT,
        helper.make_node("Sub", ["flat", "flat"], ["zero"]),
        helper.make_node("Concat", ["zero", "zero"], ["logits"], axis=1),
    ]
    refused(odd_bundle(nodes, AXES, k=2, honest=False), images, r"has shape \(1, 2\) for one image, expected \(1, 1\)")


@pytest.mark.usefixtures("sandbox")
def test_another_answer_for_the_same_picture(odd_bundle: Odd, images: Path) -> None:
    # Only white pictures are met by chance: none of the golden patterns is one, and few pictures are asked about twice.
    nodes = [
        MEAN,
        FLAT,
        helper.make_node("Greater", ["flat", "bright"], ["each"]),
        helper.make_node("Cast", ["each"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["number"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["white"], to=TensorProto.BOOL),
        helper.make_node("Dropout", ["flat", "half", "white"], ["logits"]),
    ]
    constants = AXES | {"half": np.float32(0.5), "bright": np.float32(254)}
    refused(odd_bundle(nodes, constants), images, "draws random numbers .Dropout, whose training mode")
    off = helper.make_node("Dropout", ["flat", "half", "no"], ["logits"])
    assert isinstance(asked(odd_bundle([MEAN, FLAT, off], constants | {"no": np.array(False)}), images), Answers)
    drawn = helper.make_node("RandomUniformLike", ["flat"], ["logits"])
    refused(odd_bundle([MEAN, FLAT, drawn], AXES, honest=False), images, r"draws random numbers \(RandomUniformLike\)")


def test_whatever_answers_differently_is_asked_twice(make_bundle: Odd, images: Path) -> None:
    """Also what no check of a graph knows to be random."""
    runtime = Runtime.open(make_bundle(), threads=1)
    paths = [str(path) for path in sorted(images.iterdir())]
    logit_nk = runtime.scores(paths)
    child._check_same(runtime, paths, logit_nk)
    logit_nk[-1] += 1e-6
    with pytest.raises(BundleError, match="differently when it is asked about the same picture"):
        child._check_same(runtime, paths, logit_nk)


@pytest.mark.usefixtures("sandbox")
def test_another_answer_beside_other_pictures(odd_bundle: Odd, images: Path) -> None:
    nodes = [
        MEAN,
        FLAT,
        helper.make_node("ReduceMean", ["flat", "first"], ["all"], keepdims=1),
        helper.make_node("Sub", ["flat", "all"], ["logits"]),
    ]
    bundle = odd_bundle(nodes, AXES | {"first": np.array([0])})
    refused(bundle, images, "hangs on the pictures beside it")


@pytest.mark.usefixtures("sandbox")
def test_a_graph_that_runs_for_ever(endless: Path, images: Path) -> None:
    refused(endless, images, "used more than 5 seconds of CPU time", bounds=replace(QUICK, cpu_seconds=5))
    # Where the clock ends it first, the machine may be to blame.
    found = asked(endless, images, bounds=replace(QUICK, wall_seconds=2))
    assert isinstance(found, Unfinished)
    assert "ended after 2 seconds on the clock, before it had used the 60 seconds of CPU time" in found.reason


@pytest.mark.usefixtures("sandbox")
def test_a_graph_that_fills_the_memory(odd_bundle: Odd, images: Path) -> None:
    large = helper.make_node("ConstantOfShape", ["shape"], ["zeros"])
    nodes = [MEAN, FLAT, large, helper.make_node("ReduceSum", ["zeros", "every"], ["sum"], keepdims=0)]
    nodes.append(helper.make_node("Add", ["flat", "sum"], ["logits"]))
    constants = AXES | {"shape": np.array([2**10, 2**11, 2**11]), "every": np.array([0, 1, 2])}
    refused(odd_bundle(nodes, constants, honest=False), images, "needs more than 2 GiB of memory")


ATTACKS = {
    "the store": ("open('{contest}/store.sqlite')", "ended with code 1"),
    "the labels": ("open('/given/images/../labels.csv')", "ended with code 1"),
    "a socket": ("import socket; socket.socket()", "ended with code 1"),
    "another process": ("import os; os.fork()", "ended with code 1"),
    "the memory": ("x = bytearray(2**33)", "ended with code 1"),
    "the disk": ("import os\nwhile True: os.write(1, b'x' * 1000)", "wrote more than 4,"),
    "a crash": ("import ctypes; ctypes.string_at(0)", "ended by SIGSEGV: it crashed"),
    "without end": ("while True: pass", "used more than 2 seconds of CPU time"),
    "an answer that is none": ("print('PK')", "no answers that can be read: no .npz"),
    "silence": ("pass", "ended without an answer"),
}


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("code", "words"), ATTACKS.values(), ids=ATTACKS)
def test_who_has_taken_over_the_process_fails_by_himself(
    code: str, words: str, make_bundle: Odd, images: Path, contest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program stands for a bundle that runs code of its own: it ends as this submission's failure."""
    (contest / "store.sqlite").touch()
    monkeypatch.setattr(module, "CHILD", ("-c", code.replace("{contest}", str(contest))))
    tried: list[bool] = []
    monkeypatch.setattr(module, "check_sandbox", lambda: tried.append(True))
    refused(make_bundle(), images, words, bounds=replace(QUICK, cpu_seconds=2))
    assert tried or "print" in code  # so the sandbox itself is not to blame


# --- what comes out of the sandbox may be anything ----------------------------------------------------------------


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in files.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def array(values: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, **options)
    return stream.getvalue()


def huge() -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 1)})
    return stream.getvalue()


SCORES, FLAGS = np.array([[0.25], [0.75]]), np.array([[False], [True]])
BAD = {
    "a head that is none": zipped(scores_nk=np.lib.format.magic(1, 0) + b"\x08\x00{'x': 1}", decided_nk=array(FLAGS)),
    "nothing in a file": zipped(scores_nk=b"", decided_nk=b""),
    "nothing of the kind": b"PK\x03\x04 and so on",
    "another file": zipped(scores_nk=array(SCORES), decided_nk=array(FLAGS), more=b""),
    "a file missing": zipped(scores_nk=array(SCORES)),
    "NaN": zipped(scores_nk=array(SCORES * np.nan), decided_nk=array(FLAGS)),
    "too few": zipped(scores_nk=array(SCORES[:1]), decided_nk=array(FLAGS)),
    "numbers for decisions": zipped(scores_nk=array(SCORES), decided_nk=array(SCORES)),
    "a pickle": zipped(scores_nk=array(np.array([{}, {}]), allow_pickle=True), decided_nk=array(FLAGS)),
    "a size that would fill the memory": zipped(scores_nk=huge(), decided_nk=array(FLAGS)),
    "cut off": zipped(scores_nk=array(SCORES)[:-1], decided_nk=array(FLAGS)),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_answers_that_are_none(content: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        unpacked(content, 2, 1)
    assert not re.search("zipfile|numpy|array_header|Expecting|codec|File is", str(caught.value)), caught.value
    found = module._believed(Ended(0, content, "", 1.0), BINARY, 2)
    assert isinstance(found, Refused) and found.reason


def test_a_pickle_in_the_answers_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "run",)

    content = zipped(scores_nk=array(np.array([Evil()]), allow_pickle=True), decided_nk=array(FLAGS))
    with pytest.raises(ValueError, match="an array of object"):
        unpacked(content, 2, 1)
    assert not (tmp_path / "run").exists()


def test_a_packed_answer_would_swell() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("scores_nk.npy", bytes(10**7))
        file.writestr("decided_nk.npy", bytes(10**7))
    with pytest.raises(ValueError, match="other files"):
        unpacked(stream.getvalue(), 2, 1)


def test_good_answers_come_back_and_are_the_same_bytes_each_time() -> None:
    assert packed(SCORES, FLAGS) == packed(SCORES.copy(), FLAGS.copy())
    scores_nk, decided_nk = unpacked(packed(SCORES, FLAGS), 2, 1)
    np.testing.assert_array_equal(scores_nk, SCORES)
    np.testing.assert_array_equal(decided_nk, FLAGS)
    with np.load(io.BytesIO(packed(SCORES, FLAGS)), allow_pickle=False) as file:
        assert sorted(file) == ["decided_nk", "scores_nk"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps({"refused": "a\x1b[31m b\n\n c" + "x" * 1000}).encode(), "a [31m b c" + "x" * 288),
        (b"{", "it gave no reason that can be read"),
        (b'{"other": 1}', "it gave no reason that can be read"),
    ],
)
def test_a_reason_is_cut_and_cleaned(content: bytes, reason: str) -> None:
    assert module._believed(Ended(0, content, "", 1.0), BINARY, 2) == Refused(reason)


def test_several_classes_where_they_exclude_each_other() -> None:
    task = Task("multiclass", ("a", "b"))
    content = packed(np.full((2, 2), 0.5), np.array([[True, True], [False, True]]))
    found = module._believed(Ended(0, content, "", 1.0), task, 2)
    assert isinstance(found, Refused) and "several classes" in found.reason


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("custom operator, of the domain 'com.acme.memory'", "of the domain 'com.acme.memory'"),
        ("the bundle decides about 'memory alloc', not 'bad'", "'memory alloc'"),
        ("graph 'model' fails: Failed to allocate memory for requested buffer", "needs more than 2 GiB of memory"),
    ],
)
def test_only_a_want_of_memory_is_called_so(problem: str, told: str) -> None:
    refusal = json.loads(child._refusal(problem, replace(QUICK, memory_bytes=2**31)))["refused"]
    assert told in refusal


def test_names_that_are_no_text_are_refused_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        b"\xff".decode()

    said = tmp_path / "answer"
    asked = io.BytesIO(json.dumps({"bounds": asdict(QUICK)}).encode())
    monkeypatch.setattr(child, "answered", broken)
    monkeypatch.setattr(child.sys, "stdin", io.TextIOWrapper(asked))
    monkeypatch.setattr(child.os, "dup", lambda number: os.open(said, os.O_WRONLY | os.O_CREAT))
    monkeypatch.setattr(child.os, "dup2", lambda one, other: None)
    child.main()
    assert json.loads(said.read_bytes())["refused"] == "a name in its graph is not UTF-8"
