import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawscope.data.split_file import load_split, save_split
from flawscope.errors import SplitError
from flawscope.records import PARTS, Split

text = st.text(st.characters(codec="utf-8"), max_size=12)
splits = st.builds(
    lambda rows, out, **rest: Split(
        part={name: part for name, (part, _) in rows.items()},
        group={name: group for name, (_, group) in (out | rows).items()},
        left_out={name: reason for name, (reason, _) in out.items() if name not in rows},
        **rest,
    ),
    rows=st.dictionaries(text, st.tuples(st.sampled_from(PARTS), text), max_size=8),
    out=st.dictionaries(text.map("out {}".format), st.tuples(text, text), max_size=3),
    wanted=st.dictionaries(st.sampled_from(PARTS), st.floats(0, 1)),
    seed=st.integers(0, 2**31),
    method=text,
    checks=st.lists(text, max_size=2).map(tuple),
    fold=st.none() | st.integers(0, 9),
    folds=st.none() | st.integers(2, 10),
    notes=st.lists(text, max_size=2).map(tuple),
)
SPLIT = Split(
    part={"a": "train", "b": "test"}, group={"a": "a", "b": "b"}, wanted={"train": 0.5}, seed=1, method="made"
)


@settings(max_examples=50, deadline=None)
@given(split=splits)
def test_round_trip(split: Split) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "split.json"
        save_split(split, path)
        again = load_split(path)
    assert again == split
    assert list(again.part) == list(split.part)


@pytest.mark.parametrize(
    ("old", "new"), [('"part": "test"', '"part": "train"'), ('"seed": 1', '"seed": 2'), ('"b"', '"c"'), ("0.5", "0.6")]
)
def test_a_changed_file_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "split.json"
    save_split(SPLIT, path)
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))
    with pytest.raises(SplitError, match="changed or damaged"):
        load_split(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe\x00", b'{"schema": "1", "samples": {}}'])
def test_what_is_no_split_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "split.json"
    path.write_bytes(content)
    with pytest.raises(SplitError, match="not a split file"):
        load_split(path)


def test_missing_cut_off_and_newer_files(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    with pytest.raises(SplitError, match="does not exist"):
        load_split(path)
    save_split(SPLIT, path)
    content = path.read_text()
    path.write_text(content[:-20])
    with pytest.raises(SplitError, match="not a split file"):
        load_split(path)
    path.write_text(json.dumps({**json.loads(content), "schema": 2}))
    with pytest.raises(SplitError, match="newer"):
        load_split(path)


def test_a_file_that_leaves_nothing_out_is_the_same_as_before(tmp_path: Path) -> None:
    save_split(SPLIT, tmp_path / "split.json")
    assert "left_out" not in json.loads((tmp_path / "split.json").read_text())
    out = Split(part={"a": "train"}, group={"a": "a", "b": "b"}, wanted={}, seed=0, method="", left_out={"b": "leaks"})
    save_split(out, tmp_path / "split.json")
    assert load_split(tmp_path / "split.json").left_out == {"b": "leaks"}
