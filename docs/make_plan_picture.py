"""Draw the picture of docs/plan.md: python docs/make_plan_picture.py.

Left the promise that so many faultless parts allow; right a learning curve whose law is known. Nothing comes from a
real camera. It also prints the table of the page, from the results of benchmarks/learning_curve_simulation.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from flawscope.evaluation.learning_curve import Law, fit_curve
from flawscope.evaluation.plan import best_promise, defects_needed

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "learning-curve-simulation.json"
PICTURE = Path(__file__).with_name("images") / "plan.png"
INK, MUTED, FIND, GOOD = "#20262e", "#66707c", "#d55e00", "#0072b2"
MARKED = (0.02, 0.01, 0.005)
SIZES = (100, 200, 400, 800)
TRUTH = Law(0.06, 0.6, 0.03)


def figure(path: Path = PICTURE) -> None:
    """Both panels side by side."""
    drawn = Figure(figsize=(9.6, 3.9), dpi=110, layout="constrained")
    left, right = drawn.subplots(1, 2)
    for axes in (left, right):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(colors=MUTED, labelcolor=INK)
        axes.grid(color="#dfe3e8", linewidth=0.8)
        axes.set_axisbelow(True)
    promises(left)
    curve(right)
    FigureCanvasAgg(drawn).print_png(str(path), metadata={"Software": None})  # type: ignore[no-untyped-call]


def promises(axes: Axes) -> None:
    """The best promise against the number of independent defective parts, for some escapes among them."""
    count_n = np.unique(np.geomspace(30, 3000, 120).round()).astype(int)
    for escapes, colour in ((0, GOOD), (2, "#56b4e9"), (10, MUTED)):
        words = "none passes" if not escapes else f"{escapes} pass"
        bound_n = [100 * best_promise(int(n), escapes=escapes) for n in count_n]
        axes.plot(count_n, bound_n, color=colour, linewidth=2, label=words)
    for rate in MARKED:
        n = defects_needed(rate)
        axes.plot([n], [100 * rate], "o", color=FIND, markersize=7, zorder=5)
        axes.annotate(f"{n}", (n, 100 * rate), xytext=(-6, -6), textcoords="offset points", ha="right", va="top",
                      color=INK)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(0.08, 40)
    for axis, ticks in ((axes.xaxis, (30, 100, 300, 1000, 3000)), (axes.yaxis, (0.1, 0.5, 1, 2, 5, 10, 20))):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g} %"))
    axes.set_title("What can be promised, with 95 % confidence", loc="left", fontsize=11, color=INK)
    axes.set_xlabel("independent defective parts in the calibration part", color=INK)
    axes.set_ylabel("at most so many pass", color=INK)
    axes.legend(frameon=False, labelcolor=INK, title="of these parts")


def curve(axes: Axes) -> None:
    """Three trainings of each size around a known law, what was fitted to them, and the law itself."""
    rng = np.random.default_rng(4)
    mean_s = np.array([TRUTH.error(size / SIZES[-1]) for size in SIZES])
    error_sr = mean_s[:, None] * np.exp(0.06 * rng.standard_normal((len(SIZES), 3)))
    fitted = fit_curve(SIZES, error_sr)
    times_t = np.geomspace(SIZES[0] / SIZES[-1], 4, 60)
    found = [fitted.interval(float(times)) for times in times_t]
    images_t = times_t * SIZES[-1]
    band = [[1 - each.high for each in found], [1 - each.low for each in found]]
    axes.fill_between(images_t, *band, color=GOOD, alpha=0.16, linewidth=0, label="95 % interval")
    axes.plot(images_t, [1 - each.value for each in found], color=GOOD, linewidth=2, label="fitted to the points")
    axes.plot(images_t, [1 - TRUTH.error(float(t)) for t in times_t], color=INK, linewidth=1.4, linestyle=(0, (4, 3)),
              label="the truth, known here")  # fmt: skip
    axes.plot(np.repeat(SIZES, 3), 1 - error_sr.ravel(), "o", color=FIND, markersize=5, label="one training")
    axes.axvline(SIZES[-1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([*SIZES, 1600, 3200]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.set_title("What more images would bring", loc="left", fontsize=11, color=INK)
    axes.set_xlabel("training images (dotted: all that there are)", color=INK)
    axes.set_ylabel("AUROC", color=INK)
    axes.legend(frameon=False, labelcolor=INK, loc="lower right")


def table() -> str:
    """The rows of the page's table: how often the intervals held the truth."""
    cases = json.loads(RESULTS.read_text(encoding="utf-8"))[-1]["cases"]
    rows = []
    for case in cases:
        held = " | ".join(f"{100 * case['held'][times]['value']:.1f} %" for times in ("1", "2", "4"))
        rows.append(f"| {case['name']} | {100 * case['not_said']:.1f} % | {held} |")
    return "\n".join(rows)


if __name__ == "__main__":
    figure()
    sys.stdout.write(f"{table()}\n")
