"""What a sealed bundle promises or expects to cost, for the pages, from what it carries. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from flawscope.bundle.archive import Contents, read_bundle
from flawscope.bundle.cost import ExpectedCost
from flawscope.bundle.manifest import Sealed
from flawscope.bundle.verify import calibrator_sentence, engine_words, sealed_sentences
from flawscope.errors import BundleError, UserError
from flawscope.evaluation import contract_words, cost_words
from flawscope.evaluation.costs import Band
from flawscope.pages.contracts import ContractContent
from flawscope.pages.costs import CostContent
from flawscope.pages.decision import DecisionContent
from flawscope.steps.known_decisions import known_family
from flawscope.steps.workspace import read_json


def bundle_content(bundle: Path, metrics: str | Path | None = None) -> DecisionContent:
    """The page of a bundle's decision, from what it carries, and from its evaluation on other images.

    Raises:
        UserError: the metrics are of another bundle.
        BundleError: a draft, or damaged.
    """
    contents = read_bundle(bundle)
    manifest, sealed = contents.manifest, contents.manifest.sealed
    masks = sealed.masks
    decision = sealed.gate.decision if sealed.gate else sealed.decision
    if sealed.is_draft:
        raise BundleError(f"{bundle} is a draft", "decide its run first: flawscope decide RUN")
    measured: Mapping[str, Any] = contents.evidence.get("test", {}) if metrics is None else read_json(Path(metrics))
    if metrics is not None and measured.get("bundle", {}).get("seal") != manifest.seal:
        raise UserError(f"{metrics} was not measured with {bundle}", f"flawscope evaluate {bundle} IMAGES -o DIR")
    known = contents.evidence.get("provenance", {})
    own = "calibration" in (decision.fitted_on if decision else "", masks.fitted_on if masks else "")
    images = known.get("decided_on", {}).get("name", "new images")
    family = known_family(bundle, contents)
    return DecisionContent(
        title=bundle.stem,
        date=manifest.created[:10],
        file=bundle.name,
        seal=manifest.seal,
        parent=manifest.parent or "",
        engine=engine_words(sealed),
        decided_on="the calibration part" if own else f"the images of {images}",
        decision=_decided(sealed),
        calibration=calibrator_sentence(sealed.calibrator) if sealed.calibrator else "",
        stamp=sealed.split_stamp,
        notes=tuple(dict.fromkeys([*(decision.notes if decision else ()), *(masks.notes if masks else ())])),
        family=family.sentences() if family else (),
        family_rows=family.rows if family else (),
        contracts=contracts_of(contents, measured),
        costs=costs_of(contents, measured),
        metrics=measured,
        provenance=[
            *((name, str(known[name])) for name in ("command", "machine", "versions") if name in known),
            *((f"hash of the {name}", value) for name, value in manifest.hashes.model_dump().items() if value),
            *((f"decided before, {n}", _before(each)) for n, each in enumerate(known.get("history", ()), start=1)),
            ("licences", "; ".join(manifest.licences)),
        ],
    )


def _decided(sealed: Sealed) -> list[str]:
    """The rules in sentences, without promises, costs and notes, which stand elsewhere."""
    without = {"contracts": (), "costs": (), "notes": ()}
    short: dict[str, Any] = {}
    if sealed.decision:
        short["decision"] = sealed.decision.model_copy(update=without)
    if sealed.gate:
        decision = sealed.gate.decision.model_copy(update=without)
        short["gate"] = sealed.gate.model_copy(update={"decision": decision})
    if sealed.masks:
        short["masks"] = sealed.masks.model_copy(update={"notes": ()})
    return sealed_sentences(sealed.model_copy(update=short))


def _before(earlier: Mapping[str, Any]) -> str:
    """An earlier decision of the same graph, in words."""
    images = earlier["decided_on"]
    return f"seal {earlier['seal'][:12]}, on {images['name'] if images else 'the calibration part of its run'}"


def contracts_of(contents: Contents, metrics: Mapping[str, Any]) -> list[ContractContent]:
    """The escape contracts of a bundle, their curves, and what the test part says of the same classes."""
    sealed = contents.manifest.sealed
    decision, task = sealed.decision, sealed.task
    if sealed.gate:  # its promise, and what was measured of it
        decision, task, metrics = sealed.gate.decision, sealed.gate.task, metrics.get("gate", {})
    curves = contents.evidence.get("contract", {}).get("curves", {})
    tested = {name: entry["measures"].get("escape rate") for name, entry in metrics.get("classes", {}).items()}
    return [
        ContractContent(
            contract=each.model_dump(mode="json"),
            curve=curves.get(each.name, {}),
            negative=task.negative if task.kind != "multilabel" else f"not {each.name}",
            tested=tested.get(each.name) if task.kind != "multiclass" else None,
            saving=contract_words.saving_words(
                each.overkill,
                each.max_escape if each.kept else each.bound,
                f"{task.negative} images",
                kept=each.kept,
            ),
            gate=sealed.gate is not None,
        )
        for each in (decision.contracts if decision else ())
    ]


def costs_of(contents: Contents, metrics: Mapping[str, Any]) -> list[CostContent]:
    """What a decision by costs is expected to cost, class by class, the curve of it, and what the test part says."""
    sealed = contents.manifest.sealed
    decision = sealed.gate.decision if sealed.gate else sealed.decision
    curves = contents.evidence.get("costs", {}).get("curves", {})
    tested = metrics.get("three_answers", {})
    return [
        CostContent(
            cost=each.model_dump(mode="json"),
            curve=curves.get(each.name, {}),
            tested=tested.get("classes", {}).get(each.name),
            person=tested.get("person"),
            saving=_saving(each),
        )
        for each in (decision.costs if decision else ())
    ]


def _saving(cost: ExpectedCost) -> str:
    """Whether the network saves nothing at these costs, on the calibration part; empty where nothing was measured."""
    known = cost.cost is not None
    return (
        cost_words.saving_words(Band(**{each.name: getattr(cost, each.name) for each in fields(Band)})) if known else ""
    )
