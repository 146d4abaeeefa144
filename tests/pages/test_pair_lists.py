"""All pairs of an audit on pages of their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flawscope.errors import OutputError
from flawscope.pages.pair_lists import A_PAGE, MOST, REVIEWED, of_kinds, to_review, write_pair_pages
from flawscope.pages.pairs import Thumbnails
from flawscope.preprocess import open_image

IMAGES = {f"{i}.png": Image.new("L", (30, 20), 5 * i) for i in range(12)}


def pairs(n: int, kind: str = "turned", other: str = "ok") -> list[dict[str, Any]]:
    """Pairs of rising measure."""
    shared = {"kind": kind, "needed": 0.5, "turn": "", "label_a": "ok", "label_b": other}
    return [{"a": "0.png", "b": f"{i % 11 + 1}.png", "measure": 0.5 + i / 10000, **shared} for i in range(n)]


def document(found: list[dict[str, Any]], review: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": "castings & co", "labelled": True, "pairs": found, "review": review}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("pairs/*"))


def test_few_pairs_stand_on_the_page_of_the_audit_alone(tmp_path: Path) -> None:
    write_pair_pages(tmp_path, document(pairs(15), pairs(REVIEWED)), IMAGES)
    assert names(tmp_path) == []
    assert to_review(document([], pairs(REVIEWED))).link == {}


def test_every_pair_of_a_long_list_is_drawn_once_with_its_evidence(tmp_path: Path) -> None:
    n = A_PAGE + 10
    found = document([*pairs(n), *pairs(3, "sister")], pairs(REVIEWED + 1, other="scrap"))
    write_pair_pages(tmp_path, found, IMAGES)
    assert names(tmp_path) == ["review-1.html", "turned-1.html", "turned-2.html"]
    first, second = ((tmp_path / "pairs" / f"turned-{i}.html").read_text(encoding="utf-8") for i in (1, 2))
    assert (first.count("<img"), second.count("<img")) == (2 * A_PAGE, 20)
    shown = re.findall(r"correlation <b>([\d.]+)</b>, needed ([\d.]+)", first + second)
    assert len(shown) == n
    assert [float(measure) for measure, _ in shown] == sorted(float(measure) for measure, _ in shown)
    assert "Turned: 70 pairs of castings &amp; co" in first
    assert "Page 2 of 2; the weakest first." in second
    assert 'href="turned-1.html"' in second and 'href="../index.html"' in second
    review = (tmp_path / "pairs" / "review-1.html").read_text(encoding="utf-8")
    assert review.count("<b>scrap</b>") == REVIEWED + 1
    assert "the most alike first" in review
    assert [entry.link for entry in of_kinds(found)] == [
        {"page": "pairs/turned-1.html", "words": "all with their pictures"},
        {},
    ]


def test_wide_pictures_of_a_pair_lie_one_below_the_other(tmp_path: Path) -> None:
    found = document([{**each, "turn": "180°"} for each in pairs(20)], [])
    write_pair_pages(tmp_path / "plain", found, IMAGES)
    (plain,) = (path.read_text(encoding="utf-8") for path in (tmp_path / "plain" / "pairs").glob("*.html"))
    assert "both wide" not in plain and "right one shown 180°" in plain
    write_pair_pages(tmp_path / "wide", found, {name: Image.new("L", (160, 20)) for name in IMAGES})
    (made,) = (path.read_text(encoding="utf-8") for path in (tmp_path / "wide" / "pairs").glob("*.html"))
    assert 'class="both wide"' in made and "lower one shown 180°" in made and "right one" not in made


def test_of_very_many_pairs_the_weakest_are_drawn_and_it_is_said(tmp_path: Path) -> None:
    write_pair_pages(tmp_path, document(pairs(MOST + 5), []), {})
    assert len(names(tmp_path)) == MOST / A_PAGE
    last = (tmp_path / "pairs" / f"turned-{MOST // A_PAGE}.html").read_text(encoding="utf-8")
    assert last.count('class="evidence"') == A_PAGE
    assert "1,200 are shown, all are in pairs.csv." in last
    (listing,) = of_kinds(document(pairs(MOST + 5), []))
    assert listing.link["words"] == "1,200 of them with their pictures"


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "pairs").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="pairs"):
        write_pair_pages(tmp_path, document(pairs(20), []), IMAGES)


def test_a_picture_of_many_pairs_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def watched(path: str) -> Image.Image:
        opened.append(Path(path).name)
        return open_image(path)

    monkeypatch.setattr("flawscope.pages.pairs.open_image", watched)
    paths = {name: str(tmp_path / name) for name in IMAGES}
    for name, image in IMAGES.items():
        image.resize((900, 600)).save(paths[name])
    Path(paths["3.png"]).write_bytes(b"gone")
    for images, folder in ((paths, tmp_path / "a"), (Thumbnails(paths), tmp_path / "b")):
        opened.clear()
        write_pair_pages(folder, document(pairs(40), pairs(REVIEWED + 5)), images)
    assert sorted(set(opened)) == sorted(IMAGES)
    assert all(opened.count(name) == 1 for name in IMAGES if name != "3.png")
    for name in names(tmp_path / "a"):
        assert (tmp_path / "a" / "pairs" / name).read_bytes() == (tmp_path / "b" / "pairs" / name).read_bytes()
