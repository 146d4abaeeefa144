from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from flawscope.pages import reliability
from flawscope.pages.report import ReportContent, render
from flawscope.records import Task

Maker = Callable[..., ReportContent]


def test_each_class_has_its_diagram_and_its_numbers(inspection: Maker) -> None:
    task = Task("multilabel", ("crack", "inactive"), negative="good")
    content = inspection(task, 60, 30, pictures=False)
    page = render(content)
    shown = reliability.view(content.metrics, "cells")
    assert [entry["name"] for entry in shown] == ["crack", "inactive"]
    for entry in shown:
        known = content.metrics["classes"][entry["name"]]["calibration"]
        assert [row["value"] for row in entry["measures"]] == [
            f"{interval['value']:.3f}" for interval in known["measures"].values()
        ]
        assert all(text in page for text in entry["said"])
    assert "Calibration: Platt scaling, fitted on the validation split." in page


def test_several_exclusive_classes_begin_with_the_one_that_was_chosen(inspection: Maker) -> None:
    task = Task("multiclass", ("good", "crack", "finger"), negative="good")
    names = [entry["name"] for entry in reliability.view(inspection(task, 60, 30).metrics, "cells")]
    assert names == [reliability.CONFIDENCE, "good", "crack", "finger"]


def test_a_document_of_before_it_was_measured_has_no_section(binary: ReportContent) -> None:
    entry = {key: value for key, value in binary.metrics["classes"]["defective"].items() if key != "calibration"}
    metrics = {**binary.metrics, "classes": {"defective": entry}}
    metrics.pop("confidence")
    assert reliability.view(metrics, "cells") == []
    assert reliability.view({**binary.metrics, "classes": {"defective": {**entry, "calibration": {}}}}, "cells") == []


def test_the_diagram_draws_the_bins_and_their_intervals(binary: ReportContent) -> None:
    known = binary.metrics["classes"]["defective"]["calibration"]
    (axes,) = reliability.diagram(known, "defective").axes
    drawn = {line.get_gid(): line for line in [*axes.lines, *axes.collections]}
    points = np.array([[each["probability"], each["share"]["value"]] for each in known["bins"]])
    np.testing.assert_allclose(drawn["bins"].get_xydata(), points)
    ends = [segment[:, 1].tolist() for segment in drawn["intervals"].get_segments()]
    assert ends == [[each["share"]["low"], each["share"]["high"]] for each in known["bins"]]


@pytest.mark.parametrize("low, p, words", [(0.0, 0.4, "do not show that any is"), (0.02, 0.001, "show that they are")])
def test_it_is_said_whether_the_images_show_anything(low: float, p: float, words: str, binary: ReportContent) -> None:
    known = binary.metrics["classes"]["defective"]["calibration"]
    error = {**known["measures"]["expected calibration error"], "low": low}
    changed = {**known, "p": p, "measures": {**known["measures"], "expected calibration error": error}}
    said = " ".join(reliability.sentences(changed, "crack", "cells"))
    assert f"These cells {words}" in said
    assert re.search(r"in less than 1 of 100 tests" if p < 0.01 else r"in 40 of 100 tests", said)
