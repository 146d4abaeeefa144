"""The report of masks: what stands on it is what was measured, with gate and without, of one class and of several."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.evaluation.mask_facts import gathered, image_facts
from flawscope.evaluation.mask_fit import fit_masks, grid_of, summed, tally
from flawscope.evaluation.mask_measures import ANY, headline, measure_masks
from flawscope.evaluation.mask_time import time_saved
from flawscope.evaluation.measure import measure
from flawscope.pages.masks import MaskContent, MaskGallery, MaskPicture, mask_views
from flawscope.pages.report import FoldContent, PartContent, ReportContent, SplitContent, render
from flawscope.records import Task


def invent(names: tuple[str, ...] = ("pit", "scratch"), *, gate: bool = True, n: int = 40) -> ReportContent:
    """A report of invented masks of 24 x 60 pixels: half of them flawed, most of it marked, some false marks."""
    rng = np.random.default_rng(0)
    k = len(names)
    truth = np.zeros((n, k, 24, 60), dtype=bool)
    for i in range(0, n, 2):
        for c in rng.choice(k, int(rng.integers(1, k + 1)), replace=False):
            y, x = rng.integers(0, 14), rng.integers(0, 40)
            truth[i, c, y : y + rng.integers(3, 9), x : x + rng.integers(4, 18)] = True
    level = np.clip(rng.normal(40, 20, truth.shape) + 150 * np.roll(truth, 1, axis=3), 0, 255).astype(np.uint8)
    marked = level >= 128
    marked[1, 0, :2, :2] = True
    stopped_n = np.array([gate and i % 2 == 1 and i % 3 > 0 for i in range(n)])
    marked[stopped_n], level[stopped_n] = False, 0
    facts = gathered(map(image_facts, truth, marked, level))
    groups = [f"coil {i // 2}" for i in range(n)]
    task = Task("multilabel", names, "good", pixels="multilabel")
    target_nk, flag_nk = truth.any(axis=(2, 3)).astype(float), marked.any(axis=(2, 3))
    metrics = measure(task, target_nk, level.max(axis=(2, 3)) / 256, flag_nk, groups, thresholds=None)
    masks = measure_masks(names, facts, groups, mm_per_pixel=None if gate else 0.5)
    flawed_n1 = target_nk.max(axis=1, keepdims=True)
    of_gate = Task("binary", ("flawed",), "good")
    score_n1 = level.max(axis=(1, 2, 3))[:, None] / 256
    metrics |= {
        "masks": masks,
        "headline": [*headline(masks), *metrics["headline"]],
        "cascade": measure(of_gate, flawed_n1, score_n1, flag_nk.any(axis=1, keepdims=True), groups, thresholds=None),
    }
    if gate:
        metrics["gate"] = measure(
            of_gate, flawed_n1, 0.9 - 0.8 * stopped_n[:, None], ~stopped_n[:, None], groups, thresholds=[0.5]
        )
        metrics["gate"]["time"] = time_saved(np.full(n, 0.02), np.full(n, 0.1), stopped_n, groups)
    grid = grid_of(k)
    fitted = fit_masks(names, summed(map(lambda *pair: tally(*pair, grid), truth, level)), grid)
    classes = {
        name: {"level": fitted.levels[c], "min_area": fitted.min_areas[c], "fitted": True, "dice": fitted.quality[c],
               "images": 9, **fitted.curve[c]} for c, name in enumerate(names)
    }  # fmt: skip
    picture = MaskPicture(
        "strip7.png",
        {"true flaws": Image.new("RGB", (60, 24)), "marked flaws": Image.new("RGB", (60, 24), "red")},
        ["is pit"],
    )
    return ReportContent(
        title="Strips",
        date="2026-03-01",
        metrics=metrics,
        split=SplitContent("by coil", "leak checked: court", "ab" * 32, 1, (PartContent("test", {"good": n}, 9),)),
        bundle=None,
        items="strips",
        masks=MaskContent(
            rule=["Masks: a pixel is pit from probability 0.5 on."],
            gate=["Decision: flawed when its probability is at least 0.5."] if gate else (),
            fitted={"classes": classes},
            galleries=[MaskGallery("The worst", "Least first.", 20, "flawed ones", [picture])],
            colours=dict.fromkeys(names, "#123456"),
        ),
    )


@pytest.fixture(scope="module")
def page() -> tuple[ReportContent, str]:
    content = invent()
    return content, render(content)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)))


def test_the_numbers_are_those_of_the_document(page: tuple[ReportContent, str]) -> None:
    content, said = page[0], text(page[1])
    masks: Any = content.metrics["masks"]
    for key in ("mean IoU", "mean Dice over images", "mean Dice on flawed", "mean Dice of no marks"):
        assert f"{masks['measures'][key]['value']:.3f}" in said, key
    for name in ("pit", "scratch", ANY):
        entry = masks["classes"][name]["measures"]["IoU"]
        assert f"{entry['value']:.3f} {entry['low']:.3f} to {entry['high']:.3f}" in said
    flaws = masks["flaws"]["classes"][ANY]
    assert f"{flaws['flaws']} true flaws." in said
    assert masks["rule"] in said
    assert f"{100 * flaws['measures']['flaw recall']['value']:.1f}" in said
    assert "As Kaggle's Severstal contest counts" in said.replace("&#39;", "'")


def test_every_section_of_the_list_is_on_the_page(page: tuple[ReportContent, str]) -> None:
    linked = re.findall(r'<a href="#([a-z]+)">', page[1])
    assert {"minute", "places", "flaws", "gate", "images", "rule", "curves", "pictures", "data", "split"} <= set(linked)
    for name in linked:
        assert f'<section id="{name}">' in page[1]
    assert not {"promise", "costs", "mistakes"} & set(linked)
    ids = re.findall(r'\bid="([^"]+)"', page[1])
    assert len(ids) == len(set(ids))
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]+"', page[1])


def test_the_gate_says_what_it_saves(page: tuple[ReportContent, str]) -> None:
    said, time = text(page[1]), page[0].metrics["gate"]["time"]
    assert f"The gate stopped {time['stopped']} of 40 strips" in said
    assert f"So it saves {100 * time['saved']['value']:.0f} % of the time" in said
    assert "takes more time than it saves" not in said
    metrics = {**page[0].metrics, "gate": {**page[0].metrics["gate"]}}
    metrics["gate"]["time"] = time_saved(np.full(40, 0.09), np.full(40, 0.1), np.arange(40) < 4, range(40))
    costly = text(render(replace(page[0], metrics=metrics)))
    assert "The gate takes more time than it saves." in costly
    assert "So it costs" in costly


def test_without_a_gate_and_with_one_class() -> None:
    content = invent(("pit",), gate=False)
    page = render(content)
    said = text(page)
    assert '<section id="gate">' not in page
    assert ">mean of the classes<" not in page
    assert "area of the flaw in mm2" in said
    assert "One pixel is 0.5 mm wide." in said
    assert "Class by class" not in said
    cards = mask_views(content)["minute"]["cards"]
    assert [card["name"] for card in cards] == [f"IoU of {ANY}", "mean Dice on flawed", "false flaws an image"]
    assert [card["name"] for card in mask_views(invent())["minute"]["cards"]][:2] == ["mean IoU", f"IoU of {ANY}"]


def test_folds_of_one_class_tell_its_iou_once() -> None:
    def head(names: tuple[str, ...]) -> str:
        values = {"mean IoU": 0.625, f"IoU of {ANY}": 0.625}
        folds = [FoldContent(f"fold {number}", 12, 2, values, 64 * "a") for number in range(2)]
        page = render(replace(invent(names), bundle=None, folds=folds))
        return next(row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if ">seal<" in row)

    assert f"IoU of {ANY}" in head(("pit",)) and "mean IoU" not in head(("pit",))
    assert f"IoU of {ANY}" in head(("pit", "scratch")) and "mean IoU" in head(("pit", "scratch"))


def test_classes_that_are_called_by_numbers_are_not_taken_for_counts() -> None:
    content = invent(("1", "10"))
    parts = (PartContent("test", {"10": 3, "1 + 10": 2, "good": 7, "1": 4}, 9),)
    page = render(replace(content, split=replace(content.split, parts=parts)))
    said = text(page)
    assert re.search(r"Of 100 true flaws of class 10?, ", said) and re.search(r"least found: class 10?", said, re.I)
    assert len(re.findall(r"<h4>class 10?: \d+ flaws</h4>", page)) == 2
    assert "pixels of class 10 found" in page
    counts = page[page.index('<table class="counts">') :]
    assert re.findall(r'<th scope="row">([^<]*)<', counts)[:4] == ["good", "1", "10", "1 + 10"]


def test_pictures_stand_one_above_the_other_where_they_are_wide(page: tuple[ReportContent, str]) -> None:
    assert 'class="halves over"' in page[1]
    assert "above with the outlines of what truly is there, below" in text(page[1])
    assert "The worst 1 of 20 flawed ones" in text(page[1])
    square = MaskPicture("a.png", {"true flaws": Image.new("L", (30, 30)), "marked flaws": "gone.png"})
    assert page[0].masks is not None
    changed = replace(page[0].masks, galleries=[MaskGallery("The worst", "", 1, "flawed ones", [square])])
    other = render(replace(page[0], masks=changed))
    assert 'class="halves"' in other
    assert "the picture can no longer be read" in other
    assert "Their pictures were not at hand." in render(replace(page[0], masks=replace(changed, galleries=[])))


def test_a_part_without_flaws_has_a_page() -> None:
    content = invent(gate=False)
    metrics: Any = dict(content.metrics)
    empty = np.zeros((4, 2, 6, 6), dtype=bool)
    facts = gathered(map(image_facts, empty, empty, empty.astype(np.uint8)))
    metrics["masks"] = measure_masks(("pit", "scratch"), facts, list("abcd"))
    metrics["headline"] = headline(metrics["masks"])
    said = text(render(replace(content, metrics=metrics)))
    assert "not defined" in said
    assert "no image shows one" in said


def test_the_same_content_gives_the_same_bytes(page: tuple[ReportContent, str]) -> None:
    assert render(page[0]) == page[1]
