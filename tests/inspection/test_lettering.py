from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flawscope.inspection import lettering
from flawscope.inspection.lettering import font_for, plain, shortened, wrapped


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without any font."""
    monkeypatch.setattr(lettering, "FONTS", ())
    lettering._installed.cache_clear()
    yield
    lettering._installed.cache_clear()


def test_umlauts_are_spelt_where_no_font_has_them(bare: None) -> None:
    assert font_for("Größe Übung é 中 1_io.png", 20)[1] == "Groesse Uebung e ? 1_io.png"


def test_the_font_with_the_most_letters_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    has = {"few.ttf": "abü", "most.ttf": "abüд"}
    monkeypatch.setattr(lettering, "_installed", lambda: tuple(has))
    monkeypatch.setattr(lettering, "_has", lambda path, letter: letter in has.get(path, "ab"))
    monkeypatch.setattr(lettering, "_font", lambda path, size: path)
    assert font_for("ab", 20) == ("few.ttf", "ab")
    assert font_for("aüд", 20) == ("most.ttf", "aüд")
    assert font_for("中ä", 20) == ("few.ttf", "?ae")


@given(some.text(max_size=60), some.integers(1, 30))
def test_shortened_fits_and_keeps_both_ends(text: str, most: int) -> None:
    made = shortened(text, lambda each: len(each) <= most)
    if len(text) <= most:
        assert made == text
    else:
        start, end = made[: most - 1 - (most - 1) // 2], made[most - (most - 1) // 2 :]
        assert len(made) == most and "…" in made and text.startswith(start) and text.endswith(end)


@given(some.text())
def test_plain_is_one_line_that_can_be_written(text: str) -> None:
    made = plain(text)
    assert "\n" not in made and "\u202e" not in made and made.encode("utf-8").decode() == made
    assert plain(made) == made


def test_lines_are_no_wider_than_asked_and_keep_the_words() -> None:
    font, letters = font_for("crack + inactive region + short circuit 97.3\xa0% " + "x" * 300, 20)
    lines = wrapped(letters, font, 150)
    assert max(font.getlength(line) for line in lines) <= 150
    assert " ".join(lines).startswith("crack + inactive region + short circuit 97.3\xa0%") and "…" in lines[-1]
    assert any("97.3\xa0%" in line for line in lines)
