"""The report: one self-contained page that a quality engineer can read, print, and hand to a customer.

Plain records in, HTML out. Nothing is computed here that is not already in the records: the numbers on the page are
the numbers of the metrics document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from flawscope.pages import looked_at, masks, picture_facts, reliability, view, words
from flawscope.pages.contracts import ContractContent, assumed, contract_views
from flawscope.pages.costs import CostContent, cost_views
from flawscope.pages.fold_decisions import fold_tables
from flawscope.pages.looked_at import LookedAt
from flawscope.pages.masks import MaskContent
from flawscope.pages.pairs import ProofContent, proof_view
from flawscope.pages.templating import fill, write_page
from flawscope.records import NOT_CHECKED, Skipped, Task
from flawscope.wording import COSTS_ONE_BY_ONE, all_at_once

MistakeKind = Literal["escape", "overkill", "mix-up"]
PersonKind = Literal["person-bad", "person-good"]
CloseKind = Literal["close"]
MISTAKE_KINDS: tuple[MistakeKind, ...] = ("escape", "overkill", "mix-up")

SECTIONS = (
    ("minute", "In one minute"),
    ("promise", "Promise"),
    ("costs", "Costs"),
    ("folds", "Promises and costs"),
    ("decisions", "Decisions"),
    ("curves", "Curves"),
    ("probabilities", "Probabilities"),
    ("mistakes", "Mistakes"),
    ("person", "For a person"),
    ("looks", "What it looks at"),
    ("data", "Data"),
    ("split", "Split"),
    ("proof", "Proof"),
    ("provenance", "Provenance"),
)


@dataclass(frozen=True)
class Picture:
    """One picture to show.

    An example has a true label only; a mistake has a kind (see `mistake_kind`), and so has what is for a person. What
    may stand below it: `odds`, how probable the bundle held its answer; `why` it stands here; `meta`, what is known of
    it beside its pixels. `asked` is the answer that its heat map is about: the class that was missed, called wrongly,
    or left open; `map` stands beside the picture, `map_says` below it, or in its place where the map is empty.
    """

    image: Image.Image | str | Path
    name: str
    true: str
    decided: str = ""
    kind: MistakeKind | PersonKind | CloseKind | None = None
    odds: str = ""
    why: str = ""
    meta: str = ""
    asked: str = ""
    map: Image.Image | None = None
    map_says: str = ""


@dataclass(frozen=True)
class PartContent:
    """One part of a split: samples of each label combination, number of groups, share that was asked for."""

    name: str
    counts: Mapping[str, int]
    groups: int
    wanted: float | None = None

    @property
    def total(self) -> int:
        """All samples of this part."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class SplitContent:
    """How the data was split. For k folds each fold is a part."""

    method: str
    stamp: str
    hash: str
    seed: int
    parts: tuple[PartContent, ...]
    notes: tuple[str, ...] = ()

    @property
    def checked(self) -> bool:
        """Whether images of the same thing were searched for across the parts."""
        return self.stamp != NOT_CHECKED


@dataclass(frozen=True)
class BundleContent:
    """The sealed file that gave the decisions; `decision` holds the rule in words, one sentence a class.

    `calibration` says in words how its scores became probabilities. `others` are decided otherwise from the same
    network: name, address of its page, and the first sentence of what it promises or costs. `family` says what is known
    of all decisions of that network, `family_rows` name each with what was asked for and the outcome.
    """

    name: str
    seal: str
    engine: str
    size_bytes: int
    decision: tuple[str, ...] = ()
    calibration: str = ""
    others: tuple[tuple[str, str, str], ...] = ()
    family: tuple[str, ...] = ()
    family_rows: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class FoldContent:
    """One fold of a cross-validation: its own seal and its own headline values by measure."""

    name: str
    n: int
    groups: int
    values: Mapping[str, float]
    seal: str = ""


@dataclass(frozen=True)
class ReportContent:
    """Everything that the page shows.

    Required: `metrics` is the metrics document of evaluation, `mistakes` are all mistakes, worst first (the page
    shows the first `shown` of each kind and counts the rest), `provenance` are pairs of name and value.
    `for_a_person` are all pictures that a person has to look at, in the order in which they are shown. `uncertain` are
    right decisions that were nearly others, where nobody is asked to look.
    `items` is what one image shows, in the plural: "cells", "castings". `history` are the rows of history.csv;
    `watched` names the column that chose the best epoch. `bundle` is None for a cross-validation, which has `folds`.
    `pictures` is the census of the pictures (see `flawscope.data.census`), `looked_at` says of which; both are empty
    where nobody has looked.
    `contracts` are the escape contracts of the bundle; without any the page has no promise. `costs` are what a
    decision by costs is expected to cost, class by class; without any the page has no such section.
    `proof` is None where nobody has searched the split for images of the same thing; `unproven` says why.
    `masks` is there for bundles that make masks, whose metrics hold them: they have a page of their own.
    `looked` says what the network looks at, or why nobody can tell.
    """

    title: str
    date: str
    metrics: Mapping[str, Any]
    split: SplitContent
    bundle: BundleContent | None
    subtitle: str = ""
    items: str = "images"
    measured_on: str = "the test split"
    history: Sequence[Mapping[str, Any]] = ()
    watched: str = ""
    best_epoch: int | None = None
    provenance: Sequence[tuple[str, str]] = ()
    mistakes: Sequence[Picture] = ()
    for_a_person: Sequence[Picture] = ()
    uncertain: Sequence[Picture] = ()
    shown: int = 24
    examples: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    pictures: Mapping[str, Any] = field(default_factory=dict)
    looked_at: str = ""
    folds: Sequence[FoldContent] = ()
    contracts: Sequence[ContractContent] = ()
    costs: Sequence[CostContent] = ()
    proof: ProofContent | None = None
    unproven: str = "There is no proof: images of the same thing were not searched for in this run."
    recipe_text: str = ""
    skipped: Sequence[Skipped] = ()
    warnings: Sequence[str] = ()
    masks: MaskContent | None = None
    looked: LookedAt | None = None

    def __post_init__(self) -> None:
        without = [picture.name for picture in self.mistakes if picture.kind not in MISTAKE_KINDS]
        if without:
            raise ValueError(f"every mistake needs a kind (see mistake_kind), {without[0]} has none")
        strange = [picture.name for picture in self.for_a_person if picture.kind not in view.PERSON]
        if strange:
            raise ValueError(f"a picture for a person is of a kind of {tuple(view.PERSON)}, {strange[0]} is not")
        if any(picture.kind not in view.CLOSE for picture in self.uncertain):
            raise ValueError(f"what is uncertain is of the kind of {tuple(view.CLOSE)}")


