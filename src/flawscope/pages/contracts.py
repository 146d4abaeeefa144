"""The escape contract on the report: the promise, what it rests on, and the picture of it, for whoever audits it.

Nothing is measured here. What is promised comes from the seal, the curves from the evidence beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.special import expit, logit

from flawscope.pages import figures, words
from flawscope.pages.figures import FIND, FONT, GOOD, GRID, INK, MUTED, style
from flawscope.records import FloatArray
from flawscope.wording import EXACT, OF_GATE, counted, percent, percent_down, percent_up, so_many_of

SIZE = (5.4, 4.4)
ASSUMED = (
    "The line must make parts like those of the calibration part: another material, camera, light or kind of defect is "
    "not covered.",
    "The labels must be right. A defect that was labelled good is counted nowhere.",
    "Different groups must be independent of each other. What belongs together must stand in one group.",
    "Scores must come from this sealed bundle, with this engine and precision.",
)
TRUSTED = {
    "groups": "Each group counts as one, large or small: the promise is about a group taken at random. Where large "
    "groups are worse than small ones, more of all parts may pass than was promised.",
    "effective": "No group fails as a whole. A bad lot that does, and is not among the groups that decided, breaks the "
    "promise, and nothing in the scores shows it.",
}


@dataclass(frozen=True)
class ContractContent:
    """One contract: its fields as they stand in the manifest, and the curves over the threshold (may be empty).

    `tested` is the interval of the escape rate on the test part, where that was measured. `saving` says where the
    network saves nothing beside this promise. `gate`: masks come after it.
    """

    contract: Mapping[str, Any]
    curve: Mapping[str, Sequence[float]]
    negative: str
    tested: Mapping[str, Any] | None = None
    saving: str = ""
    gate: bool = False


def assumed(contents: Sequence[ContractContent], items: str = "images") -> list[str]:
    """What these promises take for granted: what all do, what their way of counting does, and the confidence."""
    trusts, sure = [], []
    for contract in (content.contract for content in contents):
        many, base = so_many_of(contract["confidence"])
        sure.append(
            f"The confidence speaks of the way in which the threshold was chosen: of {base:,} bundles decided like "
            f"this, {many:,} keep what they promise. Which ones do, nobody can say."
        )
        if contract["groups"] != contract["positives"]:
            trusts.append(TRUSTED.get(contract["units"], _no_larger(contract, items)))
    of_gate = [OF_GATE.format(items=items)] if any(content.gate for content in contents) else []
    return [*of_gate, *ASSUMED, *dict.fromkeys((*trusts, *sure))]


def _no_larger(contract: Mapping[str, Any], items: str) -> str:
    """What the promise of all parts trusts; old bundles do not say how large the largest group is."""
    largest, some = contract.get("largest"), f"{contract['name']} {items}"
    most = f"{largest:,} {some}, the most in one of" if largest else f"{some} than the largest of"
    return (
        f"No group at the line holds more {'than ' if largest else ''}{most} those that decided. If there are larger "
        "ones, and they are worse, the promise is likely false."
    )


def contract_views(contents: Sequence[ContractContent], items: str = "images") -> list[dict[str, Any]]:
    """What the template prints of each contract."""
    return [_view(content, f"contract{index}", items) for index, content in enumerate(contents)]


def _view(content: ContractContent, prefix: str, items: str) -> dict[str, Any]:
    contract = content.contract
    svg = ""
    if content.curve.get("threshold"):
        alt = f"Escape rate of {contract['name']}, its upper bound, and overkill against the threshold"
        svg = Markup(figures.svg(picture(content), prefix, alt))
    return {
        "name": contract["name"],
        "kept": contract["kept"],
        "first": contract["words"][0],
        "saving": content.saving,
        "more": [text for text in contract["words"][1:] if text != content.saving],
        "rows": _rows(content, items),
        "svg": svg,
        "overkill": "overkill" in content.curve,
    }


def _rows(content: ContractContent, items: str) -> list[tuple[str, str]]:
    """Names and values, as an auditor would ask for them."""
    contract, name = content.contract, content.contract["name"]
    rows = [
        ("asked: share that may pass", _share(contract["max_escape"], EXACT)),
        ("asked: confidence", _share(contract["confidence"], EXACT)),
        ("kept", "yes, proven" if contract["kept"] else "NO, not proven"),
        *_in_its_place(contract),
        (f"{name} {items} that it rests on", f"{contract['positives']:,}, in {counted(contract['groups'], 'groups')}"),
        *_counted(contract, items),
        ("of these let through", f"{contract['escapes']:,}"),
        ("threshold", f"{contract['threshold']:.6g}"),
    ]
    overkill = contract["overkill"]
    if overkill is not None:
        rejected, ends = words.measured("overkill rate", overkill)
        rows.append((f"{content.negative} {items} rejected", f"{rejected} ({ends})"))
    if contract["kept"] and contract["overkill_unproven"] is not None:
        rows.append(("rejected without proof", words.number("overkill rate", contract["overkill_unproven"])))
    if contract["needed"] is not None:
        such = "groups such as these" if contract["units"] == "parts" else "independent ones"
        rows.append((f"{such} that would do, if none passes", f"{contract['needed']:,}"))
    if content.tested is not None:
        passed, ends = words.measured("escape rate", content.tested)
        rows.append(("seen afterwards on the test part: let through", f"{passed} ({ends})"))
    return rows


def _counted(contract: Mapping[str, Any], items: str) -> list[tuple[str, str]]:
    """How the parts of groups were counted. By `parts` no number of independent ones would prove as much."""
    if contract["groups"] == contract["positives"]:
        return []
    if contract["units"] == "parts":
        largest = contract.get("largest")
        most = [("most of them in one group", f"{largest:,}")] if largest else []
        return [("counted", f"all {items} alike, in whole groups"), *most]
    how = "each group as one" if contract["units"] == "groups" else "by how alike the scores inside the groups are"
    return [("worth so many independent ones", f"{contract['effective']:.4g}, {how}")]


def _in_its_place(contract: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is proven where the promise is not. Of a kept one its bound is measured, and proven is what was asked."""
    if contract["kept"]:
        return []
    return [
        ("proven in its place: share that may pass", _unbroken(percent_up(contract["bound"]))),
        (f"confidence reached for {_share(contract['max_escape'])}", _unbroken(percent_down(contract["reached"]))),
    ]


