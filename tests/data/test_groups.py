from collections.abc import Callable

from flawscope.data.groups import contradictions, identical_files, identical_groups
from flawscope.records import Samples

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
