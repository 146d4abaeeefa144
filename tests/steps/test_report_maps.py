"""Heat maps in the report: its worst pictures, the mean of each answer, and warnings of shortcuts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flawscope
from flawscope.bundle.postprocess import answers, decide
from flawscope.pages.report import Picture
from flawscope.records import Prediction, Sample, Task
from flawscope.steps.map_making import Asked, Mapped
from flawscope.steps.report import _mistake
from flawscope.steps.seen import Seen
from looking_networks import LooksAt, at_border

Copy = Callable[[], tuple[Path, Path]]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray], None]:
    """`looks(place)`: the trained network is one that looks there."""

    def replace(place_hw: np.ndarray) -> None:
        module = import_module("flawscope.steps.report_maps")
        monkeypatch.setattr(module, "load_checkpoint", lambda path: (LooksAt(place_hw), {}))

    return replace


def text(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8")))


def section(page: Path, name: str) -> str:
    return page.read_text(encoding="utf-8").partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_the_worst_mistakes_carry_maps_and_each_answer_its_mean(copied: Copy, looks: Any) -> None:
    run, _ = copied()
    looks(1 - at_border(12))
    page = flawscope.report(run)
    mistakes, mean = section(page, "mistakes"), section(page, "looks")
    wrong = int(re.search(r"(\d+) of \d+ images were decided wrongly", text(page))[1])  # type: ignore[index]
    assert wrong > 0, "the fixture learns for a moment only"
    # The worst mistakes, and what was uncertain: nobody is asked to look here.
    close = mistakes.partition("decided rightly, but nearly not")[2].count("<li")
    assert 0 < close <= 6
    assert mistakes.count('alt="heat map of ') + mistakes.count("<span>nothing speaks for") == min(wrong + close, 12)
    assert "The heat maps are integrated gradients:" in mistakes
    assert "pictures the answer depends more on what the map marks" in mistakes
    assert "it depends more on that than on the middle of the picture" in mistakes
    assert mean.count('<li class="mapped"') == 2
    assert "what speaks for <b>nok</b>" in mean and "what speaks for <b>ok</b>" in mean
    assert mean.count('src="data:image/jpeg;base64,') == 4 + 1, "and the scale"
    assert "on the frame of the picture" not in text(page)


def test_a_network_that_looks_at_the_border_is_told(copied: Copy, looks: Any) -> None:
    run, _ = copied()
    looks(at_border())
    said = text(flawscope.report(run))
    assert re.search("On average 9. % of what speaks for nok lies on the frame of the picture", said), "smoothed"
    assert "Does the network go by a border, a stamp or a fixture" in said


def test_without_checkpoint_or_torch_there_are_no_maps_and_no_error(
    copied: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = copied()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "flawscope.steps.report_maps", None)
        said = flawscope.report(run)
        assert "No heat maps: torch is not installed where this page was written." in text(said)
        assert 'id="looks"' not in said.read_text(encoding="utf-8")
    (run / "training" / "best.safetensors").unlink()
    assert "No heat maps: the trained network does not lie in the run folder." in text(flawscope.report(run))


def test_pictures_that_are_gone_are_passed_over(copied: Copy, looks: Any) -> None:
    run, _ = copied()
    looks(1 - at_border(12))
    module = import_module("flawscope.steps.report_maps")
    work = import_module("flawscope.steps.workspace").Run.at(run)
    rows = work.part("test").rows
    Path(rows[0].path).unlink()
    gallery = [Picture(row.path, row.id, "nok", "ok", "escape", asked="nok") for row in rows]
    content, maps = module.looked_at([work], gallery)
    assert rows[0].id not in maps and set(maps) == {row.id for row in rows[1:12]}
    assert content.shown == len(maps)


def test_a_map_of_a_crop_stands_where_the_network_looked(tmp_path: Path) -> None:
    module = import_module("flawscope.steps.report_maps")
    Image.fromarray(np.full((60, 90), 100, np.uint8)).save(tmp_path / "a.png")
    seen = Seen("a", np.zeros((1, 8, 8), np.uint8), np.full((20, 30), 100, np.uint8))
    one = Mapped(
        Asked(Sample("a", str(tmp_path / "a.png"), (1.0,), "g", "h"), "nok", "g"), seen, np.ones((8, 8)), "", False
    )
    whole = np.asarray(module._drawn(one, (50, 30, 80, 50)), dtype=int)
    coloured = np.ptp(whole, axis=2) > 40
    assert whole.shape == (60, 90, 3) and coloured[32:48, 52:78].all()
    coloured[30:50, 50:80] = False
    assert not coloured.any() and (whole[30, 50:80] == 255).all()
    assert module._drawn(one, None).size == (30, 20)


def test_each_kind_gets_its_share_of_the_maps() -> None:
    in_turn = import_module("flawscope.steps.report_maps").in_turn
    kinds = ["escape"] * 5 + ["overkill"] * 2 + ["person-bad"]
    gallery = [Picture("", f"{kind}{n}", "", kind=kind, asked="nok") for n, kind in enumerate(kinds)]  # type: ignore[arg-type]
    assert [each.name for each in in_turn(gallery, 5)] == [
        "escape0",
        "overkill5",
        "person-bad7",
        "escape1",
        "overkill6",
    ]
    assert len(in_turn(gallery, 100)) == 8


@pytest.mark.parametrize(
    ("task", "target", "probability", "asked"),
    [
        (Task("binary", ("nok",), "ok"), (1,), [0.1], "nok"),
        (Task("binary", ("nok",), "ok"), (0,), [0.9], "nok"),
        (Task("multiclass", ("ok", "a", "b"), "ok"), (0, 0, 1), [0.2, 0.7, 0.1], "a"),  # a mix-up: what it was called
        (Task("multiclass", ("ok", "a", "b"), "ok"), (0, 0, 1), [0.7, 0.2, 0.1], "b"),  # an escape: what was missed
        (Task("multiclass", ("ok", "a", "b"), "ok"), (1, 0, 0), [0.2, 0.1, 0.7], "b"),
        (Task("multilabel", ("a", "b", "c"), "ok"), (1, 1, 0), [0.9, 0.2, 0.6], "b"),
        (Task("multilabel", ("a", "b", "c"), "ok"), (1, 0, 0), [0.9, 0.2, 0.6], "c"),
    ],
)
def test_a_mistake_is_asked_for_what_was_missed_or_called(
    task: Task, target: tuple[float, ...], probability: list[float], asked: str
) -> None:
    thresholds = [0.5] * len(task.classes)
    decision = answers(task, decide(task.kind, thresholds, [probability]))[0]
    sample = Sample("a.png", "a.png", target, "g", "h")
    found = _mistake(task, sample, Prediction("a.png", (), tuple(probability), decision), thresholds)
    assert found is not None and found[1].asked == asked
