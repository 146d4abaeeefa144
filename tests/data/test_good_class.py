"""The good class of a multi-class set, so that a defect that is called good counts as an escape."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from flawscope.data.read import read
from flawscope.data.spec import FoldersSpec
from flawscope.pages.report import mistake_kind


def test_a_defect_called_good_is_an_escape(tmp_path: Path) -> None:
    for number, name in enumerate(("MT_Blowhole", "MT_Crack", "MT_Free")):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8), number).save(tmp_path / name / "a.png")
    task = read(FoldersSpec(root=tmp_path), tmp_path).task
    assert (task.kind, task.negative) == ("multiclass", "MT_Free")
    assert mistake_kind(task, [1, 0, 0], [False, False, True]) == "escape"
    assert mistake_kind(task, [0, 0, 1], [True, False, False]) == "overkill"
    assert mistake_kind(task, [1, 0, 0], [False, True, False]) == "mix-up"
