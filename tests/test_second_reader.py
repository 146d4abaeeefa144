"""A reader beside the labels: sheets show each cell once and no label, the comparison is right in a case by hand."""

from __future__ import annotations

import doctest
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import f1_score

from flawscope.records import Sample, Samples, Task
from flawscope.steps.workspace import read_json
from flawscope.storage import write_json

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import second_reader
from second_reader import AS_MANY, AT_BEST, EXAMPLE_FOLD, HEAD, NETWORK, SHEET, SIDE
from threshold_cost import Answers

TASK = Task("multilabel", ("crack", "inactive"))
ROOT = Path(__file__).parents[1]
NAMES = ("first reading", "second reading")
ROWS = {name: name for name in NAMES} | {
    "network, as its bundles call": NETWORK,
    "network, as many cells as the first reading in each fold": AS_MANY,
    "network, best thresholds of each test part": AT_BEST,
}
KEPT = {
    "left out": ["g"],
    "read": list("abcde"),
    "readings": [
        {"name": "one", "crack": ["a", "b", "c"], "inactive": ["a"]},
        {"name": "two", "crack": ["a", "c", "f"], "inactive": ["a", "b"]},
    ],
}


def answers() -> Answers:
    """Seven cells: the last was left out, the one before was for the examples; the network calls all cracked."""
    truth_nk = np.array([[1, 1], [1, 0], [0, 0], [0, 1], [0, 0], [1, 1], [1, 1]], dtype=bool)
    sealed_nk = np.array([[1, 0]] * 7, dtype=bool)
    probability_nk = np.array([[0.6, 0.5], [0.7, 0.1], [0.8, 0.2], [0.9, 0.3], [0.95, 0.4], [1, 1], [1, 1]])
    fold_n = np.array([0, 1, 2, 3, 0, EXAMPLE_FOLD, 0])
    return Answers(TASK.classes, probability_nk, truth_nk, sealed_nk, fold_n, tuple("tutwxyz"), tuple("abcdefg"))


def shown(found: list[float]) -> str:
    """Value and interval as pages have them: halves are rounded up."""
    value, low, high = (f"{each + 1e-9:.3f}" for each in found)
    return f"{value} ({low} to {high})"


def values(found: dict[str, list[float]]) -> list[float]:
    return [found[name][0] for name in TASK.classes]


def test_readings_and_network_by_hand() -> None:
    found = second_reader.compared(answers(), KEPT)
    assert (found["cells"], found["groups"]) == (5, 4)
    assert found["labelled"] == {"crack": 2, "inactive": 2}
    assert found["called"] == {"one": {"crack": 3, "inactive": 1}, "two": {"crack": 2, "inactive": 2}}
    beside = found["beside the labels"]
    assert values(beside["one"]) == pytest.approx([4 / 5, 2 / 3], abs=1e-4)
    assert values(beside["two"]) == [0.5, 0.5]
    assert values(beside[NETWORK]) == pytest.approx([4 / 7, 0], abs=1e-4)
    # of fold 0 one cell is called cracked in the first reading: the network's is e, and of the others each one
    assert values(beside[AS_MANY]) == pytest.approx([f1_score([1, 1, 0, 0, 0], [0, 1, 1, 0, 1]), 2 / 3], abs=1e-4)
    assert values(beside[AT_BEST]) == pytest.approx([4 / 5, 1.0], abs=1e-4)  # fold 0: a needs e to be called as well
    less = beside[NETWORK]["mean F1, less that of one"][0]
    assert less == pytest.approx(beside[NETWORK]["mean F1"][0] - beside["one"]["mean F1"][0], abs=1e-3)
    by_one = f1_score([1, 1, 1, 0, 0], [1, 0, 1, 0, 0]), f1_score([1, 0, 0, 0, 0], [1, 1, 0, 0, 0])
    assert values(found["two beside one"]) == pytest.approx(list(by_one), abs=1e-4)
    assert found["both against the label"] == {
        "crack": {"called, not labelled": ["c"], "labelled, not called": []},
        "inactive": {"called, not labelled": [], "labelled, not called": ["d"]},
    }
    rest = found["without t"]  # a and c: of inactive cells as many as w has, and the first by name
    assert (rest["cells"], rest["labelled"]) == (3, {"crack": 1, "inactive": 1})


def test_a_run_that_does_not_answer_what_was_read_is_refused() -> None:
    with pytest.raises(SystemExit, match="answers 4 of the 5 cells"):
        second_reader.compared(answers().only(np.arange(7) > 0), KEPT)


def test_notes_are_of_the_cells_on_the_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "readings.json"
    write_json(file, KEPT)
    monkeypatch.setattr(second_reader, "READINGS", file)
    names = list("gabcde")
    second_reader.note(names, {"crack": [1, 5], "inactive": []}, "three")
    assert read_json(file)["readings"][2].items() >= {"name": "three", "crack": ["a", "e"], "inactive": []}.items()
    for given, answered, name, words in (
        (names, {"crack": [6], "inactive": []}, "four", "from 0 to 5, not 6"),
        (names, {"crack": [], "inactive": [-1]}, "four", "not -1"),
        (names, {"crack": [], "inactive": []}, "three", "has a three already"),
        (names[1:], {"crack": [], "inactive": []}, "four", "not those of"),
        (names, {"cracks": [], "inactive": []}, "four", "answers to crack and inactive, got cracks, inactive"),
    ):
        with pytest.raises(SystemExit, match=words):
            second_reader.note(given, answered, name)


