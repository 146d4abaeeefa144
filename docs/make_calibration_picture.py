"""Draw the picture of docs/calibration.md and measure its tables: python docs/make_calibration_picture.py.

Scores and truth are drawn at random by this file, so that the right probability of each is known. No camera, no parts.
Shapes: n samples.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.special import expit, logit, xlogy

from flawscope.evaluation.calibration import Calibration, fit
from flawscope.evaluation.reliability import reliability
from flawscope.probability import calibrate
from flawscope.records import BoolArray, FloatArray

PICTURE = Path(__file__).with_name("images") / "calibration.png"
INK, MUTED, FIND, SAFE = "#20262e", "#66707c", "#d55e00", "#0072b2"
METHODS = ("none", "standard", "temperature", "isotonic", "venn_abers", "auto")
SIZES = (60, 200, 1000)
REPETITIONS = 60
FRESH = 4000

Curve = Callable[[FloatArray], FloatArray]
CURVES: dict[str, Curve] = {
    "right already": lambda logit_n: logit_n,
    "too sure, and shifted": lambda logit_n: 0.5 * logit_n - 1.2,
    "5 % wrong labels": lambda logit_n: logit(0.05 + 0.9 * expit(2 * logit_n)),
    "steps": lambda logit_n: np.select([logit_n < -2, logit_n < 1.5], [-3.5, -1.0], 2.0),
}
"""The right logit for a raw one."""


def draw(n: int, curve: Curve, seed: int) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Raw logits, n x 1, truth and right probability: two heaps of scores, as of good and bad parts, three a group."""
    rng = np.random.default_rng(seed)
    heap_n, group_n = rng.random(n) < 0.25, np.arange(n) // 3
    common_g = rng.normal(0, 0.8, group_n[-1] + 1)
    logit_n = rng.normal(0, 1.5, n) + np.where(heap_n, 2.0, -2.0) + common_g[group_n]
    right_n = expit(curve(logit_n))
    return logit_n[:, None], rng.random(n) < right_n, right_n


def fitted(n: int, curve: Curve, seed: int, method: str) -> Calibration:
    """A calibrator from so many samples in groups of three."""
    logit_n1, truth_n, _ = draw(n, curve, seed)
    groups = [str(index // 3) for index in range(n)]
    return fit("binary", logit_n1, truth_n[:, None].astype(float), method=method, groups=groups)


def excess(curve: Curve, n: int, method: str) -> float:
    """Log loss on new samples above that of the right probabilities, in thousandths: the mean of all repetitions."""
    losses = []
    for seed in range(REPETITIONS):
        knots = fitted(n, curve, seed, method).knots
        logit_n1, _, right_n = draw(FRESH, curve, 10_000 + seed)
        said_n = np.clip(calibrate("binary", knots, logit_n1)[:, 0], 1e-15, 1 - 1e-15)
        losses.append(np.mean(xlogy(right_n, right_n / said_n) + xlogy(1 - right_n, (1 - right_n) / (1 - said_n))))
    return 1000 * float(np.mean(losses))


def table() -> list[str]:
    """The rows of the table in docs/calibration.md."""
    return [
        f"| {name} | {n:,} | " + " | ".join(f"{excess(curve, n, method):.0f}" for method in METHODS) + " |"
        for name, curve in CURVES.items()
        for n in SIZES
    ]


def picture() -> dict[str, float]:
    """Draw reliability before and after Platt scaling; the expected calibration errors, in points, for the text."""
    curve = CURVES["too sure, and shifted"]
    knots = fitted(400, curve, 1, "standard").knots
    logit_n1, truth_n, _ = draw(1200, curve, 2)
    figure = Figure(figsize=(9.2, 4.3), layout="constrained", dpi=110)
    errors = {}
    titles = {"raw": "raw scores", "calibrated": "after Platt scaling on 400 other images"}
    for axes, (name, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        table = knots if name == "calibrated" else (((0.0, 0.0), (1.0, 1.0)),)
        known = reliability(truth_n, calibrate("binary", table, logit_n1)[:, 0], np.arange(len(truth_n)) // 3)
        error = known["measures"]["expected calibration error"]
        errors |= {f"{name} {end}": 100 * error[end] for end in ("value", "low", "high")}
        value, low, high = (100 * error[end] for end in ("value", "low", "high"))
        said = f"off by {value:.1f} points on average ({low:.1f} to {high:.1f})"
        draw_bins(axes, known["bins"], f"{title}\n{said}", FIND if name == "raw" else SAFE)
    figure.axes[0].set_ylabel("share that is defective", color=INK)
    FigureCanvasAgg(figure).print_png(PICTURE)
    return errors


def draw_bins(axes: Axes, bins: list[dict[str, dict[str, float] | float]], title: str, colour: str) -> None:
    """One reliability diagram: points with their intervals, and the line on which right probabilities lie."""
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    at = [each["probability"] for each in bins]
    shares: list[dict[str, float]] = [each["share"] for each in bins]  # type: ignore[misc]
    axes.vlines(at, [s["low"] for s in shares], [s["high"] for s in shares], color=colour, linewidth=1.8)
    axes.plot(at, [s["value"] for s in shares], "o", color=INK, markersize=5)
    axes.set_title(title, fontsize=10.5, color=INK, loc="left")
    axes.set_xlabel("probability that the system gives", color=INK)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.grid(color="#dfe3e8", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


if __name__ == "__main__":
    sys.stdout.write(f"{picture()}\n")
    sys.stdout.write("\n".join(table()) + "\n")
