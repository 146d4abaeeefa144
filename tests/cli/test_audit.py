"""The sentences and tables that `flawscope audit` prints, from documents made by hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flawscope.cli.audit import next_steps, sentences, tables

DOCUMENT: dict[str, Any] = {
    "name": "parts",
    "n": 1,
    "labelled": True,
    "notices": ["Columns that are not used: crack."],
    "task": {"kind": "binary", "classes": ["nok"], "negative": "ok"},
    "combinations": {"ok": 1},
    "class_sizes": [{"name": "ok", "images": 1, "groups": 1, "verdict": "too few"}],
    "court": {"pairs": 0, "kinds": {}, "images": 0, "contrary": 0, "facts": {}},
    "pictures": {
        "sizes": [[40, 40, 1]],
        "formats": {"PNG": 1},
        "bits": {"8": 1},
        "unreadable": [],
        "intensity": {"8": {"min": 3.0, "1 %": 11.0, "median": 129.0, "99 %": 241.0, "max": 254.0}},
        "odd": {"nearly black": [], "nearly white": [], "flat": []},
    },
    "skipped": [],
    "identical": [],
    "published": None,
    "groups": {
        "limit": 2,
        "cut": 0,
        **{key: {"number": 1, "largest": 1, "alone": 1} for key in ("data", "chained", "linked")},
    },
    "probe": None,
    "pairs": [],
}


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(DOCUMENT), **changes}


def printed(document: dict[str, Any]) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        for title, table in tables(document):
            console.print(title, markup=False, soft_wrap=True)
            console.print(table)
    return capture.get()


def test_one_image_is_counted_as_one() -> None:
    said = "\n".join(sentences(DOCUMENT))
    assert "1 group, the largest of 1 image." in said
    assert printed(DOCUMENT).startswith("parts: 1 image\n")
    assert "1 image concerned" in printed(changed(court={**DOCUMENT["court"], "pairs": 2, "images": 1}))


def test_notices_have_been_told_already() -> None:
    assert not [words for words in sentences(DOCUMENT) if "Columns" in words]


@pytest.mark.parametrize("data", ["parts", "parts.yaml"])
@pytest.mark.parametrize("pairs", [0, 2])
def test_pairs_that_were_not_found_are_not_kept_together(data: str, pairs: int) -> None:
    court = {**DOCUMENT["court"], "pairs": pairs}
    said = "".join(next_steps(changed(court=court), data))
    assert ("keep" in said) == bool(pairs)
    assert said.startswith("\nnext: flawscope ")


@pytest.mark.parametrize(("note", "images", "told"), [("", 8, False), ("few", 5, False), ("few", 6, True)])
def test_where_most_pairs_may_be_false_a_person_is_asked_to_look_first(note: str, images: int, told: bool) -> None:
    court = {**DOCUMENT["court"], "pairs": 9, "images": images, "facts": {"note": note} if note else {}}
    pairs = [{"a": "0", "b": str(i + 1), "kind": "sister", "measure": 0.9} for i in range(images - 1)]
    said = list(next_steps(changed(n=10, court=court, pairs=pairs), "parts"))
    assert ("look first" in said[0] and "name the groups yourself" in said[0]) == told
    assert said[-1].startswith("\nnext: "), "what to do next stands last"


def test_grey_values_and_empty_pictures_are_told() -> None:
    said = "\n".join(sentences(DOCUMENT))
    assert "Grey values (8 bits): 98 % of all pixels lie between 11 and 241." in said
    assert "hardly anything" not in said
    odd = {"nearly black": ["a.png", "b.png"], "nearly white": [], "flat": [f"{i}.png" for i in range(15)]}
    said = "\n".join(sentences(changed(pictures={**DOCUMENT["pictures"], "odd": odd})))
    assert "Pictures with hardly anything on them: nearly black: a.png, b.png; flat: 0.png, " in said
    assert "11.png and 3 more." in said


def test_combinations_of_labels_are_told_where_labels_do_not_exclude_each_other() -> None:
    combinations = {"good": 1200, "crack + dark": 3}
    assert "combinations" not in "".join(sentences(changed(combinations=combinations)))
    task = {"kind": "multilabel", "classes": ["crack", "dark"], "negative": "good"}
    said = list(sentences(changed(combinations=combinations, task=task)))
    assert "Label combinations: good 1,200, crack + dark 3." in said
    assert "combinations" not in "".join(sentences(changed(combinations=combinations, task=task, labelled=False)))


def test_the_probe_fits_80_columns() -> None:
    widest = {"value": -0.123, "low": -1.0, "high": 0.1}
    measures = {"accuracy": {"random": {"value": 0.655, "low": 0.489, "high": 0.79}, "grouped": widest,
                             "difference": widest}}  # fmt: skip
    names = ("one nearest neighbour", "small model")
    lines = printed(changed(probe={"models": [{"name": name, "measures": measures} for name in names]})).splitlines()
    assert [line for line in lines if "65.5" in line and "-12.3" in line]
    below = [line for line in lines if "48.9 to 79.0" in line]
    assert len(below) == 2 and all(line.count("-100.0 to 10.0") == 2 for line in below)
    assert max(map(len, lines[-8:])) <= 80


def test_no_pair_is_called_no_all_clear_where_a_note_stands() -> None:
    court = {**DOCUMENT["court"], "facts": {"note": "fewer than 200 different images"}}
    assert "no all-clear: fewer than 200 different images." in "\n".join(sentences(changed(court=court)))
    assert "all-clear" not in "\n".join(sentences(DOCUMENT))


def test_many_sizes_are_told_as_a_range_and_an_empty_class_as_empty() -> None:
    sizes = [[200 + i, 300, 1] for i in range(5)]
    said = "\n".join(sentences(changed(pictures={**DOCUMENT["pictures"], "sizes": sizes})))
    assert "The images are 200 to 204 pixels wide and 300 high, of 5 sizes; PNG; 8 bits." in said
    assert "All images are 40 x 40 pixels; PNG" in "\n".join(sentences(DOCUMENT))
    empty = [{"name": "nok", "images": 0, "groups": 0, "verdict": "none"}]
    assert "no image" in printed(changed(class_sizes=empty))


def test_the_next_command_names_what_this_one_was_told() -> None:
    assert "".join(next_steps(DOCUMENT, "my labels.csv", Path("my pictures"))) == (
        "\nnext: flawscope new 'my labels.csv' --images 'my pictures'"
    )
    told = "".join(next_steps(DOCUMENT, "parts.yaml", overrides=["split.largest_group=0.05", "data.on_bad=skip"]))
    assert told == "\nnext: flawscope run parts.yaml --set split.largest_group=0.05 --set data.on_bad=skip"
