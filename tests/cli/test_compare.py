"""`flawscope compare` and `flawscope runs` as a user types them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flawscope.cli.compare import runs_table
from flawscope.records import Interval
from flawscope.steps.runs import RunRow

Cli = Callable[..., tuple[int, str, str]]


def test_compare_and_runs(cli: Cli, finish_run: Callable[..., Path], parts: Path, tmp_path: Path) -> None:
    for name, cut in (("a", 0.42), ("b", 0.45)):
        finish_run(tmp_path / "runs" / name, parts, cut=cut)
    code, out, err = cli("compare", "runs/a", "runs/b")
    assert (code, err) == (0, "")
    assert "b against a" in out
    assert "b and a cannot be told apart by AUROC" in out or "b is " in out
    assert "note: LEAK NOT CHECKED: a, b" in out
    assert "page  comparisons/a-b/index.html" in out
    assert sorted(path.name for path in (tmp_path / "comparisons" / "a-b").iterdir()) == [
        "compare.json", "differences.csv", "index.html"
    ]  # fmt: skip
    code, _, err = cli("compare", "runs/a", "runs/b")
    assert code == 2
    assert "comparisons/a-b exists already" in err
    assert "--overwrite" in err
    assert cli("compare", "runs/a", "runs/b", "--overwrite")[0] == 0
    code, out, _ = cli("runs", "--csv", "index.csv")
    assert code == 0
    assert "96 images" in out
    assert "wrote index.csv" in out
    assert len((tmp_path / "index.csv").read_text().splitlines()) == 3


def test_what_is_refused(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("compare", "runs/a")
    assert code == 2
    assert "at least two runs, got 1" in err
    code, _, err = cli("compare", "runs/a", "runs/b")
    assert code == 2
    assert "runs/a is not a run folder" in err
    code, _, err = cli("runs")
    assert code == 2
    assert "runs is not a folder" in err
    (tmp_path / "runs").mkdir()
    assert cli("runs")[1] == "there are no runs below runs; make one: flawscope run RECIPE\n"
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "recipe.yaml").write_text("]")
    code, out, _ = cli("runs")
    assert code == 0
    assert "bad: recipe.yaml cannot be read" in out


def test_the_index_fits_eighty_columns() -> None:
    from rich.console import Console

    row = RunRow("r" * 70, "finished, 5 folds", "2026-01-02T03:04:05+00:00", "d, 1 images", "timm:x", "leak checked: y",
                 9, "mean AUROC", Interval(0.5, 0.4, 0.6), "5 seals")  # fmt: skip
    console = Console(width=80, record=True)
    console.print(runs_table([row, RunRow("x [b]", "damaged", "2026-01-02", problem="why")]))
    text = console.export_text()
    assert "x [b]" in text
    assert "mean AUROC 0.500" in text
    assert max(len(line) for line in text.splitlines()) <= 80
