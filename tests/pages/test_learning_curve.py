"""The page of a learning curve and its words, from documents made by hand."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest

from flawscope.pages.curve_words import cautions, curve_sentences
from flawscope.pages.learning_curve import render, write_curve


def interval(value: float, width: float = 0.02) -> dict[str, Any]:
    return {"value": value, "low": value - width, "high": value + width, "level": 0.95, "note": ""}


DOCUMENT: dict[str, Any] = {
    "name": "cells & <more>",
    "measure": "auroc",
    "recipe": {"hash": "r" * 64},
    "data": {"hash": "d" * 64},
    "split": {"hash": "s" * 64, "stamp": "LEAK NOT CHECKED", "method": "dealt"},
    "calibration": {"images": 300, "groups": 30},
    "in_all": 1600,
    "points": [
        {"fraction": f, "images": round(800 * f), "groups": round(80 * f), "values": [v, v + 0.01],
         "interval": interval(v)}
        for f, v in ((0.125, 0.7), (0.25, 0.8), (0.5, 0.85), (1.0, 0.88))
    ],
    "trainings": [
        {"fraction": f, "repeat": r, "images": round(800 * f), "groups": round(80 * f), "best_epoch": 1, "epochs": 2,
         "seconds": 3.2}
        for f in (0.125, 0.25, 0.5, 1.0) for r in (0, 1)
    ],
    "law": {"a": 0.1, "b": 0.5, "c": 0.02},
    "forecast": [
        {"times": t, "images": round(800 * t), "interval": interval(v),
         "gain": None if t == 1 else interval(v - 0.88, 0.01)}
        for t, v in ((1.0, 0.88), (2.0, 0.91), (4.0, 0.93))
    ],
    "band": [{"images": round(x), "interval": interval(1 - 2 / np.sqrt(x))} for x in np.geomspace(100, 3200, 9)],
    "reach": None,
    "unsaid": "",
    "sentences": ["Learnt from <800> images."],
    "notes": ["take care"],
    "provenance": {name: name for name in ("command", "date", "code", "machine", "versions")},
}  # fmt: skip


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(DOCUMENT), **changes}


UNSAID = {"law": None, "forecast": [], "band": [], "unsaid": "too few trainings: 3 sizes x 1"}


def test_the_page_is_one_file_and_escapes_names(tmp_path: Any) -> None:
    page = write_curve(tmp_path, DOCUMENT).read_text(encoding="utf-8")
    assert page == render(DOCUMENT), "the same document gives the same bytes"
    assert "cells &amp; &lt;more&gt;" in page and "<800>" not in page
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    for words in ("0.910", "0.890 to 0.930", "1,600", "take care", "A FORECAST, NOT A MEASUREMENT", "1 - AUROC"):
        assert words in page


def test_the_figure_holds_each_training_the_law_and_what_is_foretold() -> None:
    page = render(DOCUMENT)
    assert [f'id="curve-{part}"' in page for part in ("band", "law", "ahead", "trainings", "most")] == [True] * 5
    trainings = page[page.index('id="curve-trainings"') :]
    assert len(re.findall("<use ", trainings[: trainings.index("</g>\n<g")])) >= 8


def test_without_a_law_only_what_was_measured_is_shown() -> None:
    page = render(changed(**UNSAID))
    assert "NO FORECAST" in page and "A FORECAST" not in page
    assert 'id="curve-trainings"' in page and 'id="curve-law"' not in page
    assert "Cortes" not in page


def test_points_that_are_not_defined_leave_a_gap() -> None:
    document = changed(**UNSAID)
    document["points"][0] |= {"values": [None, None], "interval": None}
    page = render(document)
    assert "–" in page
    assert not next(curve_sentences(document)).startswith("Learnt")


def test_sentences_say_what_more_images_bring() -> None:
    first, twice, four = curve_sentences(DOCUMENT)
    assert first == (
        "Learnt from 800 images, AUROC is 0.880 (0.860 to 0.900) on the calibration part; from 100 images, 0.700."
    )
    assert twice == (
        "With 2 times as many, 1,600, it would be about 0.910 (0.890 to 0.930): better by 0.030 (0.020 to 0.040)."
    )
    assert "4 times as many, 3,200" in four


def test_rates_are_said_in_percent_and_a_loss_gets_lower() -> None:
    assert "88.0\N{NO-BREAK SPACE}% (86.0 to 90.0" in next(curve_sentences(changed(measure="accuracy")))
    assert "lower by 0.030" in list(curve_sentences(changed(measure="loss")))[1]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            {"images": 3140, "low": 1900, "high": 5200},
            "needs about 3,100 training images (1,900 to 5,200). In all, with",
        ),
        ({"images": 3140, "low": 1900, "high": None}, "at least 1,900; how many at most cannot be said from these"),
        ({"images": None, "low": 1900, "high": None}, "cannot be said from these trainings: perhaps from 1,900"),
        ({"images": None, "low": None, "high": None}, "is out of reach of this recipe with more images of this kind"),
        ({"images": 400, "low": 300, "high": 700}, "is reached with about 400 training images (300 to 700), which are"),
    ],
)
def test_how_many_more_images_is_a_range_or_cannot_be_said(found: dict[str, Any], words: str) -> None:
    *_, said = curve_sentences(changed(reach={"value": 0.95, **found}))
    assert said.count("AUROC 0.950") == 1
    assert words in said


def test_no_forecast_has_its_reason() -> None:
    _, said = curve_sentences(changed(**UNSAID, reach={"value": 0.95}))
    assert said.endswith("cannot be said from these trainings: too few trainings: 3 sizes x 1.")


def test_cautions_are_those_that_apply() -> None:
    assert len(cautions(DOCUMENT)) == 3
    assert any("fewer than 20 groups (7)" in words for words in cautions(changed(calibration={"groups": 7})))
    falling = changed(points=DOCUMENT["points"][::-1])
    assert any("no better" in words for words in cautions(falling))
    assert not any("no better" in words for words in cautions({**falling, "measure": "loss"}))
    assert len(cautions(changed(**UNSAID))) == 2
