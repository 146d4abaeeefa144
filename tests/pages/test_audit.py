"""The page of an audit: every number of its document stands there, and nothing else is needed."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flawscope.pages import audit_view as view
from flawscope.pages import court_words, figures, pair_lists
from flawscope.pages.audit import AuditContent, render, write_audit


def interval(value: float, half: float) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "level": 0.95, "note": ""}


def pair(
    a: int, b: int, kind: str, measure: float, turn: str = "", *, needed: float = 0.0, labels: Any = ("ok", "ok")
) -> dict[str, Any]:
    return {
        "a": f"{a}.png", "b": f"{b}.png", "kind": kind, "measure": measure, "needed": needed, "turn": turn,
        "shift": [0.0, 0.0],
        "label_a": labels[0], "label_b": labels[1], "published_a": "train", "published_b": "test",
    }  # fmt: skip


EDGES = [i / 10 for i in range(11)]
SIZE = {"name": "scrap", "images": 12, "groups": 11, "tested": 2, "needed": 415, "verdict": "too few"}
DOCUMENT: dict[str, Any] = {
    "schema": 1,
    "name": "castings",
    "source": "class folders",
    "notices": ["the same file with different labels: 1.png, 2.png"],
    "labelled": True,
    "task": {"kind": "binary", "classes": ["scrap"], "negative": "ok"},
    "n": 40,
    "skipped": [{"where": "ok/empty.png", "reason": "the file is empty (0 bytes)"}],
    "combinations": {"ok": 28, "scrap": 12},
    "class_sizes": [{**SIZE, "best": interval(0.9, 0.05), "worst": interval(0.9, 0.09)}],
    "pictures": {
        "sizes": [[40 + i, 40, 2] for i in range(14)],
        "modes": {"L": 40},
        "bits": {"8": 40},
        "formats": {"PNG": 39, "BMP": 1},
        "colour": 0,
        "grey_stored_as_colour": 7,
        "intensity": {"8": {"min": 3.0, "1 %": 11.0, "median": 129.0, "99 %": 241.0, "max": 254.0}},
        "odd": {"nearly black": ["dark.png"], "nearly white": [], "flat": []},
        "by_label": [
            {"label": "ok", "bits": 8, "images": 28, "lowest": 3, "highest": 251, "mean": 31.6},
            {"label": "scrap", "bits": 16, "images": 12, "lowest": 90, "highest": 60123, "mean": 1234.5},
        ],
        "mean_intensity": {"edges": EDGES, "counts": {"ok": [0, 28, *[0] * 8], "scrap": [12, *[0] * 9]}},
        "unreadable": [{"where": "gone.png", "reason": "the file does not exist"}],
    },
    "examples": {"ok": ["0.png"], "scrap": ["1.png"]},
    "identical": [{"ids": ["1.png", "2.png"], "labels": ["ok", "scrap"]}],
    "groups": {
        "grouping": "each image by itself",
        "limit": 4,
        "data": {"number": 40, "largest": 1, "alone": 40},
        "chained": {"number": 21, "largest": 19, "alone": 17},
        "linked": {"number": 31, "largest": 4, "alone": 24},
        "cut": 6,
    },
    "published": {"parts": {"train": 30, "test": 10}, "test": 10, "with_twin": 7, "identical_files": 3, "kinds": {
        "turned": 5}},
    "court": {
        "method": "correlation once aligned", "n": 40, "pairs": 4, "kinds": {"turned": 2, "sister": 2}, "images": 8,
        "contrary": 1,
        "facts": {
            "threshold": 0.6234, "threshold_low": 0.4812, "threshold_high": 0.8512, "false_pair_rate": 0.0021,
            "expected_false_pairs": 0.08, "known_different": 77777, "note": "",
            "looked_at_closely": 1, "closely_needed": 0.934,
            "null": {"edges": EDGES, "counts": [0, 5000, 900, 70, 9, 1, 0, 0, 0, 0]},
            "found": {"edges": EDGES, "counts": [0, 0, 0, 0, 0, 3, 8, 1, 2, 4]}, "search": "exact", "seconds": 1.5,
        },
    },
    "probe": {
        "models": [{"name": "one nearest neighbour", "measures": {"accuracy": {
            "random": interval(0.95, 0.02), "grouped": interval(0.8, 0.05), "difference": interval(0.15, 0.04)}}}],
        "n": 40, "groups": 31, "folds": 5, "notes": ["fewer images were used"],
    },
    "provenance": {"command": "flawscope audit castings", "date": "2025-03-14T09:26:00+00:00", "code": "0.1",
                   "machine": "2 cores",
                   "versions": "numpy", "data": {"name": "c", "source": "s", "hash": "9b1c" * 16}},
    "pairs": [
        pair(3, 4, "turned", 0.941, "mirrored 90°", needed=0.55),
        pair(5, 6, "turned", 0.962, "90°", needed=0.81),
        pair(7, 8, "sister", 0.951, needed=0.4, labels=("ok", "scrap")),
        pair(9, 10, "sister", 0.4631, needed=0.4587),
    ],
    "review": [pair(7, 8, "sister", 0.951, needed=0.4, labels=("ok", "scrap"))],
}  # fmt: skip
IMAGES = {f"{i}.png": Image.new("L", (30, 20), 5 * i) for i in range(12)}


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def changed(**changes: Any) -> AuditContent:
    return AuditContent({**copy.deepcopy(DOCUMENT), **changes}, IMAGES)


@pytest.fixture(scope="module")
def page() -> str:
    return render(AuditContent(DOCUMENT, IMAGES))


def test_page_is_one_file_that_loads_nothing_and_keeps_its_ids_apart(page: str) -> None:
    assert "http" not in page and "<script" not in page
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert render(AuditContent(DOCUMENT, IMAGES)) == page


@pytest.mark.parametrize(
    "words",
    [
        "8 of 40 images ( 20 %)", "77,777 pairs",
        "reaches 0.48 to 0.85, depending on what the picture shows (median 0.62).",
        "1 pair was doubtful, because much looks alike here: compared again",
        "larger, their fine detail must reach 0.93.",
        "Grey band", "correlation 0.94 , needed 0.55; right one shown mirrored 90°", "0.463 , needed 0.459",
        "correlation 0.95 , needed 0.40; sisters",
        "0.0021 false pairs", "fewer than one of the 4",
        "the largest group would hold 19 images", "beyond 4 images: 6 pairs",
        "7 of 10 test images ( 70 %) have a twin in the training part", "the same file, byte for byte 3",
        "is right for 95.0 of 100 images",
        "The difference of 15.0 (11.0 to 19.0) is the leak", "+15.0",
        "fewer images were used", "1 pair shows the same thing under different labels", "Turned: 2",
        "too few: 403 more independent images", "85 to 95 %", "81 to 99 %", "40 x 40", "4 others",
        "7 pictures are grey",
        "129", "1 nearly black : dark.png", "ok/empty.png", "gone.png", "1.png = 2.png", "ok / scrap", "9b1c9b1c",
        "the same file with different labels",
    ],
)  # fmt: skip
def test_what_the_document_says_stands_on_the_page(page: str, words: str) -> None:
    if words.startswith(("8 of", "7 of")):
        words = words.replace("( ", "(")
    assert words in text(page).replace("\N{NO-BREAK SPACE}", " ")


def test_one_threshold_for_all_and_pairs_that_do_not_say_what_they_need_are_shown_as_before() -> None:
    document = copy.deepcopy(DOCUMENT)
    facts = document["court"]["facts"]
    del facts["threshold_low"], facts["threshold_high"], facts["note"]
    for each in (*document["pairs"], *document["review"]):
        del each["needed"]
    made = text(render(AuditContent(document, IMAGES)))
    assert "reaches 0.62." in made and "Dashed line: the threshold." in made
    assert "correlation 0.94 ; right one shown mirrored 90°" in made
    assert "needed 0" not in made and "depending on" not in made


def test_too_few_images_to_read_a_threshold_are_told_and_no_rate_is_promised() -> None:
    facts = {"threshold": 0.75, "threshold_low": 0.75, "threshold_high": 0.75, "known_different": 60,
             "false_pair_rate": 0.002, "expected_false_pairs": 0.1, "note": "too few images to read it"}  # fmt: skip
    assert view.threshold_sentences(3, facts, {"unread": 0.75}) == [
        "Two pictures are taken for the same thing if their correlation reaches 0.75.",
        "Too few images to read it.",
    ]


def test_in_a_small_set_all_that_holds_is_said_before_the_note() -> None:
    facts = {"threshold": 0.7, "threshold_low": 0.7, "threshold_high": 0.7, "known_different": 900,
             "looked_at_closely": 12, "closely_needed": 0.9, "closely_needed_low": 0.88, "closely_needed_high": 0.95,
             "false_pair_rate": 0.002, "expected_false_pairs": 0.1,
             "note": "fewer than 200 different images"}  # fmt: skip
    bounds = {"least": 0.45, "doubtful": 0.7, "most_closely": 0.95, "unread": 0.75}
    said = view.threshold_sentences(12, facts, bounds)
    wanted = (
        "correlation reaches 0.70.",
        "rests on 900 pairs",
        "from 0.7 on, a bound set by hand, a pair is looked at again",
        "their fine detail must reach 0.88 to 0.95, depending on what the picture shows (median 0.90).",
        "More than 0.95 is never asked",
        "Fewer than 200 different images.",
    )
    assert len(said) == len(wanted)
    assert all(words in sentence for words, sentence in zip(wanted, said, strict=True)), said


def test_a_threshold_that_stands_at_a_bound_is_said_to() -> None:
    bounds = {"least": 0.45, "doubtful": 0.7, "most_closely": 0.95}
    free = {"threshold": 0.6, "known_different": 900, "false_pair_rate": 0.002}
    assert not any("by hand" in said for said in view.threshold_sentences(3, free, bounds))
    for value, words in ((0.45, "this is the least that the court accepts"), (0.7, "from 0.7 on, a bound set by hand")):
        assert any(words in said for said in view.threshold_sentences(3, free | {"threshold": value}, bounds))
    closely = free | {"closely_needed_high": 0.95}
    assert any("More than 0.95 is never asked" in said for said in view.threshold_sentences(3, closely, bounds))


@pytest.mark.parametrize(
    ("pairs", "expected", "words"),
    [(3, 0.4, "fewer than one of the 3 pairs"), (30, 11.6, "about 12 of the 30"), (3, 20.0, "every one of the 3")],
)
def test_false_pairs_are_never_more_than_were_found(pairs: int, expected: float, words: str) -> None:
    (said,) = view.threshold_sentences(pairs, {"expected_false_pairs": expected})
    assert words in said
    assert view.threshold_sentences(0, {"expected_false_pairs": expected}) == []


def test_pairs_are_shown_weakest_first_and_those_of_other_labels_to_be_reviewed() -> None:
    made = pair_lists.galleries(DOCUMENT, IMAGES)
    assert [entry["title"] for entry in made] == ["Turned", "Sisters"]
    assert [pair["measure"] for pair in made[0]["weakest"]] == ["0.96", "0.94"], "by what they need"
    review = pair_lists.review(DOCUMENT, IMAGES)
    assert (review["total"], review["pairs"][0]["label_b"]) == (1, "scrap")


def test_many_pairs_show_the_weakest_and_a_few_of_the_strongest() -> None:
    pairs = [pair(0, i + 1, "sister", 0.4 + i / 100) for i in range(50)]
    (made,) = pair_lists.galleries({**DOCUMENT, "pairs": pairs}, {})
    assert (made["total"], made["all_shown"]) == (50, False)
    assert [p["measure"] for p in made["weakest"]] == [f"{0.4 + i / 100:.2f}" for i in range(pair_lists.WEAKEST)]
    assert [p["measure"] for p in made["strongest"]] == ["0.89", "0.88", "0.87"]


def test_of_pairs_that_are_all_alike_none_is_called_the_weakest() -> None:
    pairs = [pair(0, i + 1, "identical", 1.0) for i in range(50)]
    (made,) = pair_lists.galleries({**DOCUMENT, "pairs": pairs}, {})
    assert (len(made["weakest"]), made["strongest"]) == (pair_lists.WEAKEST, [])
    said = text(render(changed(pairs=pairs)))
    assert "Some of them, all equally alike:" in said and "The weakest" not in said and "The strongest" not in said


def test_on_a_narrow_screen_each_cell_bears_the_name_of_its_column(page: str) -> None:
    for name in ("random split", "grouped split", "difference", "enough?", "images", "interval at best", "at worst"):
        assert f'data-name="{name}"' in page


def test_facts_may_be_missing_and_sections_are_left_out() -> None:
    court = {"method": "none", "n": 40, "pairs": 0, "kinds": {}, "images": 0, "contrary": 0, "facts": {}}
    made = render(changed(court=court, pairs=[], review=[], published=None, probe=None, labelled=False, class_sizes=[]))
    assert "None of the 40 images has a twin" in text(made)
    for gone in ("published", "leak", "review", "pairs", "labels"):
        assert f'id="{gone}"' not in made and f"#{gone}" not in made


def test_the_advice_to_look_first_stands_on_the_page_as_well() -> None:
    court = {**DOCUMENT["court"], "facts": {"note": "too few different images"}}
    advice = court_words.look_first(changed(n=9, court=court).document)
    assert advice.startswith("8 of 9 images")
    assert f"Look first. {advice}" in text(render(changed(n=9, court=court)))
    assert "Look first" not in text(render(changed()))


def test_a_class_without_an_image_is_not_called_too_few() -> None:
    none = {**SIZE, "name": "scratch", "images": 0, "groups": 0, "verdict": "none", "best": None, "worst": None}
    document = changed(class_sizes=[*DOCUMENT["class_sizes"], none]).document
    card = next(card for card in view.cards(document) if card["name"] == "classes too small to measure")
    assert (card["value"], card["meaning"]) == ("2", "Too few images of scrap. No image of scratch.")
    assert "scratch no image shows it: nothing can be said 0 0" in text(render(AuditContent(document, IMAGES)))


def test_many_sizes_are_told_as_a_range() -> None:
    assert "Width x height: the images are 40 to 53 pixels wide and 40 high, of 14 sizes" in text(render(changed()))


def test_no_pair_in_a_set_that_cannot_tell_is_no_clean_bill() -> None:
    none = {"method": "none", "n": 40, "pairs": 0, "kinds": {}, "images": 0, "contrary": 0}
    document = changed(
        court={**none, "facts": {"note": "fewer than 200 different images"}}, pairs=[], review=[]
    ).document
    twins = view.cards(document)[0]
    assert (twins["name"], twins["value"]) == ("with a twin", "not known")
    assert court_words.no_all_clear(document) in text(render(AuditContent(document, IMAGES)))
    known = changed(court={**none, "facts": {}}, pairs=[], review=[]).document
    assert view.cards(known)[0]["value"] == "0\N{NO-BREAK SPACE}%"
    assert "all-clear" not in render(AuditContent(known, IMAGES))


def test_probe_that_could_not_be_run_says_why() -> None:
    made = text(render(changed(probe={"reason": "3 groups cannot fill 5 parts"})))
    assert "could not be measured: 3 groups cannot fill 5 parts" in made


@pytest.mark.parametrize(
    ("value", "words"), [(0.15, "is the leak"), (0.01, "may be chance"), (-0.2, "no leak shows here")]
)
def test_the_sentence_on_the_leak_follows_the_interval(value: float, words: str) -> None:
    accuracy = {
        "random": interval(0.9, 0.02),
        "grouped": interval(0.9 - value, 0.02),
        "difference": interval(value, 0.05),
    }
    said = view.leak_sentence({"name": "small model", "measures": {"accuracy": accuracy}})
    assert words in said and "the small model" in said


@pytest.mark.parametrize(
    ("value", "shown", "words"),
    [
        (
            0.15,
            "+15.0",
            "So many more of 100 images does the small model get right on a random split (+10.0 to +20.0).",
        ),
        (0.01, "unclear", "gets +1.0 of 100 images more right, which may be chance (-4.0 to +6.0)."),
        (-0.2, "unclear", "gets fewer images right: -20.0 of 100 (-25.0 to -15.0)."),
    ],
)
def test_only_a_difference_above_chance_is_called_the_leak(value: float, shown: str, words: str) -> None:
    accuracy = {"random": interval(0.9, 0.02), "grouped": interval(0.9, 0.02), "difference": interval(value, 0.05)}
    probe = {"models": [{"name": "small model", "measures": {"accuracy": accuracy}}]}
    card = next(
        card for card in view.cards({**DOCUMENT, "probe": probe}) if card["name"] == "the leak of a random split"
    )
    assert card["value"] == shown and card["meaning"].endswith(words)


def test_a_group_larger_than_a_fold_is_told() -> None:
    def words(n: int, largest: int) -> str:
        linked = {"number": 3, "largest": largest, "alone": 0}
        return str(view.groups({**DOCUMENT, "n": n, "groups": {**DOCUMENT["groups"], "linked": linked}})["words"])

    assert "22\xa0% of all images, is more than one of 5 folds should hold" in words(41, 9)
    assert "folds" not in words(40, 8)
    assert "folds" not in words(2, 1)


def test_of_identical_files_one_of_each_label_is_listed() -> None:
    made = text(render(changed(court={**DOCUMENT["court"], "contrary": 7})))
    assert "7 pairs show the same thing under different labels" in made
    assert "The most alike stand first. Of files that are there more than once, one of each label is listed." in made


def test_groups_beyond_the_limit_are_explained() -> None:
    groups = {**DOCUMENT["groups"], "cut": 0, "linked": {"number": 3, "largest": 30, "alone": 0}}
    words = view.groups({**DOCUMENT, "groups": groups})["words"]
    assert "copies of one picture, and clusters in which all are alike" in words and "the data" not in words
    words = view.groups({**DOCUMENT, "groups": {**groups, "cut": 1}})["words"]
    assert "1 pair is not joined" in words and "The largest group still holds 30 images: copies of one" in words
    groups["data"] = {"number": 3, "largest": 30, "alone": 0}
    assert "the data themselves keep these together" in view.groups({**DOCUMENT, "groups": groups})["words"]
    groups["linked"] = {"number": 3, "largest": 4, "alone": 0}
    assert "No chain was cut: no group is larger" in view.groups({**DOCUMENT, "groups": groups})["words"]


def test_what_the_user_wrote_is_escaped() -> None:
    made = render(changed(name="<script>1</script>", combinations={"<b>": 40}, notices=["<script>2"]))
    assert "<script" not in made and "&lt;script&gt;1" in made


def test_evidence_draws_both_histograms_and_the_thresholds() -> None:
    facts = DOCUMENT["court"]["facts"]
    upper, lower = figures.evidence(facts["null"], facts["found"], (0.48, 0.85)).axes
    assert [patch.get_height() for patch in upper.patches[:-1]] == facts["null"]["counts"]
    assert [patch.get_height() for patch in lower.patches[:-1]] == facts["found"]["counts"]
    for axes in (upper, lower):
        band = axes.patches[-1]
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.48, 0.85))
        assert not axes.lines
    assert lower.get_xlim() == (0.1, 1.0)
    (only,) = figures.evidence(facts["null"], {"edges": EDGES, "counts": [0] * 10}, None).axes
    assert only.get_title(loc="left") == "pairs known to be different: 5,980"


def test_no_empty_figure_is_drawn_and_what_the_first_bar_holds_is_said() -> None:
    court = copy.deepcopy(DOCUMENT["court"])
    assert view.court({**DOCUMENT, "court": court})["below"] == ""
    edges = [-0.5 + i / 10 for i in range(11)]
    court["facts"]["null"] = {"edges": edges, "counts": [4, *[0] * 9]}
    below = view.court({**DOCUMENT, "court": court})["below"]
    assert below == "The bar at the left edge holds all that lies below -0.5 as well."
    assert below in text(render(changed(court=court)))
    for name in ("null", "found"):
        court["facts"][name] = {"edges": edges, "counts": [0] * 10}
    assert view.court({**DOCUMENT, "court": court})["svg"] == ""


def test_one_threshold_is_a_line() -> None:
    facts = DOCUMENT["court"]["facts"]
    for axes in figures.evidence(facts["null"], facts["found"], (0.75, 0.75)).axes:
        assert axes.lines[0].get_xdata()[0] == 0.75
        assert len(axes.patches) == 10


def test_brightness_draws_one_panel_a_label() -> None:
    counts = DOCUMENT["pictures"]["mean_intensity"]["counts"]
    axes = figures.brightness(EDGES, counts).axes
    assert [[patch.get_height() for patch in one.patches] for one in axes] == list(counts.values())
    assert [one.get_title(loc="left") for one in axes] == ["ok: 28", "scrap: 12"]


def test_page_is_written_whole(tmp_path: Path) -> None:
    path = write_audit(tmp_path / "Prüfung", changed(name="Prüfung"))
    assert "Prüfung" in path.read_text("utf-8")
