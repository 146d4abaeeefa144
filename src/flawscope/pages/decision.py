"""The page of a bundle's decision, for a customer's auditor: what is promised, on which images, and what came after.

A run has its report. A bundle that was decided again has no run; its page is made from what it carries itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flawscope.pages import view
from flawscope.pages.contracts import ContractContent, assumed, contract_views
from flawscope.pages.costs import CostContent, cost_views
from flawscope.pages.templating import fill, write_page
from flawscope.records import NOT_CHECKED
from flawscope.wording import COSTS_ONE_BY_ONE, all_at_once

SECTIONS = (
    ("decision", "Decision"),
    ("promise", "Promise"),
    ("costs", "Costs"),
    ("images", "Images"),
    ("test", "Afterwards"),
    ("provenance", "Provenance"),
)


@dataclass(frozen=True)
class DecisionContent:
    """Everything that the page shows.

    `decision` is the rule in words, `notes` what is to be said of the images that decided, `decided_on` what they are
    called; `stamp` is that of the split the network was trained with. `metrics` is the document of an evaluation of
    this bundle afterwards, empty where there was none. `family` says what is known of other decisions of its network,
    `family_rows` hold name, what was asked for and outcome of each. `title` is the file's name without its ending,
    since all decisions of a network bear the network's name; `file` is the bundle's name, for the commands on the page.
    """

    title: str
    date: str
    file: str
    seal: str
    engine: str
    decided_on: str
    decision: Sequence[str]
    stamp: str
    parent: str = ""
    calibration: str = ""
    notes: Sequence[str] = ()
    family: Sequence[str] = ()
    family_rows: Sequence[tuple[str, str, str]] = ()
    contracts: Sequence[ContractContent] = ()
    costs: Sequence[CostContent] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    provenance: Sequence[tuple[str, str]] = ()


def write_decision(folder: str | Path, content: DecisionContent) -> Path:
    """Write `folder`/index.html, whole or not at all, and return its path.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_page(folder, render(content))


def render(content: DecisionContent) -> str:
    """The page as one string. The same content gives the same bytes."""
    left_out = {name for name, there in (("promise", content.contracts), ("costs", content.costs)) if not there}
    return fill(
        "decision.html",
        content=content,
        sections=[each for each in SECTIONS if each[0] not in left_out],
        not_checked=NOT_CHECKED,
        unchecked=any(NOT_CHECKED in words for words in (content.stamp, *content.notes)),
        decided_on=content.decided_on,
        promises=contract_views(content.contracts),
        assumed=assumed(content.contracts),
        all_promises=all_at_once([each.contract["confidence"] for each in content.contracts]),
        one_by_one=COSTS_ONE_BY_ONE,
        costs=cost_views(content.costs),
        headline=view.headline(content.metrics, "images") if content.metrics else None,
    )
