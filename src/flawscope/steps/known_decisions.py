"""Which decisions were made of one network, as far as it can be known: so that nobody tries until it says "proven".

Known are those that one recipe asked for (under the seal of each), those that a bundle was made from (its history), and
the bundles of the same network that lie beside it. What lies in other places is not seen, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from flawscope.bundle.archive import SUFFIX, Contents, read_bundle
from flawscope.bundle.asked import AskedDecision
from flawscope.bundle.contract import EscapeContract
from flawscope.bundle.manifest import Manifest
from flawscope.bundle.rules import DecisionRule
from flawscope.errors import BundleError
from flawscope.steps.decide_options import asked_words, costs_in_words, named, promise_in_words
from flawscope.wording import all_at_once, counted, percent_up

if TYPE_CHECKING:
    from flawscope.steps.workspace import Run

Decisions = tuple[AskedDecision, ...]
NOT_WRITTEN = "what it asked for was not written down"
ELSEWHERE = "what lies in other folders is not seen"


def all_asked(run: Run) -> Decisions:
    """The decisions that a run's recipe asks for; none where it asks for one."""
    recipe, task = run.recipe, run.samples.task
    if not recipe.decide_also or task.pixels:  # other decisions of masks are found beside the bundle
        return ()
    contracts = 1 if task.kind == "multiclass" else len(task.classes)
    bundles = [run.bundle, *(named(run.bundle, spec) for spec in recipe.decide_also)]
    return tuple(
        AskedDecision(
            name=bundle.stem,
            words=asked_words(spec),
            confidences=() if spec.max_escape is None else (spec.confidence,) * contracts,
        )
        for bundle, spec in zip(bundles, (recipe.decide, *recipe.decide_also), strict=True)
    )


def listed(bundle: Path, manifest: Manifest) -> Decisions:
    """The decisions that a bundle itself names: all that its recipe asked for, or its own."""
    rule = _rule(manifest)
    if rule is None:
        return (AskedDecision(name=bundle.stem, words="thresholds and least areas of masks"),)
    return rule.asked or (_described(bundle.stem, rule),)


def _rule(manifest: Manifest) -> DecisionRule | None:
    """What decides about an image: the decision, or that of the gate before masks."""
    sealed = manifest.sealed
    return sealed.gate.decision if sealed.gate is not None else sealed.decision


@dataclass(frozen=True)
class Known:
    """A decision, and what came of the promises that it was asked for; no outcome where nobody can see it here."""

    decision: AskedDecision
    contracts: tuple[EscapeContract, ...] = ()

    @property
    def outcome(self) -> str:
        """What is promised, in words; empty where no promise was asked for.

        Only files that lie here tell: when the recipe's decisions are named under a seal, the others are not made yet.
        """
        if not self.decision.confidences:
            return ""
        if not self.contracts:
            return "not known here whether it is proven"
        if all(each.kept for each in self.contracts):
            return "promised"
        several = len(self.contracts) > 1
        return "; ".join(
            (f"{each.name}: " if several else "") + ("promised" if each.kept else _not_proven(each))
            for each in self.contracts
        )

    @property
    def words(self) -> str:
        """The decision with its outcome, as a part of a sentence."""
        outcome = self.outcome and f"; {self.outcome}"
        return f"{self.decision.name} ({'asked: ' if self._open else ''}{self.decision.words}{outcome})"

    @property
    def _open(self) -> bool:
        """Whether what was asked for is more than what is promised, as far as is known."""
        return bool(self.decision.confidences) and not (self.contracts and all(each.kept for each in self.contracts))


def _not_proven(contract: EscapeContract) -> str:
    return "NOT PROVEN" + (f", at most {percent_up(contract.bound)} is" if contract.bound < 1 else "")


@dataclass(frozen=True)
class Family:
    """The known decisions of one network: those of the bundle's own list, others, and what they promise together."""

    own: tuple[Known, ...]
    others: tuple[Known, ...] = ()

    @property
    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """Name, what was asked for and the outcome of each, for a table; none where there is one decision only."""
        every = (*self.own, *self.others)
        if len(every) < 2:
            return ()
        return tuple((each.decision.name, each.decision.words, each.outcome) for each in every)

    def sentences(self, most: int = 0) -> tuple[str, ...]:
        """What is to be said; so many decisions of a kind are told one by one, the others counted."""
        said = []
        if len(self.own) > 1:
            known = f"One of {len(self.own)} decisions sealed from the same network and the same calibration images"
            said.append(f"{known}{_told(self.own, most)}.")
        if self.others:
            known = f"Of the same network {counted(len(self.others), 'other decisions', 'are')} known, made before it"
            said.append(f"{known} or lying beside it{_told(self.others, most)}.")
        if len(self.own) + len(self.others) > 1:
            said += _together((*self.own, *self.others))
        alone = "" if len(self.own) > 1 or self.others else "No other decision of its network is known; "
        return (*said, f"{alone}{ELSEWHERE if alone else ELSEWHERE.capitalize()}.")


