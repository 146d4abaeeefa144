from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flawscope.bundle.postprocess import answers, decide, three_answers
from flawscope.bundle.runtime import Runtime
from flawscope.errors import DataError, OutputError
from flawscope.inspection.folder import inspect_folder
from flawscope.inspection.tables import Explained, read_results, write_results
from flawscope.records import Decision, FoundFlaw, MaskPrediction, Masks, Prediction, Task

Make = Callable[..., Path]
BINARY = Task("binary", ("defective",), "functional")
TASKS = (BINARY, Task("multiclass", ("ok", "=1+1", "error")), Task("multilabel", ("crack", "name", "'x"), "-ok"))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Task, list[Prediction]]:
    task = draw(st.sampled_from(TASKS))
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        name, seconds = draw(TEXT), draw(st.integers(0, 10**7)) / 10**6
        if draw(st.booleans()):
            rows.append(Prediction(name, seconds=seconds, error=draw(TEXT)))
        else:
            probability = tuple(draw(st.floats(0, 1)) for _ in task.classes)
            decision = answers(task, decide(task.kind, [0.5] * len(probability), [probability]))[0]
            rows.append(Prediction(name, (), probability, decision, seconds))
    return task, rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_round_trip(tmp_path: Path, table: tuple[Task, list[Prediction]]) -> None:
    task, rows = table
    summary = write_results(tmp_path / "r.csv", task, rows)
    results = read_results(tmp_path / "r.csv")
    assert results.classes == task.classes
    assert list(results.rows) == rows
    assert summary.images == len(rows)
    assert summary.errors == sum(bool(row.error) for row in rows)


