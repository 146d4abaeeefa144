from pathlib import Path

import pytest

from flawscope.data.labels import code_labels, is_truth_column
from flawscope.data.spec import CsvSpec
from flawscope.errors import DataError
from flawscope.records import Task


def code(columns: dict[str, list[str]], **given: object) -> tuple[Task, list[tuple[float, ...] | str]]:
    spec = CsvSpec.model_validate({"table": Path("t.csv"), "label_columns": list(columns), **given})
    return code_labels(spec, list(columns.values()), "t.csv")


@pytest.mark.parametrize(
    "pair", [("0", "1"), ("no", "YES"), ("nein", "Ja"), ("false", "True"), ("0.0", "1.0"), ("0", "1,0")]
)
def test_yes_and_no_in_many_words(pair: tuple[str, str]) -> None:
    task, targets = code({"crack": [*pair, pair[0]]})
    assert task == Task("binary", ("crack",))
    assert targets == [(0.0,), (1.0,), (0.0,)]


def test_soft_labels_and_decimal_commas() -> None:
    assert code({"crack": ["0", "0.333", "0,75", "1"]})[1] == [(0.0,), (0.333,), (0.75,), (1.0,)]


def test_a_one_that_means_good() -> None:
    task, targets = code({"ok": ["1", "0", "x?"] + ["1"] * 97}, positive="0", classes=["defective"])
    assert task == Task("binary", ("defective",), negative="ok")
    assert targets[:2] == [(0.0,), (1.0,)]
    assert targets[2] == "ok is 'x?', expected 0 or 1"


def test_two_words() -> None:
    task, targets = code({"verdict": ["OK", "n.i.O.", "ok", ""]})
    assert task == Task("binary", ("n.i.O.",), negative="OK")
    assert targets == [(0.0,), (1.0,), (0.0,), "verdict is empty, expected one of n.i.O., OK"]
    assert code({"kind": ["cat", "dog"]}, positive="Dog")[0] == Task("binary", ("dog",), negative="cat")


def test_several_words_and_numbers_above_one() -> None:
    task, targets = code({"kind": ["b", "a", "c", "nan", "B"]})
    assert task == Task("multiclass", ("a", "b", "c"))
    assert targets == [(0, 1, 0), (1, 0, 0), (0, 0, 1), "kind is 'nan', expected one of a, b, c", (0, 1, 0)]
    assert code({"grade": ["0"] * 98 + ["1", "2"]})[0] == Task("multiclass", ("0", "1", "2"))


def test_given_classes_fix_order_and_show_typing_errors() -> None:
    task, targets = code({"kind": ["b", "a", "aa"]}, classes=["b", "a", "c"])
    assert task == Task("multiclass", ("b", "a", "c"))
    assert targets[2] == "kind is 'aa', expected one of b, a, c"


def test_several_columns() -> None:
    task, targets = code({"crack": ["1", "0", ""], "inactive": ["1", "0.5", "0"]}, negative="functional")
    assert task == Task("multilabel", ("crack", "inactive"), negative="functional")
    assert targets == [(1.0, 1.0), (0.0, 0.5), "crack is empty, expected 0 or 1"]
    assert code({"crack": ["1", "0"]}, task="multilabel")[0] == Task("multilabel", ("crack",))


@pytest.mark.parametrize(
    ("columns", "given", "words"),
    [
        ({"kind": ["cat", "dog"]}, {}, "cannot be told from the words"),
        ({"kind": ["cat", "dog"]}, {"positive": "dgo"}, "did you mean 'dog'"),
        ({"kind": ["a", "b", "c"]}, {"positive": "a"}, "is for two classes"),
        ({"kind": ["a", "b", "c"]}, {"task": "binary"}, "data.task is binary"),
        ({"kind": ["a", "a"]}, {}, "only 'a'"),
        ({"kind": ["", ""]}, {}, "no label"),
        ({"size": [str(i) for i in range(60)]}, {}, "60 different values"),
        ({"crack": ["0", "1"]}, {"positive": "crack"}, "holds 0/1"),
        ({"ok": ["0", "1"]}, {}, "the good answer is called 'ok'"),
        ({"a": ["0"], "b": ["1"]}, {"classes": ["a"]}, "2 label columns, but 1 names"),
    ],
)
def test_labels_that_make_no_task(columns: dict[str, list[str]], given: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        code(columns, **given)


def test_truth_columns() -> None:
    assert is_truth_column(["0", "1", "", "0.5"])
    assert is_truth_column(["0"] * 60 + ["yse"])
    assert not is_truth_column(["0"] * 99 + ["3"])
    assert not is_truth_column(["0", "maybe"])
    assert not is_truth_column(["", "nan"])