def _told(decisions: Sequence[Known], most: int) -> str:
    if not most:
        return ""
    shown = decisions[:most] if len(decisions) > most + 1 else decisions
    more = [f"{len(decisions) - len(shown)} more"] if len(shown) < len(decisions) else []
    return f": {'; '.join([*(each.words for each in shown), *more])}"


def _together(decisions: Sequence[Known]) -> list[str]:
    """How many promises are made, and how sure all of them hold.

    The confidence counts all that were asked for: which are proven was seen only afterwards, and that choice is paid
    for as well. What was not proven promises nothing, so it breaks nothing.
    """
    asked = [each for known in decisions for each in known.decision.confidences]
    if len(asked) < 2:
        return []
    contracts = [each for known in decisions for each in known.contracts]
    made, unknown = sum(each.kept for each in contracts), len(asked) - len(contracts)
    picked = "Nor is a promise surer that somebody picks after having seen all of them."
    if made == len(asked):
        first = f"Together they make {counted(made, 'promises')}, and each holds at its own confidence."
        return [f"{first} {all_at_once(asked)} {picked}"]
    missed = len(contracts) - made
    counts = [f"{made:,} {'is' if made == 1 else 'are'} made", *([f"{missed:,} NOT PROVEN"] if missed else [])]
    counts += [f"of {unknown:,} it is not known here"] if unknown else []
    first = f"Together they were asked for {counted(len(asked), 'promises')}: {', '.join(counts)}."
    if not made and not unknown:
        return [first]
    sure = all_at_once(asked, "all that are made")
    return [f"{first} Each that is made holds at its own confidence. {sure} That counts all that were asked. {picked}"]


TOLD = 3
"""So many decisions of a kind the terminal names; the page has a table of all."""


def decision_family(bundle: Path, contents: Contents | None = None) -> tuple[str, ...]:
    """What is known of other decisions of a bundle's network, and how sure all their promises hold at once.

    Raises:
        BundleError: the bundle is damaged.
    """
    found = known_family(bundle, contents)
    return found.sentences(TOLD) if found else ()


def known_family(bundle: Path, contents: Contents | None = None) -> Family | None:
    """The known decisions of a bundle's network; none of a draft.

    Raises:
        BundleError: the bundle is damaged.
    """
    contents = contents or read_bundle(bundle)
    if contents.manifest.sealed.is_draft:
        return None
    own = listed(bundle, contents.manifest)
    found: dict[Decisions | str, Decisions] = {_key(own, contents.manifest.seal): own}
    for entry in contents.evidence.get("provenance", {}).get("history", ()):
        before = _before(entry)
        found.setdefault(_key(before, entry["seal"]), before)
    outcomes: dict[tuple[Decisions | str, str], tuple[EscapeContract, ...]] = {}
    for path, manifest in ((bundle, contents.manifest), *_beside(bundle, contents.manifest)):
        there = listed(path, manifest)
        key, made = _key(there, manifest.seal), _rule(manifest)
        found.setdefault(key, there)
        if made is not None:
            outcomes[key, _described(path.stem, made).words] = made.contracts
    first, *others = [
        tuple(Known(each, outcomes.get((key, each.words), ())) for each in decisions)
        for key, decisions in found.items()
    ]
    return Family(first, tuple(each for decisions in others for each in decisions))


def _key(decisions: Decisions, seal: str) -> Decisions | str:
    """What tells them apart: a list by itself, since all bundles of it bear it; a single one by its seal."""
    return decisions if len(decisions) > 1 else seal


def _before(entry: Mapping[str, Any]) -> Decisions:
    """The decisions that an earlier bundle named, from the history of a later one."""
    try:
        asked = TypeAdapter(Decisions).validate_python(entry.get("asked", ()))
    except ValidationError:
        asked = ()
    return asked or (AskedDecision(name=f"seal {entry['seal'][:12]}", words=NOT_WRITTEN),)


def _beside(bundle: Path, manifest: Manifest) -> Iterator[tuple[Path, Manifest]]:
    """Other sealed bundles of the same network in the same folder."""
    network = {each.sha256 for each in manifest.sealed.graphs}
    for path in sorted(bundle.parent.glob(f"*{SUFFIX}")):
        try:
            other = read_bundle(path).manifest
        except BundleError:  # no bundle of ours, or no whole one: it decides nothing
            continue
        if other.seal and other.seal != manifest.seal and {each.sha256 for each in other.sealed.graphs} == network:
            yield path, other


def _described(name: str, rule: DecisionRule) -> AskedDecision:
    """What a sealed decision was asked for."""
    if rule.contracts:
        first = rule.contracts[0]
        words = promise_in_words(first.max_escape, first.confidence, first.units)
        return AskedDecision(name=name, words=words, confidences=tuple(each.confidence for each in rule.contracts))
    if rule.costs:
        cost = rule.costs[0]
        stated = cost.prevalence if cost.prevalence != cost.prevalence_data else None
        return AskedDecision(
            name=name, words=costs_in_words(cost.escape_cost, cost.overkill_cost, cost.review_cost, stated)
        )
    return AskedDecision(name=name, words=f"rule {rule.rule}")
