"""Groups and folds by content: what is written is what is read, wherever the images lie."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flawscope.data.group_file import load_groups, save_groups
from flawscope.errors import SplitError
from flawscope.records import Samples

Make = Callable[..., Samples]


@pytest.fixture
def file(make_samples: Make, tmp_path: Path) -> Path:
    samples = make_samples([[0], [1], [0]])
    group = {"0.png": "a", "1.png": "b", "2.png": "a"}
    save_groups(tmp_path / "g.json", "mine", samples, group, {"0.png": 0, "1.png": 1, "2.png": 0}, note="by hand")
    return tmp_path / "g.json"


def test_one_line_an_image_and_no_names(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert '  "content 0": ["a", 0],' in lines
    assert len(lines) == 12
    assert ".png" not in file.read_text()
    found = load_groups(file)
    assert (found.name, found.note, found.folds) == ("mine", "by hand", 2)


def test_groups_follow_the_content_not_the_name(file: Path, make_samples: Make) -> None:
    samples = make_samples([[0], [1]], contents=["content 2", "content 1"])
    assert load_groups(file).of(samples) == ({"0.png": "a", "1.png": "b"}, {"0.png": 0, "1.png": 1})
    with pytest.raises(
        SplitError, match=r"1 of 2 images are not in the group file 'mine':\n  0\.png(?s:.)*split\.file"
    ):
        load_groups(file).of(make_samples([[0], [1]], contents=["content 7", "content 1"]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.text(max_size=5), st.integers(0, 4)), min_size=1, max_size=9), note=st.text())
def test_round_trip(make_samples: Make, tmp_path: Path, rows: list[tuple[str, int]], note: str) -> None:
    samples = make_samples([[0]] * len(rows))
    fold_of = dict(rows)
    group = {f"{i}.png": name for i, (name, _) in enumerate(rows)}
    fold = {name: fold_of[its] for name, its in group.items()}
    try:
        save_groups(tmp_path / "g.json", "x", samples, group, fold, note=note)
    except UnicodeEncodeError:
        return  # lone surrogates are no text
    found = load_groups(tmp_path / "g.json")
    assert found.of(samples) == (group, fold)
    assert found.note == note
    assert found.folds == max(fold.values()) + 1


@pytest.mark.parametrize(("old", "new"), [('["b", 1]', '["b", 0]'), ('"mine"', '"yours"'), ('"content 1"', '"c"')])
def test_a_changed_file_is_refused(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(SplitError, match="changed or damaged"):
        load_groups(file)


def test_what_is_no_group_file(file: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="does not exist"):
        load_groups(tmp_path / "none.json")
    newer = json.loads(file.read_text()) | {"schema": 2}
    for content, words in ((b"{}", "not a group"), (b"\xff", "not a group"), (json.dumps(newer).encode(), "newer")):
        file.write_bytes(content)
        with pytest.raises(SplitError, match=words):
            load_groups(file)


def test_contradictions_are_refused(make_samples: Make, tmp_path: Path) -> None:
    same = make_samples([[0], [0]], contents=["1", "1"])
    with pytest.raises(SplitError, match="identical files belong into one group"):
        save_groups(tmp_path / "g", "x", same, {"0.png": "a", "1.png": "b"}, {"0.png": 0, "1.png": 0})
    other = replace(same, rows=tuple(replace(row, sha256=row.id) for row in same.rows))
    with pytest.raises(SplitError, match="1 group is in several folds:\n  a"):
        save_groups(tmp_path / "g", "x", other, {"0.png": "a", "1.png": "a"}, {"0.png": 0, "1.png": 1})
    assert not (tmp_path / "g").exists()
