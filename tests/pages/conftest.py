"""Invented inspections: seeded scores, measured by the evaluation room, drawn pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from flawscope.evaluation.measure import for_a_person, measure
from flawscope.pages.report import (
    BundleContent,
    FoldContent,
    PartContent,
    Picture,
    ReportContent,
    SplitContent,
    mistake_kind,
)
from flawscope.records import NOT_CHECKED, Skipped, Task

BINARY = Task("binary", ("defective",), negative="functional")
SIX = Task("multiclass", ("good", "crack", "finger", "black_core", "thick_line", "short_circuit"), negative="good")
TWO = Task("multilabel", ("crack", "inactive"), negative="good")
PRIOR = {1: [0.31], 2: [0.3, 0.2], 6: [0.4, 0.2, 0.15, 0.1, 0.1, 0.05]}


def cell(seed: int, flawed: bool, size: int = 220) -> Image.Image:
    """A grey solar cell with bus bars; a flawed one has a dark crack."""
    rng = np.random.default_rng(seed)
    shade = np.clip(rng.normal(150, 9, (size, size)) + np.linspace(-18, 18, size)[:, None], 0, 255)
    image = Image.fromarray(shade.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for x in (size // 4, size // 2, 3 * size // 4):
        draw.line((x, 0, x, size), fill=205, width=3)
    if flawed:
        x, y = rng.integers(30, size - 30, 2)
        for _ in range(6):
            dx, dy = rng.integers(-40, 40, 2)
            draw.line((x, y, x + dx, y + dy), fill=45, width=3)
            x, y = x + dx, y + dy
    return image


def scores(task: Task, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, probabilities and flags, each n x k; the first samples show every class once."""
    rng = np.random.default_rng(seed)
    k = len(task.classes)
    prior = PRIOR.get(k, [1 / k] * k)
    if task.kind == "multiclass":
        target_nk = np.eye(k)[np.r_[np.arange(min(k, n)), rng.choice(k, max(n - k, 0), p=prior)]]
    else:
        target_nk = (rng.random((n, k)) < prior).astype(float)
        target_nk[0] = 1
    logit_nk = rng.normal(0, 1.3, (n, k)) + 3.2 * target_nk - 1.6
    if task.kind == "multiclass":
        probability_nk = np.exp(1.5 * logit_nk) / np.exp(1.5 * logit_nk).sum(axis=1, keepdims=True)
        return target_nk, probability_nk, np.eye(k, dtype=bool)[probability_nk.argmax(axis=1)]
    probability_nk = 1 / (1 + np.exp(-logit_nk))
    return target_nk, probability_nk, probability_nk >= 0.41


def invent(
    task: Task, n: int, groups: int, *, pictures: bool = True, low: float | None = None, **changes: Any
) -> ReportContent:
    """A whole report of invented decisions; with three answers where a person looks from `low` on."""
    target_nk, probability_nk, flag_nk = scores(task, n)
    k = len(task.classes)
    thresholds = None if task.kind == "multiclass" else [0.41] * k
    unsure_nk = (probability_nk >= (low or 1)) & ~flag_nk
    names = [f"block {index * groups // n}" for index in range(n)]
    three = {} if low is None else {"unsure_nk": unsure_nk, "looked_at": [low] * k}
    document = measure(task, target_nk, probability_nk, flag_nk, names, thresholds=thresholds, **three)
    ranked, person = [], []
    human_n = for_a_person(flag_nk, unsure_nk) if low is not None else np.zeros(n, dtype=bool)
    for index in range(n):
        kind = mistake_kind(task, target_nk[index].tolist(), flag_nk[index].tolist())
        if human_n[index]:
            if pictures:
                true = task.describe(target_nk[index])
                bad = true != task.negative
                sort: Any = "person-bad" if bad else "person-good"
                person.append(Picture(cell(index, bad), f"images/cell{index:04d}.png", true, "human", sort))
            continue
        if kind is not None and pictures:
            column = int(np.abs(probability_nk[index] - target_nk[index]).argmax())
            picture = Picture(
                cell(index, target_nk[index].any() and task.describe(target_nk[index]) != task.negative),
                name=f"images/cell{index:04d}.png",
                true=task.describe(target_nk[index]),
                decided=task.describe(flag_nk[index]),
                kind=kind,
                odds=f"probability of {task.classes[column]} {100 * probability_nk[index, column]:.1f} %",
            )
            ranked.append((-abs(probability_nk[index, column] - target_nk[index, column]), index, picture))
    counts = document["combinations"]
    parts = tuple(
        PartContent(name, {label: max(int(count * factor), 1) for label, count in counts.items()}, 9, share)
        for name, factor, share in (
            ("train", 3, 0.6), ("validation", 0.5, 0.1), ("calibration", 0.5, 0.1), ("test", 1, 0.2)
        )
    )  # fmt: skip
    content = ReportContent(
        title="Solar cells, binary",
        subtitle="Electroluminescence images of solar cells, functional or defective",
        date="2025-03-14 09:26",
        metrics=document,
        split=SplitContent(
            "Grouped by contiguous blocks of 60 cells in file order, stratified on the label.",
            NOT_CHECKED, "5f2c" * 16, 7, parts, ("the sum of blocks does not divide evenly",),
        ),
        bundle=BundleContent(
            "solar-binary.flawscope", "a3f9c1d2e4b5" * 5 + "abcd", "onnxruntime float32", 9_123_456,
            (f"An image is called {task.classes[0]} if its probability is at least 0.41.",),
            "Calibration: Platt scaling, fitted on the validation split.",
        ),
        items="cells",
        history=[
            {"epoch": e, "rate": 1e-3, "train_loss": 0.7 * 0.86**e, "val_loss": 0.4 + 0.3 * 0.8**e + 0.006 * e,
             "val_AUROC": 0.88 - 0.3 * 0.8**e, "seconds": 9.1} for e in range(1, 21)
        ],
        watched="AUROC",
        best_epoch=14,
        provenance=[("command", "flawscope run recipes/solar-binary.yaml"), ("data hash", "9b1c" * 16),
                    ("versions", "flawscope 0.1.0, onnxruntime 1.23, numpy 2.3"), ("machine", "2 cores, x86-64")],
        mistakes=[picture for _, _, picture in sorted(ranked, key=lambda item: item[:2])],
        for_a_person=person,
        examples={label: [Picture(cell(i + 900, label != task.negative), f"cell{i}.png", label) for i in range(4)]
                  for label in counts} if pictures else {},
        recipe_text="task:\n  kind: binary\n  classes: [defective]\n",
        skipped=[Skipped("labels.csv row 17", "the file is empty (0 bytes)")],
    )  # fmt: skip
    return replace(content, **changes)


def invent_folds(n: int = 200) -> ReportContent:
    """A cross-validation: no bundle, five folds."""
    folds = [
        FoldContent(f"fold {i}", n // 5, 9, {"AUROC": 0.85 + i / 100, "accuracy": 0.8}, "ab12" * 16) for i in range(5)
    ]
    return invent(BINARY, n, 44, bundle=None, folds=folds, measured_on="all folds", title="Solar cells, 5 folds")


@pytest.fixture
def inspection() -> Callable[..., ReportContent]:
    """The maker of invented reports."""
    return invent


@pytest.fixture(scope="session")
def binary() -> ReportContent:
    """Sixty cells in nine groups, with mistakes of both kinds."""
    return invent(BINARY, 60, 9)
