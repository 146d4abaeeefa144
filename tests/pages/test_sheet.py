from __future__ import annotations

import re
from pathlib import Path

from flawscope.pages import sheet
from flawscope.pages.sheet import Section, SheetContent, Tile, is_sheet, render, write_sheet

EVIL = Tile('<script>"a\udcff".png', "probability of <b> 97 %", 'b c/<"ü.png')
CONTENT = SheetContent(
    "3 inspected pictures",
    {"Bundle": "<x>.flawscope"},
    ["Decision: scrap when its probability is at least 0.4."],
    [
        Section("not decided", 1, [Tile("kaputt.png", "not a picture that can be read")]),
        Section("scrap: not good", 2, [EVIL]),
    ],
)


def test_every_picture_is_there_and_names_do_no_harm() -> None:
    page = render(CONTENT)
    assert "<script" not in page and "<b> 97" not in page and "<x>" not in page
    assert re.findall(r'src="([^"]*)"', page) == ["b%20c/%3C%22%C3%BC.png"]
    assert "not a picture that can be read" in page and "no picture: it cannot be opened" in page
    assert "The first 1 are shown; 1 more lie in the folder." in page
    assert page.index("not decided") < page.index("scrap: not good")
    assert "\udcff" not in page and "http" not in page and "@import" not in page


def test_names_that_are_no_text_lead_to_their_file() -> None:
    page = render(SheetContent("1", {}, [], [Section("ok", 1, [Tile("a\udcff.png", "", "a\udcff.png")])]))
    assert 'src="a%FF.png"' in page


def test_a_sheet_is_known_again(tmp_path: Path) -> None:
    write_sheet(tmp_path / "index.html", CONTENT)
    (tmp_path / "other.html").write_text("<html></html>")
    (tmp_path / "bytes.html").write_bytes(b"\xff\xfe\xff")
    assert is_sheet(tmp_path / "index.html")
    assert not any(is_sheet(tmp_path / name) for name in ("other.html", "bytes.html", "missing.html"))
    assert len(sheet.GENERATOR) < 500


def test_many_sentences_of_a_decision_are_a_list_that_is_opened() -> None:
    few = render(SheetContent("few", {}, ["One.", "Two <b>."], []))
    assert '<p class="small">One. Two &lt;b&gt;.</p>' in few
    many = render(SheetContent("many", {}, [f"Sentence {i}." for i in range(9)], []))
    assert "<summary>How this bundle decides</summary>" in many
    assert many.count("<li>Sentence") == 9
