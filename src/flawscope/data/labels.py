"""From the words and numbers of label columns to a task and targets in [0, 1]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flawscope.data.spec import CsvSpec
from flawscope.data.words import NO, YES, good_class, to_be_found
from flawscope.errors import DataError, choices
from flawscope.metadata import missing, number
from flawscope.records import Task

MOST_CLASSES = 50
Target = tuple[float, ...]


def truth(text: str) -> float | None:
    """Yes, no, or a number between them; nothing for anything else. A decimal comma is understood.

    >>> truth("ja"), truth("0,5"), truth("crack")
    (1.0, 0.5, None)
    """
    word = text.strip().casefold()
    if word in YES or word in NO:
        return float(word in YES)
    value = number(word)
    return value if value is not None and 0 <= value <= 1 else None


def is_truth_column(cells: Sequence[str]) -> bool:
    """Whether a column says yes or no, a few typing errors apart. Numbers above 1 make it a column of classes."""
    known = [cell for cell in cells if not missing(cell)]
    other = [cell for cell in known if truth(cell) is None]
    return len(other) <= 0.02 * len(known) < len(known) and not any(number(cell) is not None for cell in other)


def spellings(cells: Sequence[str]) -> list[str]:
    """The different values of a column, sorted; upper and lower case count as one, the usual spelling stands.

    >>> spellings(["OK", "nok", "ok", "OK", ""])
    ['nok', 'OK']
    """
    count = Counter(cell.strip() for cell in cells if not missing(cell))
    usual: dict[str, str] = {}
    for value, _ in count.most_common():
        usual.setdefault(value.casefold(), value)
    return [usual[key] for key in sorted(usual)]


def code_labels(spec: CsvSpec, columns: Sequence[Sequence[str]], name: str) -> tuple[Task, list[Target | str]]:
    """The task that the label columns pose, and for each row its target or, in words, what is wrong with it.

    `columns` holds the cells of each label column; `name` is the table's, for messages.

    Raises:
        DataError: the columns do not make a task.
    """
    if len(columns) > 1 or spec.task == "multilabel":
        return _several(spec, columns, name)
    words = spec.task == "multiclass" or len(spec.classes or []) > 1
    if not words and is_truth_column(columns[0]):
        return _yes_no(spec, columns[0], name)
    return _words(spec, columns[0], name)


def _several(spec: CsvSpec, columns: Sequence[Sequence[str]], name: str) -> tuple[Task, list[Target | str]]:
    classes = spec.classes or spec.label_columns
    if len(classes) != len(columns):
        raise DataError(
            f"{name}: {len(columns)} label columns, but {len(classes)} names in data.classes",
            "give one name a column, or leave data.classes out",
        )
    task = _task("multilabel", classes, spec, name)
    targets = [_row(cells, spec.label_columns) for cells in zip(*columns, strict=True)]
    return task, targets


def _row(cells: Sequence[str], names: Sequence[str]) -> Target | str:
    target = []
    for cell, name in zip(cells, names, strict=True):
        value = truth(cell)
        if value is None:
            return _unknown(cell, name, "0 or 1")
        target.append(value)
    return tuple(target)


def _yes_no(spec: CsvSpec, cells: Sequence[str], name: str) -> tuple[Task, list[Target | str]]:
    column = spec.label_columns[0]
    found = None if spec.positive is None else truth(spec.positive)
    if spec.positive is not None and found not in (0.0, 1.0):
        raise DataError(
            f"{name}: column {column!r} holds 0/1, data.positive is {spec.positive!r}",
            'set data.positive to "0" or "1"; the name of the class is data.classes: [name]',
        )
    task = _task("binary", spec.classes or [column], spec, name)
    targets = [_row([cell], [column]) for cell in cells]
    if found == 0.0:
        targets = [target if isinstance(target, str) else (1 - target[0],) for target in targets]
    return task, targets


def _words(spec: CsvSpec, cells: Sequence[str], name: str) -> tuple[Task, list[Target | str]]:
    column = spec.label_columns[0]
    names = spec.classes or spellings(cells)
    if len(names) < 2:
        raise DataError(
            f"{name}: column {column!r} holds {'only ' + repr(names[0]) if names else 'no label'}",
            "a task needs at least two different labels",
        )
    if len(names) > MOST_CLASSES and spec.classes is None:
        raise DataError(
            f"{name}: column {column!r} holds {len(names)} different values, such as {', '.join(names[:5])}",
            "is it the label column? If so, list the values in data.classes",
        )
    two = len(names) == 2 and spec.task != "multiclass"
    if spec.task == "binary" and not two:
        raise DataError(
            f"{name}: column {column!r} holds {len(names)} values ({', '.join(names)}), data.task is binary",
            "name two of them in data.classes, or set data.task: multiclass",
        )
    if two:
        good, bad = _good_and_bad(spec, names, name)
        task = _task("binary", [bad], spec.model_copy(update={"negative": good}), name)
        code: dict[str, Target] = {good.casefold(): (0.0,), bad.casefold(): (1.0,)}
    else:
        if spec.positive is not None:
            raise DataError(
                f"{name}: data.positive is for two classes, {column!r} holds {len(names)}: {', '.join(names)}",
                "leave data.positive out, or name two values in data.classes",
            )
        task = _task("multiclass", names, spec, name)
        code = {value.casefold(): tuple(float(value == other) for other in names) for value in names}
    expected = f"one of {', '.join(names)}"
    return task, [code.get(cell.strip().casefold()) or _unknown(cell, column, expected) for cell in cells]


def _good_and_bad(spec: CsvSpec, names: Sequence[str], name: str) -> tuple[str, str]:
    """Which of two values is the good answer, and which is to be found."""
    if spec.positive is None:
        bad = to_be_found(names)
        if bad is None:
            raise DataError(
                f"{name}: which of {names[0]!r} and {names[1]!r} is to be found cannot be told from the words",
                f"set data.positive, for example data.positive: {names[1]}",
            )
    else:
        same = [value for value in names if value.casefold() == spec.positive.strip().casefold()]
        if not same:
            raise DataError(
                f"{name}: data.positive is {spec.positive!r}, no value of column {spec.label_columns[0]!r}",
                choices(spec.positive, names),
            )
        bad = same[0]
    return next(value for value in names if value != bad), bad


def _unknown(cell: str, column: str, expected: str) -> str:
    return f"{column} is {'empty' if missing(cell) and not cell.strip() else repr(cell)}, expected {expected}"


def _task(kind: str, classes: Sequence[str], spec: CsvSpec, name: str) -> Task:
    try:
        negative = (good_class(classes) if kind == "multiclass" else None) or spec.negative
        return Task(kind, tuple(classes), negative=negative)  # type: ignore[arg-type]
    except ValueError as error:
        raise DataError(
            f"{name}: {error}",
            f"the good answer is called {spec.negative!r}: name the classes in data.classes, the good answer in "
            "data.negative; where a 1 means good, set data.positive: '0' as well",
        ) from None