def test_sheets_show_each_cell_that_is_read_once_in_an_order_that_says_nothing(tmp_path: Path) -> None:
    rows = []
    for number in range(2 * SHEET + 9):
        path = tmp_path / f"{number:03d}.png"
        Image.new("L", (30, 30), 100 + number).save(path)
        target = (float(number % 3 == 0), float(number % 9 == 0))
        rows.append(Sample(path.name, str(path), target, path.name, path.name))
    fold = {row.id: EXAMPLE_FOLD if number < 20 else number % EXAMPLE_FOLD for number, row in enumerate(rows)}
    samples = Samples("cells", TASK, tuple(rows))
    second_reader.sheets(samples, fold, tmp_path / "sheets")
    named = read_json(tmp_path / "sheets" / "numbers.json")
    turned = Samples("cells", TASK, tuple(replace(row, target=row.target[::-1]) for row in rows))
    second_reader.sheets(turned, fold, tmp_path / "turned")
    for sheet in (tmp_path / "sheets").glob("sheet-*.png"):  # labels change no sheet that is read
        assert sheet.read_bytes() == (tmp_path / "turned" / sheet.name).read_bytes()
    assert sorted(named) == [name for name in sorted(fold) if fold[name] != EXAMPLE_FOLD]
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
    kept, entry = read_json(second_reader.READINGS), read_json(second_reader.RESULTS)[-1]
    assert len(kept["left out"]) == SHEET
    assert not set(kept["left out"]) & set(kept["read"])
    assert entry["cells"] == len(kept["read"])
    for reading in kept["readings"]:
        for name in TASK.classes:
            assert reading[name] == sorted(set(reading[name]))
            assert set(reading[name]) <= {*kept["read"], *kept["left out"]}
            assert entry["called"][reading["name"]][name] == len(set(reading[name]) & set(kept["read"]))


def test_the_page_states_what_was_measured() -> None:
    entry = read_json(second_reader.RESULTS)[-1]
    page = (ROOT / "docs" / "label-noise.md").read_text(encoding="utf-8").partition("## Crack and inactive")[2]
    rest = entry[next(key for key in entry if key.startswith("without"))]
    both, without = page.split("**without the group with the most inactive cells**")
    for text, block in ((both, entry), (without, rest)):
        rows = {key: block["beside the labels"][name] for key, name in ROWS.items()}
        rows["*second reading beside the first*"] = block["second reading beside first reading"]
        for start, found in rows.items():
            line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
            for measure in ("mean F1", *TASK.classes):
                assert shown(found[measure]) in line, (line, measure)
    labelled, against = entry["labelled"], entry["both against the label"]
    missed, more = (len(against["crack"][key]) for key in ("labelled, not called", "called, not labelled"))
    assert f"{missed} of the {labelled['crack']} cells with the label crack" in page
    assert f"{more} of the {entry['cells'] - labelled['crack']:,} without it" in page.replace("\n  ", " ")
    missed, more = (len(against["inactive"][key]) for key in ("labelled, not called", "called, not labelled"))
    assert f"{more} of the {entry['cells'] - labelled['inactive']:,} cells without the label" in page
    assert f"{missed} of the {labelled['inactive']} with it in neither" in page.replace("\n  ", " ")
    assert f"1,279\ncells {entry['cells']:,} count" in page
    assert (
        f"({entry['groups']} groups with {labelled['crack']} cracked cells and {labelled['inactive']} inactive" in page
    )
    assert f"without which {rest['labelled']['crack']} and {rest['labelled']['inactive']} remain" in page
    named = {"0054", "0055", "0020", "0027", "0037"}
    assert {f"images/cell{number}.png" for number in named} <= set(against["inactive"]["called, not labelled"])
    all_words, rest_words = ("0.146 less", "0.086 less", "0.015 less"), ("0.013 less", "0.034 less", "0.059 more")
    for block, words in ((entry, all_words), (rest, rest_words)):
        for name, less in zip((NETWORK, AS_MANY, AT_BEST), words, strict=True):
            found = block["beside the labels"][name]["mean F1, less that of first reading"]
            value, _, ends = shown(found).lstrip("-").partition(" ")
            assert less.startswith(value)
            assert less.endswith("less" if found[0] < 0 else "more")
            assert re.search(rf"{re.escape(less)}[^(]*{re.escape(ends)}", page), (less, ends)
    bullet = (ROOT / "docs" / "reference-systems.md").read_text(encoding="utf-8")
    for found in (entry["second reading beside first reading"], *(entry["beside the labels"][name] for name in NAMES)):
        assert shown(found["mean F1"]) in " ".join(bullet.split()), found
