from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from flawscope.data.groups import contradictions, grouped, identical_files, identical_groups
from flawscope.data.spec import GroupSpec
from flawscope.data.table import ALONE, Row, Table
from flawscope.errors import DataError
from flawscope.records import Masks, Sample, Samples, Task

Make = Callable[..., Samples]


def test_identical_files_join_groups_along_the_chain(make_samples: Make) -> None:
    samples = make_samples([[0]] * 6, groups=["c", "a", "a", "b", "b", "z"], contents=["1", "1", "2", "2", "3", "4"])
    assert list(identical_groups(samples).values()) == ["c", "c", "c", "c", "c", "z"]


def test_without_the_groups_of_the_data_only_files_count(make_samples: Make) -> None:
    samples = make_samples([[0]] * 4, groups=["a"] * 4, contents=["1", "2", "1", "3"])
    assert identical_groups(samples, "none") == {"0.png": "0.png", "1.png": "1.png", "2.png": "0.png", "3.png": "3.png"}


def test_identical_files_with_different_labels_are_told(make_samples: Make) -> None:
    samples = make_samples([[0], [1], [1], [1]], contents=["1", "1", "2", "2"])
    assert contradictions(samples) == ("the same file with different labels: 0.png (ok), 1.png (bad)",)
    assert [[row.id for row in rows] for rows in identical_files(samples)] == [["0.png", "1.png"], ["2.png", "3.png"]]


# --- data.groups ------------------------------------------------------------------------------------------------


def table(*ids: str, groups: Sequence[str] = (), grouping: str = ALONE) -> Table:
    rows = [Row(id, Path(id), (0.0,), groups[i] if groups else id, position=i) for i, id in enumerate(ids)]
    return Table("made", Task("binary", ("bad",)), tuple(rows), grouping=grouping)


def names(made: Table) -> list[str]:
    return [row.group for row in made.rows]


def test_nothing_asked_changes_nothing() -> None:
    assert grouped(table("a", "b"), GroupSpec()) == table("a", "b")


def test_a_pattern_names_the_group() -> None:
    made = grouped(table("l1/part7_a.png", "l2/part7_b.png", "l1/part8.png"), GroupSpec(pattern="part([0-9]+)"))
    assert names(made) == ["7", "7", "8"]
    assert made.grouping == "the pattern 'part([0-9]+)' in the name"
    both = grouped(table("l1/part7_a.png", "l2/part7_b.png"), GroupSpec(pattern="^(.*)/part([0-9]+)(_c)?"))
    assert names(both) == ["l1 7 ", "l2 7 "]


def test_a_pattern_that_does_not_match_names_the_images() -> None:
    with pytest.raises(DataError, match=r"'x\(.\)' does not match 1 of 2 images:\n  b(?s:.)*change data\.groups"):
        grouped(table("xa", "b"), GroupSpec(pattern="x(.)"))


def test_blocks_by_order_and_by_number() -> None:
    ids = ["s/cell0060.png", "s/cell0061.png", "s2/cell_1_0120.png", "s/cell0000.png", "s/cell0121.jp2"]
    by_number = grouped(table(*ids), GroupSpec(block=60, block_by="number"))
    assert names(by_number) == ["block-00", "block-01", "block-01", "block-00", "block-02"]
    by_order = grouped(table(*ids), GroupSpec(block=2))
    assert names(by_order) == ["block-00", "block-00", "block-01", "block-01", "block-02"]
    assert by_order.grouping == "blocks of 2 images in order"
    with pytest.raises(DataError, match=r"no number stands in the name of 1 of 1 images:\n  s1/a\.jp2"):
        grouped(table("s1/a.jp2"), GroupSpec(block=2, block_by="number"))


def test_several_ways_are_joined() -> None:
    #        serial    x x y z z   pattern 1 2 2 3 4   -> x x x z z; blocks of 4 join all but the last pair
    made = table("1a", "2b", "2c", "3d", "4e", groups=["x", "x", "y", "z", "z"], grouping="the column 'serial'")
    assert names(grouped(made, GroupSpec(pattern="^([0-9])"))) == ["x", "x", "x", "z", "z"]
    all_of_them = grouped(made, GroupSpec(pattern="^([0-9])", block=4))
    assert names(all_of_them) == ["x"] * 5
    words = "the column 'serial' joined with the pattern '^([0-9])' in the name joined with blocks of 4 images in order"
    assert all_of_them.grouping == words


def test_the_same_file_with_different_masks() -> None:
    task = Task("multilabel", ("flaw",), pixels="multilabel")
    codes = {"a": "1 2", "b": "1 3", "c": "1 2"}
    rows = [Sample(id, id, (1.0,), id, "one content", masks=Masks(2, 2, (code,))) for id, code in codes.items()]
    assert contradictions(Samples("s", task, tuple(rows))) == ("the same file with different masks: a, b, c",)
    assert contradictions(Samples("s", task, (rows[0], rows[2]))) == ()