def picture(content: ContractContent) -> Figure:
    """Escape rate with its bound (above) and overkill (below) against the threshold, the chosen one marked."""
    curve, contract = content.curve, content.contract
    figure = Figure(figsize=SIZE, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    at_t = np.clip(np.asarray(curve["threshold"], dtype=float), 5e-4, 1 - 5e-4)
    chosen = float(np.clip(contract["threshold"], 5e-4, 1 - 5e-4))
    most = contract["max_escape"]
    top = min(1.02, max(4 * most, 2.2 * min(contract["bound"], 0.45), 0.05))
    upper.step(at_t, curve["bound"], where="pre", color=FIND, linewidth=2, gid="bound", label="upper bound")
    upper.step(
        at_t, curve["escape"], where="pre", color=FIND, linewidth=1.3, linestyle=(0, (3, 2)), gid="escape",
        label="measured",
    )  # fmt: skip
    upper.axhline(
        most, color=INK, linewidth=1.2, linestyle=(0, (1, 2)), gid="asked", label=f"asked: {_share(most, EXACT)}"
    )
    upper.set_ylim(-0.02 * top, top)
    _panel(upper, f"escapes: {figures.short(contract['name'], 24)} let through", chosen)
    upper.legend(frameon=False, fontsize=FONT - 1, labelcolor=INK, handlelength=1.8, loc="upper left")
    if "overkill" in curve:
        lower.step(at_t, curve["overkill"], where="pre", color=GOOD, linewidth=2, gid="overkill")
    else:
        lower.text(0.5, 0.5, "no good images: not known", transform=lower.transAxes, ha="center", color=MUTED)
    lower.set_ylim(-0.02, 1.02)
    _panel(lower, f"overkill: {figures.short(content.negative, 24)} rejected", chosen)
    said = f"threshold of the probability (chosen: {contract['threshold']:.3g})"
    figures.probability_axis(lower, *_span(curve, at_t, chosen, top), said)
    upper.tick_params(labelbottom=False)
    return figure


def _span(curve: Mapping[str, Sequence[float]], at_t: FloatArray, chosen: float, top: float) -> tuple[float, float]:
    """From where to where on the axis something moves: the overkill, or the bound below the top of its panel."""
    overkill_t = np.asarray(curve.get("overkill", np.zeros(len(at_t))))
    still_t = (overkill_t <= 0) & (np.asarray(curve["escape"]) > top)
    moves_t = at_t[~still_t]
    ends = logit([min(moves_t.min(initial=1.0), chosen), max(moves_t.max(initial=0.0), chosen)])
    margin = 0.08 * max(1.0, float(ends[1] - ends[0]))
    left, right = expit([ends[0] - margin, ends[1] + margin])
    return max(4e-4, float(left)), min(1 - 4e-4, float(right))


def _panel(axes: Axes, title: str, chosen: float) -> None:
    style(axes)
    axes.axvline(chosen, color=INK, linewidth=1.3, linestyle=(0, (4, 2)), gid="chosen")
    axes.set_title(title, fontsize=FONT, color=INK, loc="left", pad=4)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))


def _share(share: float, digits: int = 3) -> str:
    return _unbroken(percent(share, digits))


def _unbroken(words: str) -> str:
    return words.replace(" ", "\N{NO-BREAK SPACE}")
