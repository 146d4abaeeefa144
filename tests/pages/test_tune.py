"""The page of a study."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flawscope.pages.tune import render, write_tuning

SPACE = {
    "train.rate": {"low": 1e-4, "high": 0.1, "log": True, "step": None, "choices": None},
    "image.size": {"low": 64, "high": 128, "log": False, "step": 32, "choices": None},
    "train.schedule": {
        "low": None, "high": None, "log": False, "step": None, "choices": ["<b>", {"kind": "cosine", "warm_up": 1}],
    },
}  # fmt: skip


def trial(number: int, state: str = "finished", *values: float, **more: Any) -> dict[str, Any]:
    settings = {"train.rate": 0.001 * (number + 1), "image.size": 96, "train.schedule": SPACE["train.schedule"]["choices"][number % 2]}  # type: ignore[index]  # fmt: skip  # noqa: E501
    best = max(values) if values else None
    return {
        "number": number, "state": state, "settings": settings, "curve": list(enumerate(values, 1)), "seconds": 61.2,
        "reason": "", "again": None, "value": best, "best_epoch": values.index(best) + 1 if best else None,
        "epochs": len(values), **more,
    }  # fmt: skip


def document(*trials: dict[str, Any], **more: Any) -> dict[str, Any]:
    finished = [row for row in trials if row["state"] == "finished"]
    return {
        "study": "cells & <more>",
        "storage": "postgresql://me:***@host/x",
        "watch": "auroc",
        "direction": "maximise",
        "split": {"hash": "s" * 64, "stamp": "LEAK NOT CHECKED", "method": "dealt", "train": 1200, "validation": 300,
                  "groups": {"train": 40, "validation": 10}},
        "recipe": {"hash": "r" * 64}, "data": {"hash": "d" * 64},
        "tune": {"space": SPACE, "sampler": "tpe", "pruner": "median", "warm_up": 1, "first": 5, "seed": 0},
        "as_given": {"train.rate": 0.001, "image.size": [96, 96], "train.schedule": {"kind": "one_cycle"}},
        "counts": {state: sum(row["state"] == state for row in trials)
                   for state in ("finished", "pruned", "failed", "interrupted")},
        "trials": list(trials),
        "best": max(finished, key=lambda row: row["value"]) if finished else None,
        "best_recipe": "name: cells\n",
        "importance": {"method": "fANOVA", "trials": 3, "reason": "only 3 trials have finished, 10 are needed"},
        "provenance": {"command": "c", "date": "2026-01-31T00:00:00", "code": "0", "machine": "m", "versions": "v"},
        **more,
    }  # fmt: skip


SOME = (
    trial(0, "finished", 0.6, 0.71),
    trial(1, "finished", 0.8, 0.9123),
    trial(2, "pruned", 0.5),
    trial(3, "failed", reason="the loss is nan"),
    trial(4, "interrupted"),
    trial(5, "finished", 0.75, 0.73, again=4),
)


def test_the_page_says_first_that_its_numbers_were_chosen() -> None:
    page = render(document(*SOME))
    warning = page.index("CHOSEN ON THE VALIDATION SPLIT")
    assert warning < page.index("0.9123")
    assert "the best of 5 trials was chosen by it" in page
    assert "No trial has opened the calibration or test images" in page
    assert "flawscope run best.yaml" in page
    assert "Trial 1: AUROC 0.9123 on the validation split, in epoch 2 of 2." in page


def test_the_best_stand_first_and_what_has_no_value_last() -> None:
    page = render(document(*SOME))
    body = page[page.index('<table class="trials">') :]
    assert re.findall(r'<th scope="row">(\d+)</th>', body[: body.index("</table>")]) == ["1", "5", "0", "2", "3", "4"]
    assert "the loss is nan" in body
    assert "again what trial 4 was to try" in body
    losses = render(document(*SOME, direction="minimise", watch="loss"))
    body = losses[losses.index('<table class="trials">') :]
    assert re.findall(r'<th scope="row">(\d+)</th>', body)[:3] == ["0", "5", "1"]


def test_importance_is_drawn_or_it_is_said_why_not() -> None:
    page = render(document(*SOME))
    assert "Not measured: only 3 trials have finished, 10 are needed." in page
    assert 'aria-label="importance of each key"' not in page
    values = {"train.rate": 0.75, "image.size": 0.25, "train.schedule": 0.0}
    page = render(document(*SOME, importance={"method": "fANOVA", "trials": 12, "values": values}))
    assert 'aria-label="importance of each key"' in page
    assert "75 %" in page
    assert "about 75 %" in page
    assert "rests on 12 finished trials" in page
    assert "the shares are rough" in page
    page = render(document(*SOME, importance={"method": "fANOVA", "trials": 50, "values": values}))
    assert ">75 %" in page
    assert "rough" not in page


def test_each_key_has_a_slice_and_each_trial_with_a_value_is_a_point_in_it() -> None:
    page = render(document(*SOME))
    for key in SPACE:
        figure = page[page.index(f'aria-label="value against {key}"') :]
        figure = figure[: figure.index("</svg>")]
        points = {
            kind: len(re.findall("<use", re.search(rf'id="[^"]*-{kind}">(.*?)</g>\s*</g>', figure, re.DOTALL)[1]))  # type: ignore[index]
            for kind in ("finished", "pruned", "best")
        }
        assert points == {"finished": 2, "pruned": 1, "best": 1}
    rate = page[page.index('aria-label="value against train.rate"') :]
    ticks = re.findall(r">([\d.]+)</text>", rate[: rate.index("train.rate</text>")])
    assert {"0.001", "0.01"} <= set(ticks)
    assert "mathdefault" not in page


def test_words_of_the_user_are_no_markup_and_nothing_is_loaded() -> None:
    page = render(document(*SOME))
    assert "cells &amp; &lt;more&gt;" in page
    assert "&lt;b&gt;" in page
    assert "<b></" not in page
    assert not re.search(r'(src|href)="https?:', page)
    assert "cosine, warm_up: 1" in page
    assert page == render(document(*SOME))


def test_a_slice_marks_what_can_be_drawn_and_shows_choices_in_full() -> None:
    page = render(document(*SOME))
    sizes = page[page.index('aria-label="value against image.size"') :]
    sizes = sizes[: sizes.index("</svg>")]
    below = sizes[: sizes.index("image.size</text>")]
    assert re.findall(r">(\d+)</text>", below) == ["64", "96", "128"]
    schedules = page[page.index('aria-label="value against train.schedule"') :]
    schedules = schedules[: schedules.index("</svg>")]
    assert ">cosine<" in schedules
    assert ">warm_up: 1<" in schedules


def test_keys_break_at_their_points_and_one_is_no_plural() -> None:
    page = render(document(*SOME))
    assert '<th scope="row">train.<wbr>rate</th>' in page
    assert "not in the first epoch, not before 5 trials have finished" in page
    tune = document()["tune"]
    page = render(document(*SOME, tune=tune | {"warm_up": 2, "first": 1}))
    assert "not in the first 2 epochs, not before a trial has finished" in page
    assert "not in the first" not in render(document(*SOME, tune=tune | {"warm_up": 0}))


@pytest.mark.parametrize("trials", [(), (trial(0, "failed", reason="no such weights"),), (trial(0, "pruned", 0.5),)])
def test_a_study_without_a_best_trial_has_a_page_as_well(trials: Any, tmp_path: Any) -> None:
    path = write_tuning(tmp_path, document(*trials))
    page = path.read_text(encoding="utf-8")
    assert "All trials" in page
    assert "No trial has finished yet" in page or not any(row["value"] for row in trials)
