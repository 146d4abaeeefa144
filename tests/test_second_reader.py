"""A reader beside the labels: sheets show each cell once and no label, the comparison is right in a case by hand."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score

from flawscope.records import Sample, Samples, Task
from flawscope.steps.workspace import read_json

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import second_reader
from second_reader import AT_BEST, EXAMPLES, HEAD, NETWORK, SHEET, SIDE
from threshold_cost import Answers

TASK = Task("multilabel", ("crack", "inactive"))
BY_THE_OTHER = "second reader, beside first reader"
CALLED = {"crack": ["a", "b", "c"], "inactive": ["a"]}


def answers() -> Answers:
    """Seven cells: the last was left out, the one before was for the examples; the network calls all cracked."""
    truth_nk = np.array([[1, 1], [1, 0], [0, 0], [0, 1], [0, 0], [1, 1], [1, 1]], dtype=bool)
    sealed_nk = np.array([[1, 0]] * 7, dtype=bool)
    fold_n = np.array([0, 1, 2, 3, 0, EXAMPLES, 0])
    return Answers(TASK.classes, sealed_nk * 0.9, truth_nk, sealed_nk, fold_n, tuple("tuvwxyz"), tuple("abcdefg"))


def test_readers_and_network_by_hand() -> None:
    readings = [
        {"reader": "one", "left out": ["g"], **CALLED},
        {"reader": "two", "left out": [], "crack": ["a", "c", "f"], "inactive": ["a", "b"]},
    ]
    found = second_reader.compared(answers(), readings)
    assert (found["read"], found["groups"]) == (5, 5)
    assert found["labelled"] == {"crack": 2, "inactive": 2}
    assert found["called"] == {"one": {"crack": 3, "inactive": 1}, "two": {"crack": 2, "inactive": 2}}
    beside = found["beside the labels"]
    assert [beside["one"][name][0] for name in TASK.classes] == [0.8, pytest.approx(2 / 3, abs=1e-4)]
    assert [beside["two"][name][0] for name in TASK.classes] == [0.5, 0.5]
    assert [beside[NETWORK][name][0] for name in TASK.classes] == [pytest.approx(4 / 7, abs=1e-4), 0.0]
    less = beside[NETWORK]["mean F1, less that of one"][0]
    assert less == pytest.approx(beside[NETWORK]["mean F1"][0] - beside["one"]["mean F1"][0], abs=1e-3)
    by_one = f1_score([1, 1, 1, 0, 0], [1, 0, 1, 0, 0]), f1_score([1, 0, 0, 0, 0], [1, 1, 0, 0, 0])
    assert [found["two, beside one"][name][0] for name in TASK.classes] == pytest.approx(list(by_one), abs=1e-4)
    assert found["both against the label"] == {
        "crack": {"called, not labelled": ["c"], "labelled, not called": []},
        "inactive": {"called, not labelled": [], "labelled, not called": ["d"]},
    }


def test_sheets_show_each_cell_that_is_read_once_in_an_order_that_says_nothing(tmp_path: Path) -> None:
    rows = []
    for number in range(2 * SHEET + 9):
        path = tmp_path / f"{number:03d}.png"
        Image.new("L", (30, 30), 100 + number).save(path)
        target = (float(number % 3 == 0), float(number % 9 == 0))
        rows.append(Sample(path.name, str(path), target, path.name, path.name))
    fold = {row.id: EXAMPLES if number < 20 else number % EXAMPLES for number, row in enumerate(rows)}
    samples = Samples("cells", TASK, tuple(rows))
    second_reader.sheets(samples, fold, tmp_path / "sheets")
    named = read_json(tmp_path / "sheets" / "numbers.json")
    assert sorted(named) == [name for name in sorted(fold) if fold[name] != EXAMPLES]
    assert named != sorted(named)
    drawn = sorted((tmp_path / "sheets").glob("sheet-*.png"))
    assert len(drawn) == 2
    for number, name in enumerate(named):  # the cell stands where its number says
        sheet = Image.open(drawn[number // SHEET])
        row, column = divmod(number % SHEET, second_reader.ACROSS)
        middle = (column * SIDE + SIDE // 2, row * (SIDE + HEAD) + HEAD + SIDE // 2)
        assert sheet.getpixel(middle) == 100 + int(name[:3])
    assert Image.open(tmp_path / "sheets" / "examples.png").width == second_reader.ACROSS * SIDE


def test_examples_show_inactive_cells_first_and_fill_a_sheet_at_most() -> None:
    assert doctest.testmod(second_reader).attempted >= 2
    target_nk = np.zeros((200, 2), dtype=bool)
    target_nk[:5, 1] = target_nk[5:80, 0] = True
    chosen = second_reader.examples(list(range(200)), target_nk)
    assert len(chosen) == len(set(chosen)) == SHEET
    assert chosen[:5] == [0, 1, 2, 3, 4]
    assert abs(int(target_nk[chosen[5:], 0].sum()) - (SHEET - 5) // 2) <= 1


def test_the_noted_readings_are_of_known_cells_and_the_result_is_of_them() -> None:
    readings = read_json(second_reader.READINGS)
    entry = read_json(second_reader.RESULTS)[-1]
    for reading in readings:
        assert set(reading) == {"reader", "date", "left out", *TASK.classes}
        assert len(reading["left out"]) == SHEET
        for name in TASK.classes:
            assert reading[name] == sorted(set(reading[name]))
            assert entry["called"][reading["reader"]][name] == len(set(reading[name]) - set(reading["left out"]))


def test_the_page_states_what_was_measured() -> None:
    entry = read_json(second_reader.RESULTS)[-1]
    page = (Path(__file__).parents[1] / "docs" / "label-noise.md").read_text(encoding="utf-8")
    words = {"the network of our recipe, as its bundles call": NETWORK, "the same, by the best thresholds": AT_BEST}
    words |= {"first reader": "first reader", "second reader": "second reader"}
    lines = {name: next(line for line in page.splitlines() if line.startswith(f"| {name}")) for name in words}
    rows = {lines[name]: entry["beside the labels"][key] for name, key in words.items()}
    rows[next(line for line in page.splitlines() if line.startswith("| *the second"))] = entry[BY_THE_OTHER]
    for line, found in rows.items():
        for measure in ("mean F1", *TASK.classes):
            value, low, high = (f"{each + 1e-9:.3f}" for each in found[measure])
            assert f"{value} ({low} to {high})" in line, (line, measure)
    both = entry["both against the label"]
    assert [len(of) for name in TASK.classes for of in both[name].values()] == [3, 57, 22, 5]
    named = {"0054", "0055", "0020", "0027", "0037"}
    assert {f"images/cell{number}.png" for number in named} <= set(both["inactive"]["called, not labelled"])
