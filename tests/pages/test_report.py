from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from flawscope.errors import OutputError
from flawscope.pages import words
from flawscope.pages.report import (
    PartContent,
    Picture,
    ReportContent,
    SplitContent,
    mistake_kind,
    render,
    write_report,
)
from flawscope.pages.view import balance, learning_figures
from flawscope.records import Task

Maker = Callable[..., ReportContent]
BINARY = Task("binary", ("defective",), negative="functional")
MULTI = Task("multiclass", ("good", "crack", "finger"), negative="good")
LABELS = Task("multilabel", ("crack", "inactive"), negative="good")


class Page(HTMLParser):
    """What stands in a page: its text, its tags, every id and every address."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.addresses: list[tuple[str, str]] = []
        self.images: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in ("meta", "img", "br", "use", "path", "rect", "circle"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                self.addresses.append((tag, value or ""))
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "rect", "circle", "use"):
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture(scope="module")
def page(binary: ReportContent) -> Page:
    return Page(render(binary))


def test_page_is_one_well_formed_file_that_loads_nothing(binary: ReportContent, page: Page) -> None:
    assert not page.open
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for _, address in page.addresses)
    assert not page.tags["script"] and not page.tags["link"] and not page.tags["iframe"]
    assert "http" not in render(binary) and "@import" not in render(binary)


def test_ids_are_unique_and_every_reference_meets_one(binary: ReportContent, page: Page) -> None:
    assert len(page.ids) == len(set(page.ids)) > 50
    used = {address[1:] for _, address in page.addresses if address.startswith("#")}
    used |= set(re.findall(r"url\(#([^)]*)\)", render(binary)))
    assert used <= set(page.ids)


def test_every_headline_number_and_its_interval_is_there(binary: ReportContent, page: Page) -> None:
    for entry in binary.metrics["headline"]:
        assert re.sub(r"\s", " ", words.number(entry["name"], entry["interval"]["value"])) in page.text
        assert re.sub(r"\s", " ", words.span(entry["name"], entry["interval"])) in page.text


def test_confusion_counts_and_all_measures_are_there(binary: ReportContent, page: Page) -> None:
    for row in binary.metrics["confusion"]["matrix"]:
        assert all(str(count) in page.text for count in row)
    for name, interval in binary.metrics["classes"]["defective"]["measures"].items():
        assert f"{name} " in page.text and re.sub(r"\s", " ", words.span(name, interval)) in page.text


def test_stamp_is_shown_with_what_it_means(binary: ReportContent, page: Page) -> None:
    assert page.text.count("LEAK NOT CHECKED") == 3  # at the top, with the split, and in place of the proof
    assert "better than the line will see" in page.text
    checked = replace(binary, split=replace(binary.split, stamp="leak checked: twins"))
    text = Page(render(checked)).text
    assert "leak checked: twins" in text and "better than the line" not in text and "NOT CHECKED" not in text


def test_what_the_user_wrote_is_escaped(inspection: Maker) -> None:
    evil = Task("binary", ('Änderung <script>alert("x")</script> & $\\frac$',), negative="gut & <b>ganz</b>")
    content = inspection(evil, 20, 20, title="<i>title</i>", recipe_text="<script>", warnings=["<script>1</script>"])
    made = Page(render(content))
    assert not made.tags["script"] and not made.tags["i"] - render(content).count("<i style=")
    assert evil.classes[0] in made.text and evil.negative in made.text
    assert "<i>title</i>" in made.text


@pytest.mark.parametrize("task", [MULTI, LABELS])
def test_several_classes_have_all_the_sections(inspection: Maker, task: Task) -> None:
    made = Page(render(inspection(task, 60, 30)))
    assert not made.open and len(made.ids) == len(set(made.ids))
    for name in task.classes:
        assert f"{name} : all measures" in made.text.replace(f"{name}:", f"{name} :")
    # Three figures a class and two of the training, beside the hundred dots.
    assert made.tags["svg"] >= 3 * len(task.classes) + 2


def test_one_image_of_one_class_shows_reasons_instead_of_numbers(inspection: Maker) -> None:
    made = Page(render(inspection(BINARY, 1, 1)))
    reason = inspection(BINARY, 1, 1).metrics["classes"]["defective"]["undefined"]["AUROC"]
    assert f"not drawn: {reason}" in made.text and f"not defined: {reason}" in made.text
    assert "nan" not in made.text.split()


def test_no_mistakes_is_said_only_if_it_is_true(inspection: Maker) -> None:
    perfect = inspection(BINARY, 1, 1)
    assert perfect.metrics["confusion"]["matrix"] == [[0, 0], [0, 1]]
    assert "There are none" in Page(render(perfect)).text
    unseen = Page(render(inspection(BINARY, 60, 9, mistakes=[]))).text
    assert "There are none" not in unseen and "their pictures were not at hand" in unseen


def test_mistakes_are_capped_and_counted_escapes_first(binary: ReportContent) -> None:
    kinds = Counter(picture.kind for picture in binary.mistakes)
    assert kinds["escape"] and kinds["overkill"] > 1
    text = Page(render(replace(binary, shown=1))).text
    assert f"Overkill: {kinds['overkill']}" in text and "(the worst 1 shown)" in text
    assert f"{sum(kinds.values())} of {binary.metrics['n']} cells were decided wrongly" in text
    assert text.index("Escapes:") < text.index("Overkill:")
    worst = next(picture for picture in binary.mistakes if picture.kind == "overkill")
    last = [picture for picture in binary.mistakes if picture.kind == "overkill"][-1]
    assert worst.name in text and last.name not in text


def test_pictures_are_small_and_described(binary: ReportContent, page: Page) -> None:
    assert len(page.images) == len(binary.mistakes) + sum(map(len, binary.examples.values()))
    assert all("truly" in (image["alt"] or "") for image in page.images)
    assert all(int(image["width"] or 0) <= 200 and int(image["height"] or 0) <= 200 for image in page.images)


def test_what_is_known_of_a_picture_stands_below_it(binary: ReportContent) -> None:
    image = Image.new("L", (4, 4))
    wrong = Picture(image, "a.png", "ok", "bad", "overkill", odds="probability of bad 52.0 %", meta="type mono, age 7")
    example = Picture(image, "b.png", "ok", meta="type poly")
    text = Page(render(replace(binary, mistakes=[wrong], examples={"ok": [example]}))).text
    assert "is ok , called bad probability of bad 52.0 % type mono, age 7 a.png" in text
    assert "Examples: ok type poly b.png" in text


def test_grey_values_and_sizes_are_shown_where_somebody_has_looked(binary: ReportContent, page: Page) -> None:
    census = {
        "sizes": [[300, 300, 8], [64, 48, 1]], "modes": {"L": 9}, "bits": {"8": 6, "16": 3}, "formats": {"PNG": 9},
        "colour": 0, "grey_stored_as_colour": 0,
        "intensity": {"8": {"min": 1, "1 %": 2, "median": 101, "99 %": 240, "max": 250},
                      "16": {"min": 90, "1 %": 95, "median": 4000, "99 %": 60000, "max": 60123}},
        "odd": {"nearly black": [], "nearly white": [], "flat": []},
        "by_label": [{"label": "fine", "bits": 8, "images": 6, "lowest": 1, "highest": 250, "mean": 101.26},
                     {"label": "<bad>", "bits": 16, "images": 3, "lowest": 90, "highest": 60123, "mean": 4000.0}],
        "mean_intensity": {"edges": [0, 0.5, 1], "counts": {"fine": [4, 2], "<bad>": [3, 0]}},
    }  # fmt: skip
    text = Page(render(replace(binary, pictures=census, looked_at="9 of the 12 images were looked at."))).text
    assert "9 of the 12 images were looked at." in text and "300 x 300 8 64 x 48 1" in text
    assert "fine 8 1 250 101 <bad> 16 90 60,123 4,000" in text and "in their own range" in text
    assert "What the pictures are" not in page.text


def test_sixty_pictures_stay_under_three_megabytes(binary: ReportContent) -> None:
    noise = Image.effect_noise((400, 400), 90).convert("RGB")
    many = [Picture(noise, f"{index}.png", "a", "b", "escape") for index in range(60)]
    assert len(render(replace(binary, mistakes=many, shown=60))) < 3_000_000


def test_a_picture_that_is_gone_does_not_stop_the_report(binary: ReportContent, tmp_path: Path) -> None:
    gone = Picture(tmp_path / "gone.png", "gone.png", "functional", "defective", "overkill")
    assert "the picture can no longer be read" in Page(render(replace(binary, mistakes=[gone]))).text


def test_folds_say_that_they_describe_the_recipe(inspection: Maker, binary: ReportContent) -> None:
    from flawscope.pages.report import FoldContent

    folds = [FoldContent(f"fold {i}", 12, 2, {"AUROC": 0.8125 + i / 16, "accuracy": 0.75}, "ab" * 32) for i in range(3)]
    text = Page(render(replace(binary, bundle=None, folds=folds))).text
    assert "never a delivered bundle" in text and "sealed bundle, as it runs" not in text
    assert "0.938" in text and "abababababab" in text


def test_split_recipe_provenance_and_skipped_inputs_are_told(binary: ReportContent, page: Page) -> None:
    split: SplitContent = binary.split
    assert split.hash in page.text and split.method in page.text and split.notes[0] in page.text
    assert all(name in page.text and value in page.text for name, value in binary.provenance)
    assert binary.recipe_text.splitlines()[-1].strip() in page.text
    assert "labels.csv row 17" in page.text and "1 input was left out" in page.text


def test_same_content_gives_the_same_bytes(binary: ReportContent) -> None:
    assert render(binary) == render(binary)


def test_write_report_writes_utf8_and_refuses_in_words(binary: ReportContent, tmp_path: Path) -> None:
    path = write_report(tmp_path / "report", replace(binary, title="Prüfung"))
    assert path == tmp_path / "report" / "index.html" and "Prüfung" in path.read_text("utf-8")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(tmp_path / "file", binary)


def test_history_as_read_from_csv_is_drawn_as_well(binary: ReportContent) -> None:
    rows = [{key: str(value) for key, value in row.items()} for row in binary.history]
    assert render(replace(binary, history=rows)) == render(binary)
    assert "Learning" not in Page(render(replace(binary, history=[]))).text


def test_mistake_without_a_kind_is_our_bug(binary: ReportContent) -> None:
    with pytest.raises(ValueError, match=r"a\.png has none"):
        replace(binary, mistakes=[Picture(Image.new("L", (4, 4)), "a.png", "x", "y")])


@pytest.mark.parametrize(
    ("task", "true", "decided", "kind"),
    [
        (BINARY, [1], [False], "escape"),
        (BINARY, [0], [True], "overkill"),
        (BINARY, [0.7], [True], None),
        (MULTI, [0, 1, 0], [True, False, False], "escape"),
        (MULTI, [1, 0, 0], [False, True, False], "overkill"),
        (MULTI, [0, 1, 0], [False, False, True], "mix-up"),
        (MULTI, [0.3, 0.4, 0.3], [False, False, True], "mix-up"),
        (MULTI, [0.2, 0.4, 0.4], [False, True, False], None),
        (LABELS, [1, 0], [False, True], "escape"),
        (LABELS, [1, 0], [True, True], "overkill"),
        (LABELS, [0, 0], [False, False], None),
    ],
)
def test_mistake_kinds(task: Task, true: list[float], decided: list[bool], kind: str | None) -> None:
    assert mistake_kind(task, true, decided) == kind


def test_jpegs_in_the_page_decode(page: Page) -> None:
    import base64

    image = Image.open(io.BytesIO(base64.b64decode((page.images[0]["src"] or "").split(",")[1])))
    assert image.format == "JPEG" and max(image.size) == 200


def test_the_commonest_labels_stand_first_whatever_the_parts_begin_with(binary: ReportContent) -> None:
    parts = (PartContent("train", {"crack": 2, "good": 3}, 5), PartContent("test", {"inactive": 1, "good": 4}, 5))
    rows = balance(replace(binary, split=replace(binary.split, parts=parts)))["rows"]
    assert [(row["name"], row["total"]) for row in rows] == [("good", 7), ("crack", 2), ("inactive", 1)]
    assert [cell["count"] for cell in rows[1]["cells"]] == [2, 0]


def test_learning_shows_loss_the_watched_measure_and_accuracy(binary: ReportContent) -> None:
    def titles(watched: str, *measures: str) -> list[str]:
        history = [{"epoch": e, "train_loss": 1 / e, "val_loss": 1 / e, **dict.fromkeys(measures, 0.5)} for e in (1, 2)]
        shown = learning_figures(replace(binary, history=history, watched=watched))
        assert all(("training" in each["svg"]) == (each["title"] != "AUROC") for each in shown)
        return [each["title"] for each in shown]

    every = ("train_accuracy", "val_accuracy", "val_auroc")
    assert titles("val_auroc", *every) == ["Loss", "AUROC", "Accuracy"]
    assert titles("val_accuracy", *every) == ["Loss", "Accuracy"]
    assert titles("val_loss") == ["Loss"]  # a history of before all measures were kept


def test_the_share_drawn_stands_beside_the_accuracy_where_there_is_one_class(binary: ReportContent) -> None:
    def drawn(*columns: str, by: float = 0.1) -> list[bool]:
        history = [{"epoch": e, "train_loss": 1 / e, **dict.fromkeys(columns, 0.5 + by * e)} for e in (1, 2)]
        shown = learning_figures(replace(binary, history=history, watched="val_accuracy"))
        return ["drawn: scrap" in each["svg"] for each in shown]

    assert drawn("train_accuracy", "val_accuracy", "drawn_scrap") == [False, True]
    assert drawn("train_accuracy", "val_accuracy", "drawn_scrap", "drawn_dent") == [False, False]
    assert drawn("train_accuracy", "val_accuracy", "drawn_scrap", by=0) == [False, False]  # always that of the data
