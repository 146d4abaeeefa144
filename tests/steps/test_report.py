"""The proof in the report of a run: shown where the run holds one, asked for where it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import flawscope
from flawscope.data.split_file import load_split, save_split

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
