from pathlib import Path

import pytest

from flawscope.data import elpv
from flawscope.data.elpv import load_elpv
from flawscope.data.spec import ElpvSpec
from flawscope.errors import DataError

LABELS = "".join(
    f"images/cell{i:04d}.png  {p}   {kind}\n"
    for i, (p, kind) in enumerate(
        [("0.0", "mono"), ("0.3333333333333333", "poly"), ("0.6666666666666666", "mono"), ("1.0", "poly")] * 3
    )
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "labels.csv").write_text(LABELS)
    return tmp_path


def test_probabilities_types_and_blocks(root: Path) -> None:
    table = load_elpv(ElpvSpec(root=root, block=5), Path())
    assert [row.target for row in table.rows[:4]] == [(0.0,), (0.0,), (1.0,), (1.0,)]
    assert [row.group for row in table.rows] == ["block-00"] * 5 + ["block-01"] * 5 + ["block-02"] * 2
    assert table.rows[1].meta == {"type": "poly", "labelled": pytest.approx(1 / 3)}
    assert table.rows[1].path == root / "images/cell0001.png"
    assert table.grouping == "contiguous blocks of 5 cells in file order"


@pytest.mark.parametrize(("threshold", "defective"), [(0.3, 9), (0.5, 6), (1.0, 3)])
def test_the_threshold_makes_the_label(root: Path, threshold: float, defective: int) -> None:
    table = load_elpv(ElpvSpec(root=root, threshold=threshold), Path())
    assert sum(row.target[0] for row in table.rows) == defective


def test_a_limit_is_spread_over_the_file_and_keeps_the_blocks(root: Path) -> None:
    table = load_elpv(ElpvSpec(root=root, block=5, limit=4), Path())
    assert [(row.id[-8:-4], row.group) for row in table.rows] == [
        ("0000", "block-00"),
        ("0003", "block-00"),
        ("0006", "block-01"),
        ("0009", "block-01"),
    ]


def test_bad_rows_are_told_with_their_number(root: Path) -> None:
    (root / "labels.csv").write_text(LABELS + "images/a.png 2.0 mono\nimages/b.png mono\n")
    table = load_elpv(ElpvSpec(root=root), Path())
    assert len(table.rows) == 12
    assert [problem.where for problem in table.bad] == ["labels.csv, row 13", "labels.csv, row 14"]


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(elpv, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r'pip install "flawscope\[elpv\]"'):
        load_elpv(ElpvSpec(), Path())
    with pytest.raises(DataError, match=r"labels\.csv: cannot be read"):
        load_elpv(ElpvSpec(root=tmp_path / "no"), Path())


def test_the_installed_package() -> None:
    pytest.importorskip("elpv_dataset", exc_type=ImportError)
    table = load_elpv(ElpvSpec(), Path())
    assert len(table.rows) == 2624
    assert sum(row.target[0] for row in table.rows) == 821
    assert len({row.group for row in table.rows}) == 44
    assert all(row.path.is_file() for row in table.rows[::100])
