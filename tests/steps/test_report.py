"""What the report of a run shows: the proof, where the run holds one; its pictures, and its mistakes in words."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import flawscope
from flawscope.bundle.postprocess import answers, decide
from flawscope.data.split_file import load_split, save_split
from flawscope.records import Prediction, Sample, Task
from flawscope.steps.report import _mistake

Copy = Callable[[], tuple[Path, Path]]


def text(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8")))


def test_a_run_without_a_proof_says_why(copied: Copy) -> None:
    run, _ = copied()
    said = text(flawscope.report(run))
    assert "LEAK NOT CHECKED There is no proof: images of the same thing were not searched for" in said


def test_a_lost_proof_is_not_taken_for_one(copied: Copy) -> None:
    run, _ = copied()
    save_split(replace(load_split(run / "split.json"), checks=("a court",)), run / "split.json")
    assert "NO PROOF There is no proof: images of the same thing were searched for, but" in text(flawscope.report(run))


def test_the_proof_of_a_run_is_shown_with_the_nearest_pictures(copied: Copy) -> None:
    run, _ = copied()
    a, b = "nok/Bild ü 1.png", "ok/Bild ü 2.png"
    near = {"a": a, "b": b, "part_a": "train", "part_b": "test", "measure": 0.71, "needed": 0.74,
            "turn": "180°"}  # fmt: skip
    proof = {"court": "by hand", "threshold": 0.93, "pairs_found": 5, "compared": 321, "crossing": 0,
             "left_out": {"train": 2}, "nearest": [near]}  # fmt: skip
    (run / "proof.json").write_text(json.dumps(proof), encoding="utf-8")
    page = flawscope.report(run)
    said = text(page)
    assert "The nearest pairs across the split" in said
    assert all(
        words in said
        for words in ("321", "2 (2 from train)", "correlation 0.71 , needed 0.74", a, b, "right one shown 180°")
    )
    section = page.read_text(encoding="utf-8").partition('<section id="proof">')[2].partition("</section>")[0]
    assert section.count('src="data:image/jpeg;base64,') == 2


def test_the_pictures_of_the_training_part_are_described(copied: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = copied()
    train = len(load_split(run / "split.json").ids("train"))
    said = text(flawscope.report(run))
    assert f"All {train} training images were looked at. Width x height 40 x 40 {train} " in said
    monkeypatch.setattr(sys.modules["flawscope.steps.report"], "LOOKED_AT", 5)
    few = text(flawscope.report(run))
    assert f"5 of the {train} training images were looked at, as many of each label" in few and "40 x 40 5 " in few
    # Spots (nok) are as bright as 250, the others at most 119: see `draw`.
    assert re.search(r"nok \d\d 250 \d+", few) and re.search(r"ok \d\d 11\d \d\d ", few)


@pytest.mark.parametrize(
    ("task", "target", "thresholds", "probability", "words"),
    [
        (Task("binary", ("nok",), "ok"), (1,), [0.4], [0.1],
         ("escape", "nok", "ok", "probability of nok 10.0 % (called so from 40.0 %), of ok 90.0 %")),
        (Task("multiclass", ("ok", "a", "b"), "ok"), (0, 0, 1), [0.5] * 3, [0.2, 0.7, 0.1],
         ("mix-up", "b", "a", "probability of a 70.0 %, of b 10.0 %")),
        # The first of the largest targets is what evaluation takes for true.
        (Task("multiclass", ("ok", "a", "b"), "ok"), (0.2, 0.4, 0.4), [0.5] * 3, [0.8, 0.1, 0.1],
         ("escape", "a", "ok", "probability of ok 80.0 %, of a 10.0 %")),
        (Task("multilabel", ("a", "b", "c"), "ok"), (1, 1, 0), [0.5] * 3, [0.9, 0.2, 0.6],
         ("escape", "a + b", "a + c",
          "probability of b 20.0 % (called so from 50.0 %), of c 60.0 % (called so from 50.0 %)")),
    ],
)  # fmt: skip
def test_a_mistake_in_words(
    task: Task, target: tuple[float, ...], thresholds: list[float], probability: list[float], words: tuple[str, ...]
) -> None:
    decision = answers(task, decide(task.kind, thresholds, [probability]))[0]
    sample = Sample("a.png", "a.png", target, "g", "h", {"type": "mono", "age": 1234.5, "share": 1 / 3})
    found = _mistake(task, sample, Prediction("a.png", (), tuple(probability), decision), thresholds)
    assert found is not None
    picture = found[1]
    assert (picture.kind, picture.true, picture.decided, picture.odds.replace("\xa0", " ")) == words
    assert picture.meta == "type mono, age 1234.5, share 0.333"