def test_columns_and_rows_of_a_run(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    runtime = Runtime.open(make_bundle())
    summary = write_results(tmp_path / "new" / "r.csv", runtime.task, inspect_folder(runtime, pictures))
    assert summary.counts == {"functional": 1, "defective": 2}
    assert (summary.images, summary.errors) == (6, 3)
    assert summary.images_per_second == pytest.approx(6 / summary.seconds)
    with (tmp_path / "new" / "r.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["name", "defective_probability", "decision", "seconds", "error"]
    assert rows[0]["name"] == "Charge ä 2/c d.bmp"
    assert rows[0]["decision"] == "defective"
    assert 0.5 < float(rows[0]["defective_probability"]) < 0.51
    assert rows[4] == {**rows[4], "name": "empty.png", "defective_probability": "", "decision": ""}
    assert "0 bytes" in rows[4]["error"]


def test_multilabel_has_yes_and_no(make_bundle: Make, pictures: Path, tmp_path: Path) -> None:
    runtime = Runtime.open(make_bundle(Task("multilabel", ("crack", "inactive"), "ok")))
    write_results(tmp_path / "r.csv", runtime.task, inspect_folder(runtime, pictures / "b.png"))
    header, row = (tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()
    assert header == "name,crack_probability,inactive_probability,crack,inactive,decision,seconds,error"
    assert row.split(",")[3:6] == ["no", "yes", "inactive"]


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.png", "+1.png", "-1.png", "@SUM(A1).png", "\t=1.png", "'x.png"])
def test_names_are_no_formulas(tmp_path: Path, name: str) -> None:
    write_results(tmp_path / "r.csv", BINARY, [Prediction(name, error="@x")])
    with (tmp_path / "r.csv").open(newline="") as stream:
        row = list(csv.reader(stream))[1]
    assert row[0] == f"'{name}"
    assert row[-1] == "'@x"
    assert read_results(tmp_path / "r.csv").rows[0].name == name


def test_a_name_that_is_not_utf8_does_not_stop_the_run(tmp_path: Path) -> None:
    write_results(tmp_path / "r.csv", BINARY, [Prediction("K\udcf6rper.png", error="x")])
    assert read_results(tmp_path / "r.csv").rows[0].name == r"K\udcf6rper.png"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_is_stopped_leaves_no_file(
    make_bundle: Make, pictures: Path, tmp_path: Path, stop: type[BaseException]
) -> None:
    runtime = Runtime.open(make_bundle())

    def stopped() -> Iterator[Prediction]:
        for n, prediction in enumerate(inspect_folder(runtime, pictures)):
            if n == 3:
                raise stop
            yield prediction

    (tmp_path / "out").mkdir()
    with pytest.raises(stop):
        write_results(tmp_path / "out" / "new.csv", runtime.task, stopped())
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "out" / "old.csv").write_text("old")
    with pytest.raises(stop):
        write_results(tmp_path / "out" / "old.csv", runtime.task, stopped())
    assert [each.read_text() for each in (tmp_path / "out").iterdir()] == ["old"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a part of the path is a file|stands in the way"):
        write_results(tmp_path / "file" / "r.csv", BINARY, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"columns \(none\)"),
        ("a,b\n1,2\n", "columns a, b"),
        ("name,decision,seconds,error\n", "columns name, decision"),
        ("name,x_probability,decision,seconds,error\na,0.5\n", "row 2: 2 cells, expected 5"),
        ("name,x_probability,decision,seconds,error\na,much,x,1,\n", r"row 2 \(a\): could not convert"),
        ("name,x_probability,decision,seconds,error\na,1.5,x,1,\n", r"row 2 \(a\): .*lie in \[0, 1\]"),
        ("name,x_probability,x,decision,seconds,error\na,0.5,maybe,x,1,\n", r"row 2 \(a\): 'maybe'"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_results(tmp_path / "r.csv")


def test_a_missing_table_and_one_saved_by_a_spreadsheet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_results(tmp_path / "none.csv")
    write_results(tmp_path / "r.csv", BINARY, [Prediction("ä.png", error="x")])
    text = (tmp_path / "r.csv").read_bytes().replace(b"\r\n", b"\n").decode()
    (tmp_path / "r.csv").write_text(text, encoding="utf-8-sig")
    row = read_results(tmp_path / "r.csv").rows[0]
    assert row == replace(row, name="ä.png", error="x")


@pytest.mark.parametrize("task", [BINARY, Task("multilabel", ("crack", "human-like"), "ok")])
def test_the_third_answer_comes_back(task: Task, tmp_path: Path) -> None:
    k = len(task.classes)
    rows = [
        Prediction(f"{p}.png", (), (p,) * k, three_answers(task, (0.8,) * k, (0.1, 0.4)[:k], [(p,) * k])[0], 0.5)
        for p in (0.05, 0.1, 0.3, 0.5, 0.79, 0.8)
    ]
    summary = write_results(tmp_path / "r.csv", task, rows)
    assert (summary.counts["human"], summary.human, summary.images) == (4, 4, 6)
    assert list(read_results(tmp_path / "r.csv").rows) == rows
    assert (tmp_path / "r.csv").read_text(encoding="utf-8").count(",human,") >= 4


def test_a_class_that_is_not_ruled_out_beside_one_that_is_called(tmp_path: Path) -> None:
    task = Task("multilabel", ("crack", "inactive"), "ok")
    decision = three_answers(task, (0.8, 0.8), (0.1, 0.1), [(0.9, 0.3)])[0]
    rows = [Prediction("a.png", (), (0.9, 0.3), decision, 0.5)]
    summary = write_results(tmp_path / "r.csv", task, rows)
    assert (summary.counts, summary.human) == ({"crack": 1}, 0)
    assert "a.png,0.9,0.3,yes,human,crack," in (tmp_path / "r.csv").read_text(encoding="utf-8")
    assert list(read_results(tmp_path / "r.csv").rows) == rows


def test_a_good_answer_that_is_called_human_is_good(tmp_path: Path) -> None:
    task = Task("binary", ("robot",), "human")
    rows = [Prediction("a.png", (), (0.1,), answers(task, [[False]])[0], 0.5)]
    assert write_results(tmp_path / "r.csv", task, rows).human == 0
    assert list(read_results(tmp_path / "r.csv", task).rows) == rows


def test_masks_have_two_more_columns_and_are_read_back(tmp_path: Path) -> None:
    task = Task("multilabel", ("gate_seconds", "error"), "ok", pixels="multilabel")
    answer = Prediction("a", (), (0.75, 0.0), Decision((True, False), "gate_seconds"), 0.5)
    flaw = FoundFlaw("gate_seconds", 1, (0, 0, 1, 1), (0.5, 0.5), 0.75)
    good = Prediction("b", (), (0.0, 0.0), Decision((False, False), "ok"), 0.25)
    found = [
        MaskPrediction(answer, Masks(1, 1, ("1 1", "")), (flaw, flaw), gate=0.9, gate_seconds=0.125),
        MaskPrediction(good, Masks(1, 1, ("", "")), gate=0.1, stopped=True, gate_seconds=0.25),
        MaskPrediction(Prediction("c", error="bad")),
        good,
        MaskPrediction(good, Masks(1, 1, ("", "")), gate=0.8, gate_seconds=0.25),
    ]
    summary = write_results(tmp_path / "r.csv", task, found)
    assert (summary.flaws, summary.errors) == ({"gate_seconds": 2, "error": 0}, 1)
    assert (summary.stopped, summary.unmarked) == (1, 1)
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert [row[-3:] for row in rows] == [
        ["gate_probability", "gate_stopped", "gate_seconds"], ["0.9", "no", "0.125000"], ["0.1", "yes", "0.250000"],
        ["", "", ""], ["", "", ""], ["0.8", "no", "0.250000"],
    ]  # fmt: skip
    results = read_results(tmp_path / "r.csv")
    assert results.classes == task.classes
    assert list(results.rows) == [answer, good, found[2].answer, good, good]
    with (tmp_path / "old.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([*row[:-2], row[-1]] for row in rows)
    assert read_results(tmp_path / "old.csv") == results, "as it was before it said what the gate stopped"


def test_heat_maps_are_named_and_read_over(tmp_path: Path) -> None:
    rows = [
        Prediction("a.png", (), (0.75,), Decision((True,), "defective"), 0.5),
        Prediction("b.png", seconds=0.25, error="empty"),
    ]
    places = [Explained(rows[0], "=a.jpg"), Explained(rows[1])]
    summary = write_results(tmp_path / "r.csv", BINARY, places, maps="r-maps")
    assert summary.heat_maps == 1 and list(read_results(tmp_path / "r.csv").rows) == rows
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["heat_map"] for row in csv.DictReader(stream)] == ["r-maps/=a.jpg", ""]