def mistake_kind(task: Task, true: Sequence[float], decided: Sequence[bool]) -> MistakeKind | None:
    """What kind of mistake a decision is, or None if it is right.

    An escape misses a class that is there, and nothing graver than that can happen, so it comes first. Overkill
    rejects what is good. A mix-up takes one class for another; in a multi-class task the class named like
    `Task.negative`, if there is one, is the good one.

    >>> mistake_kind(Task("binary", ("defective",), negative="functional"), [1], [False])
    'escape'
    """
    if task.kind == "multiclass":  # As evaluation counts: a sample belongs to its (first) largest target.
        true = [float(index == list(true).index(max(true))) for index in range(len(true))]
    wanted = {name for name, on in zip(task.classes, true, strict=True) if on >= 0.5} - {task.negative}
    got = {name for name, on in zip(task.classes, decided, strict=True) if on} - {task.negative}
    if wanted == got:
        return None
    if task.kind == "multiclass" and wanted and got:
        return "mix-up"
    return "escape" if wanted - got else "overkill"


def write_report(folder: str | Path, content: ReportContent) -> Path:
    """Write `folder`/index.html, whole or not at all, and return its path.

    Raises:
        OutputError: the folder cannot be written to.
    """
    return write_page(folder, render(content))


def render(content: ReportContent) -> str:
    """The page as one string. The same content gives the same bytes."""
    metrics = content.metrics
    confusion = metrics.get("confusion")
    mistakes = view.gallery(content.mistakes, content.shown)
    known = [entry["name"] for entry in metrics["headline"]]
    if content.masks is not None:
        fold_by_fold = masks.told_of(metrics["masks"], masks.FOLD_BY_FOLD)
        known = [name for name in known if name in fold_by_fold]
    three = view.three_answers(metrics)
    tables = fold_tables(metrics.get("decisions", ()))
    there: dict[str, Any] = {"promise": content.contracts, "costs": content.costs, "folds": tables, "person": three}
    there["looks"] = content.looked and content.looked.means
    masked = content.masks is not None
    if masked:
        there["gate"] = "gate" in metrics
    return fill(
        "masks-report.html" if masked else "report.html",
        content=content,
        size=_size(content.bundle.size_bytes) if content.bundle else "",
        sections=[each for each in (masks.SECTIONS if masked else SECTIONS) if there.get(each[0], True)],
        mask=masks.mask_views(content) if masked else None,
        decided_on="the calibration part",
        promises=contract_views(content.contracts, content.items),
        assumed=assumed(content.contracts, content.items),
        all_promises=all_at_once([each.contract["confidence"] for each in content.contracts]),
        one_by_one=COSTS_ONE_BY_ONE,
        costs=cost_views(content.costs),
        fold_tables=tables,
        headline=view.headline(metrics, content.items),
        fold_measures=[name for name in known if any(name in fold.values for fold in content.folds)],
        number=words.number,
        classes=view.classes(metrics),
        reliable=reliability.view(metrics, content.items),
        overview=view.overview_columns(metrics),
        overview_mean=view.overview_mean(metrics),
        confusion=view.matrix(confusion["labels"], confusion["matrix"], confusion.get("columns"))
        if confusion
        else None,
        learning=view.learning_figures(content),
        loose_point=metrics["task"]["kind"] == "multiclass",
        thresholds=any(entry["threshold"] is not None for entry in metrics["classes"].values()),
        wrong=view.wrong_decisions(metrics),
        mistakes=mistakes,
        three=three,
        person=view.gallery(content.for_a_person, content.shown, view.PERSON),
        uncertain=view.gallery(content.uncertain, content.shown, view.CLOSE),
        shown=sum(len(entry["pictures"]) for entry in mistakes),
        looks=content.looked,
        means=looked_at.mean_tiles(content.looked) if content.looked else [],
        scale=looked_at.scale(content.looked) if content.looked and not content.looked.reason else "",
        balance=view.balance(content),
        examples={name: view.pictures(chosen) for name, chosen in content.examples.items() if chosen},
        tables=picture_facts.tables(content.pictures) if content.pictures else [],
        grey=picture_facts.intensity(content.pictures) if content.pictures else None,
        proof=proof_view(content.proof) if content.proof else None,
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
