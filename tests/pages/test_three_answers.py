"""The report of a bundle with three answers: one column, one measure and one list more, and no contradiction."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from flawscope.pages import figures, words
from flawscope.pages.operating import operating_points
from flawscope.pages.report import Picture, ReportContent, render
from flawscope.pages.view import headline, matrix, wrong_decisions
from flawscope.records import Task

Maker = Callable[..., ReportContent]
BINARY = Task("binary", ("defective",), negative="functional")
LABELS = Task("multilabel", ("crack", "inactive"), negative="good")


def text_of(content: ReportContent) -> str:
    """What a reader sees."""
    page = re.sub(r"(?s)<style>.*?</style>", " ", render(content))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page).replace("&nbsp;", " "))


def test_every_part_is_right_wrong_or_for_a_person(inspection: Maker) -> None:
    for task in (BINARY, LABELS):
        content = inspection(task, 60, 9, low=0.2)
        metrics, person = content.metrics, content.metrics["for_a_person"]["n"]
        assert person == len(content.for_a_person) > 0
        assert wrong_decisions(metrics) == len(content.mistakes)
        text = text_of(content)
        assert f"{len(content.mistakes)} of 60 cells were decided wrongly without a person" in text
        assert f"{person} of 60 cells are for a person:" in text
        for entry in metrics["classes"].values():
            for sentence in entry["answers"]:
                assert sentence in text
        load = metrics["headline"][-1]
        assert load["name"] == "review load"
        assert words.span("review load", load["interval"]).replace("\xa0", " ") in text
        assert words.meaning("review load", load["interval"], metrics["task"], "cells", three=True) in text


def test_the_matrix_has_a_column_that_is_neither_right_nor_wrong(inspection: Maker) -> None:
    content = inspection(BINARY, 60, 9, low=0.2)
    found = content.metrics["confusion"]
    shown = matrix(found["labels"], found["matrix"], found["columns"])
    assert shown["columns"] == ["functional", "defective", "human"]
    tones = [[cell["tone"] for cell in row["cells"]] for row in shown["rows"]]
    assert tones == [["right", "wrong", "person"], ["wrong", "right", "person"]]
    page = render(content)
    assert '<span class="heat person"' in page and ">human</span></th>" in page
    assert ">human</span></th>" not in render(inspection(BINARY, 60, 9))


def test_pictures_for_a_person_are_a_list_of_their_own(inspection: Maker) -> None:
    content = inspection(BINARY, 60, 9, low=0.2, shown=2)
    page = render(content)
    before, after = page.split('<section id="person">')
    own = after.split('<section id="data">')[0]
    names = [picture.name for picture in content.for_a_person]
    assert not set(names) & {picture.name for picture in content.mistakes}
    assert any(name in own for name in names) and not any(name in before for name in names)
    assert "called <b>human</b>" not in page and "</b>, for a person" in own
    bad = sum(picture.kind == "person-bad" for picture in content.for_a_person)
    good = len(names) - bad
    assert f"Bad ones: {bad}" in own and f"Good ones: {good}" in own
    assert "(the first 2 shown)" in own
    assert '<a href="#person">For a person</a>' in page


def test_nobody_for_a_person_and_pictures_that_are_gone(inspection: Maker) -> None:
    nobody = text_of(inspection(BINARY, 60, 9, low=0.4099))
    assert "None of these 60 cells is for a person." in nobody
    gone = text_of(inspection(BINARY, 60, 9, low=0.2, for_a_person=[]))
    assert "Their pictures were not at hand." in gone
    two = text_of(inspection(BINARY, 60, 9))
    assert "for a person" not in two and "review load" not in two and "human" not in two


def test_a_picture_of_another_kind_is_refused(binary: ReportContent) -> None:
    picture = Picture(Image.new("L", (4, 4)), "a.png", "ok", "human", "escape")
    with pytest.raises(ValueError, match=r"for a person is of a kind of .*, a.png is not"):
        replace(binary, for_a_person=[picture])
    with pytest.raises(ValueError, match="every mistake needs a kind"):
        replace(binary, mistakes=[replace(picture, kind="person-bad")])


def test_escape_overkill_and_review_load_are_said_first(inspection: Maker) -> None:
    for task, count in ((BINARY, 3), (LABELS, 3)):
        shown = headline(inspection(task, 60, 9, pictures=False, low=0.2).metrics, "cells")
        tones = {entry["name"]: entry["tone"] for entry in shown["statements"]}
        assert len(tones) == count and tones["review load"] == "person"


def test_a_network_that_saves_nothing_is_an_alarm_at_the_top(binary: ReportContent) -> None:
    said = "defective, on these images: THE NETWORK SAVES NOTHING."
    page = render(replace(binary, metrics={**binary.metrics, "savings": [said]}))
    assert f'<div class="note alarm"><ul><li><b>{said}</b></li></ul></div>' in page
    assert "note alarm" not in re.sub(r"(?s)<style>.*?</style>", "", render(binary))


def test_several_classes_stand_side_by_side_with_all_three(inspection: Maker) -> None:
    text = text_of(inspection(LABELS, 60, 9, low=0.2))
    assert "class cells with it escape rate overkill rate review load recall precision F1 AUROC" in text
    assert "it is called, ruled out, or in its band for a person" in text


def test_the_figures_show_the_band(inspection: Maker) -> None:
    content = inspection(BINARY, 60, 9, low=0.2)
    entry = content.metrics["classes"]["defective"]
    drawn = figures.histogram(entry, "defective", "functional")
    (upper, lower) = drawn.axes
    gids = {each.get_gid() for axes in (upper, lower) for each in (*axes.patches, *axes.lines)}
    assert {"band-positive", "band-negative", "looked-at-positive", "threshold-positive"} <= gids
    passed = next(each for each in upper.patches if each.get_gid() == "wrong-side-positive")
    assert passed.get_width() == pytest.approx(0.2)  # a defective part is let through below the band only
    (rejected, first), (held, second) = operating_points(entry["confusion"])
    assert (first, second) == ("rejected", "not passed")
    assert rejected["recall"] == pytest.approx(entry["measures"]["recall"]["value"])
    assert held["recall"] == pytest.approx(1 - entry["measures"]["escape rate"]["value"])
    assert rejected["overkill"] == pytest.approx(entry["measures"]["overkill rate"]["value"])
    marks = [line.get_gid() for line in figures.roc(entry, "defective").axes[0].lines]
    assert marks.count("operating-point") == marks.count("operating-point-held") == 1
