"""Which decisions were made of one network, as far as it can be known: so that nobody tries until it says "proven".

Known are those that one recipe asked for (under the seal of each), those that a bundle was made from (its history), and
the bundles of the same network that lie beside it. What lies in other places is not seen, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from flawscope.bundle.archive import SUFFIX, Contents, read_bundle
from flawscope.bundle.asked import AskedDecision
from flawscope.bundle.manifest import Manifest
from flawscope.bundle.rules import DecisionRule
from flawscope.errors import BundleError
from flawscope.steps.decide_options import asked_words, costs_in_words, named, promise_in_words
from flawscope.wording import all_at_once, counted

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


def decision_family(bundle: Path, contents: Contents | None = None) -> tuple[str, ...]:
    """What is known of other decisions of a bundle's network, and how sure all their promises hold at once.

    Raises:
        BundleError: the bundle is damaged.
    """
    contents = contents or read_bundle(bundle)
    if contents.manifest.sealed.is_draft:
        return ()
    own = listed(bundle, contents.manifest)
    found: dict[Decisions | str, Decisions] = {_key(own, contents.manifest.seal): own}
    for entry in contents.evidence.get("provenance", {}).get("history", ()):
        before = _before(entry)
        found.setdefault(_key(before, entry["seal"]), before)
    for path, manifest in _beside(bundle, contents.manifest):
        beside = listed(path, manifest)
        found.setdefault(_key(beside, manifest.seal), beside)
    others = [each for decisions in list(found.values())[1:] for each in decisions]
    return tuple(_sentences(own, others))


def _sentences(own: Decisions, others: list[AskedDecision]) -> Iterator[str]:
    if len(own) > 1:
        yield (
            f"One of {len(own)} decisions sealed from the same network and the same calibration images: {_told(own)}."
        )
    if others:
        yield (
            f"Of the same network {counted(len(others), 'other decisions', 'are')} known, made before it or lying "
            f"beside it: {_told(others)}."
        )
    confidences = [each for decision in (*own, *others) for each in decision.confidences]
    if len(own) + len(others) > 1 and len(confidences) > 1:
        yield (
            f"Together they make {counted(len(confidences), 'promises')}, and each holds at its own confidence. "
            f"{all_at_once(confidences)} Nor is a promise surer that somebody picks after having seen all of them."
        )
    known = "" if others or len(own) > 1 else "No other decision of its network is known; "
    yield f"{known}{ELSEWHERE if known else ELSEWHERE.capitalize()}."


def _told(decisions: Decisions | list[AskedDecision]) -> str:
    return "; ".join(f"{each.name} ({each.words})" for each in decisions)


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
