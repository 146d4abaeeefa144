"""The page of a comparison, from invented scores of several classes."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.evaluation.paired import answers, differences, mcnemar
from flawscope.pages import figures, training_curves
from flawscope.pages.comparison import CompareContent, render, write_comparison
from flawscope.records import Task

THREE = Task("multiclass", ("good", "<crack>", "hole"), negative="good")
NAMES = ["base", "a longer name & more"]


def run(name: str, measured: Any, watched: str, folds: int = 0) -> dict[str, Any]:
    history = [{"epoch": float(e), "train_loss": 1 / e, "val_loss": 2 / e, watched: 1 - 1 / e} for e in (1, 2, 3, 4)]
    return {
        "name": name, "recipe": {"name": name, "hash": "ab" * 32}, "folds": folds, "network": "timm:x", "seed": 0,
        "data": {"name": "parts", "images": 60, "hash": "cd" * 32},
        "split": {"hashes": ["ef" * 32] * max(folds, 1), "stamp": "leak checked: x", "method": "by hand", "sizes": {}},
        "seals": ["12" * 32] * max(folds, 1), "code": "0.1", "date": "2026-01-02T03:04:05+00:00", "tested": 60,
        "watched": watched, "histories": [history] * max(folds, 1), "measured": measured,
    }  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    random = np.random.default_rng(0)
    target_nk = np.eye(3)[random.integers(0, 3, 60)]
    groups = [str(i // 2) for i in range(60)]
    made = []
    for _ in NAMES:
        p_nk = np.clip(0.4 * target_nk + 0.6 * random.random((60, 3)), 0, 1)
        flag_nk = np.eye(3, dtype=bool)[p_nk.argmax(axis=1)]
        made.append(answers(THREE, target_nk, p_nk, flag_nk, groups, draws=100))
    names = {"run": NAMES[1], "against": NAMES[0]}
    wrong = {**names, "image": "1.png", "true": "good", "decided": ["good", "<crack>"], "right": "base",
             "probability_of": "<crack>", "probability": [0.1, 0.9]}  # fmt: skip
    return {
        "schema": 1, "names": NAMES, "n": 60, "groups": 30, "combinations": {"good": 60}, "warnings": ["<mind> this"],
        "task": {"kind": "multiclass", "classes": list(THREE.classes), "negative": "good"},
        "left_out": {}, "notes": ["a note"], "sentences": ["one sentence"], "disagreements": [wrong] * 30,
        "differences": [{**names, **each.as_dict()} for each in differences(*made)],
        "mcnemar": [{**names, "class_name": "", **asdict(mcnemar(made[0].right_n, made[1].right_n, groups))}],
        "runs": [run(NAMES[0], made[0].document, "val_f1"), run(NAMES[1], made[1].document, "val_auroc", 3)],
        "recipe_changes": [{"key": "train.rate", "values": ["0.1", "0.2"]}],
        "provenance": {"command": "c", "date": "2026-01-02", "code": "0.1", "machine": "m", "versions": "v",
                       "data": {"name": "parts", "source": "by hand", "hash": "x"}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def page(document: dict[str, Any]) -> str:
    return render(images(document))


def images(document: dict[str, Any]) -> CompareContent:
    return CompareContent(document, {"1.png": Image.new("L", (40, 40), 128)})


def test_every_difference_stands_on_the_page(document: dict[str, Any], page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    for row in document["differences"]:
        scale, digits = (1, 3) if re.search("F1|AUROC|average", row["measure"]) else (100, 1)
        low, high = (round(scale * row["difference"][end], digits) + 0.0 for end in ("low", "high"))
        assert f"{low:.{digits}f} to {high:.{digits}f}" in text, row["measure"]
    for words in ("one sentence", "a note", "&lt;mind&gt; this", "&lt;crack&gt;", "train.rate", "Over all classes"):
        assert words in text
    assert "30 (24 shown" in re.sub(r" +", " ", text)
    assert "<crack>" not in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert render(images(document)) == page


def test_runs_are_told_apart_by_colour_and_by_dashes(page: str) -> None:
    assert len({colour for colour, _ in figures.STROKES}) == len({str(dash) for _, dash in figures.STROKES}) == 6
    drawn = figures.overlaid([(stroke, [0, 1], [0, 1]) for stroke in figures.STROKES[:2]], ("x", "y"), ([0, 1], [0, 1]))
    lines = {line.get_gid(): line for line in drawn.axes[0].lines}
    assert lines["curve-0"].get_color() != lines["curve-1"].get_color()
    assert not lines["curve-0"].is_dashed()
    assert lines["curve-1"].is_dashed()
    assert page.count('<ul class="legend">') == 2
    assert page.count("(baseline)</span>") == 2


def test_folds_are_thin_and_a_measure_is_drawn_for_those_that_watched_it(document: dict[str, Any], page: str) -> None:
    history = document["runs"][0]["histories"][0]
    one, many = figures.STROKES[:2]
    drawn = training_curves.learning_overlaid([(one, history), (many, history), (many, history)], "val_loss")
    assert [line.get_linewidth() for line in drawn.axes[0].lines] == [2, 1, 1]
    assert "F1 on validation" in page
    assert "AUROC on validation" in page


def test_a_folder_that_cannot_be_written_to_is_said(document: dict[str, Any], tmp_path: Any) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Exception, match="cannot write"):
        write_comparison(tmp_path / "file", images(document))


def test_tables_say_that_they_go_on_at_the_right_and_keep_their_lines(page: str) -> None:
    """As far as text can tell: the shadow, and borders that belong to cells (a browser shows the rest)."""
    rules = dict(re.findall(r"^(\.scroll[^{]*?) \{([^}]*)\}", page, re.MULTILINE))
    assert "var(--shade)" in rules[".scroll"]
    assert "border-collapse: separate" in rules[".scroll > table:not(.matrix)"]
    assert page.count("--shade:") == 2, "in light and in dark"
