"""Synthetic solar cells, as small electroluminescence images, with known truth: for the demonstration of a challenge.

A cell glows; its busbars, its cracks and its inactive regions are dark. Cells of a module have one brightness.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from flawscope.storage import new_folder

SIDE = 64
BUSBARS = (10, 31, 32, 53)
CELLS_OF_A_MODULE = 4
TABLE = "labels.csv"


def draw_cells(folder: str | Path, modules: int, seed: int = 0) -> Path:
    """Draw the cells of so many modules and a table of what each shows: crack, inactive (0 or 1), and its module.

    The same seed gives the same pictures.

    Raises:
        OutputError: the folder exists, or it cannot be written.
    """
    rng = np.random.default_rng(seed)
    rows = []
    with new_folder(folder) as beside:
        for module in range(modules):
            shade = rng.uniform(120, 200)
            for cell in range(CELLS_OF_A_MODULE):
                crack, inactive = rng.random(2) < (0.45, 0.3)
                name = f"m{module:03d}c{cell}.png"
                draw_cell(rng, float(shade), crack=bool(crack), inactive=bool(inactive)).save(beside / name)
                rows.append((name, int(crack), int(inactive), f"m{module:03d}"))
        with (beside / TABLE).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("image", "crack", "inactive", "module"), *rows])
    return Path(folder)


def draw_cell(rng: np.random.Generator, shade: float, *, crack: bool, inactive: bool) -> Image.Image:
    """One cell, of another grain each time; some cracks are faint, and some inactive regions still glow a little."""
    y_hw, x_hw = np.mgrid[:SIDE, :SIDE] / SIDE
    glow_hw = np.full((SIDE, SIDE), float(shade))
    for _ in range(6):
        turn, phase, waves = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 4)
        glow_hw += rng.uniform(2, 9) * np.cos(2 * np.pi * waves * (x_hw * np.cos(turn) + y_hw * np.sin(turn)) + phase)
    if inactive:
        left, right = sorted(rng.choice([0, *BUSBARS[:2], *BUSBARS[2:], SIDE - 1], 2, replace=False))
        top = int(rng.integers(0, SIDE // 2))
        glow_hw[top : top + int(rng.integers(16, SIDE // 2)), left : max(right, left + 12)] *= rng.uniform(0.3, 0.75)
    if crack:
        _darken(glow_hw, rng, rng.uniform(0.35, 0.85))
    glow_hw[:, BUSBARS] *= 0.55
    glow_hw += rng.normal(0, 5, glow_hw.shape)
    return Image.fromarray(glow_hw.clip(0, 255).astype(np.uint8))


def _darken(glow_hw: NDArray[np.float64], rng: np.random.Generator, factor: float) -> None:
    """A crack: a line that wanders across."""
    place, turn = rng.uniform(10, SIDE - 10, 2), rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(20, 50))):
        turn += rng.normal(0, 0.35)
        place += (np.cos(turn), np.sin(turn))
        y, x = place.astype(int)
        if not (0 <= y < SIDE and 0 <= x < SIDE):
            return
        glow_hw[y, x] *= factor
