"""What a sealed bundle promises or expects to cost, for the pages, from what it carries. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from flawscope.bundle.archive import Contents, read_bundle
from flawscope.bundle.cost import ExpectedCost
from flawscope.bundle.verify import calibrator_sentence, decision_sentences, engine_words
from flawscope.errors import BundleError, UserError
from flawscope.evaluation import contract_words, cost_words
from flawscope.evaluation.costs import Band
from flawscope.pages.contracts import ContractContent
from flawscope.pages.costs import CostContent
from flawscope.pages.decision import DecisionContent
from flawscope.steps.known_decisions import decision_family
from flawscope.steps.workspace import read_json


def bundle_content(bundle: Path, metrics: str | Path | None = None) -> DecisionContent:
    """The page of a bundle's decision, from what it carries, and from its evaluation on other images.

    Raises:
        UserError: the metrics are of another bundle.
        BundleError: a draft, or damaged.
    """
    contents = read_bundle(bundle)
    manifest, sealed = contents.manifest, contents.manifest.sealed
    if sealed.decision is None:
        raise BundleError(f"{bundle} is a draft", "decide its run first: flawscope decide RUN")
    measured: Mapping[str, Any] = contents.evidence.get("test", {}) if metrics is None else read_json(Path(metrics))
    if metrics is not None and measured.get("bundle", {}).get("seal") != manifest.seal:
        raise UserError(f"{metrics} was not measured with {bundle}", f"flawscope evaluate {bundle} IMAGES -o DIR")
    known = contents.evidence.get("provenance", {})
    own = sealed.decision.fitted_on == "calibration"
    images = known.get("decided_on", {}).get("name", "new images")
    short = sealed.decision.model_copy(update={"contracts": (), "costs": (), "notes": ()})
    return DecisionContent(
        title=manifest.name,
        date=manifest.created[:10],
        file=bundle.name,
        seal=manifest.seal,
        parent=manifest.parent or "",
        engine=engine_words(sealed),
        decided_on="the calibration part" if own else f"the images of {images}",
        decision=decision_sentences(sealed.task.task(), short),
        calibration=calibrator_sentence(sealed.calibrator),
        stamp=sealed.split_stamp,
        notes=sealed.decision.notes,
        family=decision_family(bundle, contents),
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


def _before(earlier: Mapping[str, Any]) -> str:
    """An earlier decision of the same graph, in words."""
    images = earlier["decided_on"]
    return f"seal {earlier['seal'][:12]}, on {images['name'] if images else 'the calibration part of its run'}"


def contracts_of(contents: Contents, metrics: Mapping[str, Any]) -> list[ContractContent]:
    """The escape contracts of a bundle, their curves, and what the test part says of the same classes."""
    decision, task = contents.manifest.sealed.decision, contents.manifest.sealed.task
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
        )
        for each in (decision.contracts if decision else ())
    ]


def costs_of(contents: Contents, metrics: Mapping[str, Any]) -> list[CostContent]:
    """What a decision by costs is expected to cost, class by class, the curve of it, and what the test part says."""
    decision = contents.manifest.sealed.decision
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
