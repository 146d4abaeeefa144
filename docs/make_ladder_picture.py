"""Draw the picture of docs/challenge.md from benchmarks/results/ladder-attack.json: python docs/make_ladder_picture.py.

Also prints the rows of the page's table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from flawscope.pages.figures import INK, MUTED, STROKES, png, style
from flawscope.storage import write_bytes

HERE = Path(__file__).parent
TARGET = HERE / "images" / "ladder.png"
RESULTS = HERE.parent / "benchmarks" / "results" / "ladder-attack.json"
SHOWN = ("every score", "every score in steps of 0.01", "ladder, steps of 0.01", "ladder, steps of 0.02")
TITLES = {
    "climber": "climber, mean F1 (honest: {:.2f})",
    "voter": "voter, right answers (in truth: {:.2f})",
}


def boards() -> dict[str, Any]:
    """What the last run of the benchmark says of each board."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))[-1]["boards"]
    return {each["board"]: each for each in found}


def picture() -> Figure:
    """What the board shows of each attacker against the number of submissions."""
    figure = Figure(figsize=(7.4, 3.6), layout="constrained")
    found = boards()
    for axes, attacker in zip(figure.subplots(1, 2), TITLES, strict=True):
        begun = found[SHOWN[0]][attacker][0]["shown"][0]
        axes.axhline(begun, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
        for board, (colour, dashes) in zip(SHOWN, STROKES, strict=False):
            rows = found[board][attacker]
            at = [row["submissions"] for row in rows]
            axes.plot(at, [row["shown"][0] for row in rows], color=colour, linestyle=dashes, linewidth=2, label=board)
        axes.set_xscale("log")
        axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("submissions", color=INK)
        axes.set_ylim(begun - 0.03, 1.0)
        axes.set_title(TITLES[attacker].format(begun), color=INK, fontsize=10, loc="left")
        style(axes)
    figure.axes[0].set_ylabel("what the board shows", color=INK)
    figure.axes[0].legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper left", handlelength=2.4)
    return figure


def drawn() -> bytes:
    """The picture as a PNG."""
    return png(picture(), 7.4, 3.6)


def rows() -> list[str]:
    """The rows of the table: how far the board has risen falsely, with intervals."""
    lines = []
    for board, each in boards().items():
        cells = []
        for attacker in TITLES:
            risen = {row["submissions"]: row["risen_by"] for row in each[attacker]}
            cells += [
                f"{risen[after][0]:.3f} ({risen[after][1]:.3f} to {risen[after][2]:.3f})" for after in (300, 1000)
            ]
        lines.append(f"| {board} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    write_bytes(TARGET, drawn())
    sys.stdout.write(f"wrote {TARGET}\n" + "\n".join(rows()) + "\n")
