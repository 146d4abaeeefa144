"""What every decision of a bundle takes: the rule for a probability, and the images that may decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawscope.bundle.archive import Contents, write_bundle
from flawscope.bundle.contract import EscapeContract
from flawscope.bundle.cost import ExpectedCost
from flawscope.bundle.manifest import Column, Manifest, Sealed
from flawscope.bundle.rules import DecisionRule
from flawscope.errors import BundleError, OutputError, UserError
from flawscope.evaluation.bands import RULE as BY_COSTS
from flawscope.evaluation.bands import ClassBand, fit_bands
from flawscope.evaluation.costs import Costs
from flawscope.evaluation.decisions import fit_thresholds
from flawscope.evaluation.promises import RULE, fit_promises
from flawscope.inspection.picture_sizes import sizes_of
from flawscope.records import PARTS, FloatArray, Samples, Task
from flawscope.steps.known_decisions import listed
from flawscope.steps.new_groups import NOTHING_SAID, SaidGroups
from flawscope.steps.new_images import Search, new_images, run_of
from flawscope.steps.provenance import command, machine, today, versions
from flawscope.steps.workspace import Run
from flawscope.training.decide_spec import DecideSpec
from flawscope.wording import CALIBRATION, counted

NOT_FOR_DECIDING = ("train", "validation", "test")
"""Parts of a bundle's data that it is not decided on again: it knows the first two, and the third is its test."""


def rule(
    task: Task,
    probability_nk: FloatArray,
    target_nk: FloatArray,
    groups: Sequence[str],
    spec: DecideSpec,
    *,
    fitted_on: str = "calibration",
    notes: Sequence[str] = (),
    where: str = CALIBRATION,
) -> tuple[DecisionRule, dict[str, dict[str, Any]]]:
    """The decision that a recipe asks for, and the evidence of its escape contracts or costs (none for other rules).

    The words call the samples `where`.

    Raises:
        RecipeError: see `fit_promises` and `fit_bands`.
    """
    if spec.costs is not None:
        bands = fit_bands(task, probability_nk, target_nk, groups, Costs(**spec.costs.model_dump()), where=where)
        decision = DecisionRule(
            rule=BY_COSTS,
            fitted_on=fitted_on,
            thresholds=bands.thresholds,
            looked_at=bands.looked_at,
            notes=tuple(notes),
            costs=tuple(map(_sealed_cost, bands.each)),
        )
        return decision, {"costs": {"schema": 1, "curves": {found.name: found.curve for found in bands.each}}}
    if spec.max_escape is None:
        chosen = fit_thresholds(task, probability_nk, target_nk, spec.rule, groups)
        notes = (*chosen.notes, *notes)
        return DecisionRule(rule=chosen.rule, fitted_on=fitted_on, thresholds=chosen.values, notes=tuple(notes)), {}
    asked: dict[str, Any] = {"max_escape": spec.max_escape, "confidence": spec.confidence, "units": spec.units}
    found = fit_promises(task, probability_nk, target_nk, groups, where=where, **asked)
    contracts = []
    for promise in found.each:
        values = {key: value for key, value in promise.contract.as_dict().items() if key in EscapeContract.model_fields}
        contracts.append(EscapeContract(**values, name=promise.name, words=promise.words))
    decision = DecisionRule(
        rule=RULE, fitted_on=fitted_on, thresholds=found.thresholds, notes=tuple(notes), contracts=tuple(contracts)
    )
    curves = {promise.name: promise.curve for promise in found.each}
    return decision, {"contract": {"schema": 1, "curves": curves}}


def _sealed_cost(found: ClassBand) -> ExpectedCost:
    """What a bundle keeps of the band of a class."""
    costs = {f"{key}_cost": getattr(found.costs, key) for key in ("escape", "overkill", "review")}
    values = found.band.as_dict() if found.band else {}
    return ExpectedCost(
        name=found.name,
        prevalence=found.costs.prevalence,
        prevalence_data=found.share,
        low=found.low,
        high=found.high,
        single=found.single,
        words=found.words,
        **costs,
        **{key: value for key, value in values.items() if key not in ("low", "high", "prevalence")},
    )


ForDeciding = tuple[Samples, list[str], tuple[str, ...]]
"""Labelled images that may decide, the group of each, and what is to be said of them."""


def own_images(folder: str | Path, contents: Contents) -> ForDeciding:
    """The calibration part of the bundle's run.

    Raises:
        UserError: a run of other data than the bundle's.
    """
    run = run_of(folder, contents, "name its run, or other images")
    samples = run.part("calibration")
    return samples, [run.split.group[row.id] for row in samples.rows], ()


def images_for_deciding(
    data: str | Path,
    bundle: Path,
    contents: Contents,
    task: Task,
    columns: Sequence[Column] = (),
    *,
    known: str | Path | None,
    twins: Search,
    groups: SaidGroups = NOTHING_SAID,
) -> ForDeciding:
    """Those that the bundle was not trained, validated or tested with.

    Raises:
        DataError: see `new_images`; or none is left.
    """
    remedy = "name labelled images that are new to it, or its run folder: the calibration part"
    found = new_images(
        data, bundle, contents, task, columns,
        parts=NOT_FOR_DECIDING, known=known, twins=twins, groups=groups, remedy=remedy,
    )  # fmt: skip
    notes = [*found.left_out, *found.checked]
    if not contents.evidence.get("provenance", {}).get("contents"):
        notes.append("the bundle does not say which images it has learnt from: make sure that none of these is one")
    return found.samples, [found.group[row.id] for row in found.samples.rows], tuple(notes)


def check_target(target: Path, bundle: Path, overwrite: bool) -> None:
    """Refuse to replace the bundle that is decided again, or, without `overwrite`, any file.

    Raises:
        OutputError: see there.
    """
    if target.exists() and target.resolve() == bundle.resolve():
        raise OutputError(f"{target} is the bundle that is decided again", "name another file (-o)")
    if target.exists() and (target.is_dir() or not overwrite):
        raise OutputError(f"{target} exists already", "choose another name (-o), or replace it with --overwrite")


@dataclass(frozen=True)
class Again:
    """A sealed bundle that is decided again, and the images that decide: those of its run (`own`), or new ones.

    `notes` stand in the new decision. `history` holds the seals and images of the decisions before it.
    """

    contents: Contents
    samples: Samples
    groups: list[str]
    notes: tuple[str, ...]
    own: bool
    history: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        bundle: Path,
        contents: Contents,
        data: str | Path,
        task: Task,
        columns: Sequence[Column] = (),
        *,
        known: str | Path | None,
        twins: Search,
        groups: SaidGroups = NOTHING_SAID,
    ) -> Again:
        """The images of `data` that may decide this bundle again.

        Raises:
            BundleError: it is a draft.
            UserError: options of new images beside a run, or the run of another bundle.
            DataError: see `new_images`; or no image is left.
        """
        if not contents.manifest.seal:
            raise BundleError(f"{bundle} is a draft", "decide its run first: flawscope decide RUN")
        own = (Path(data) / "recipe.yaml").is_file()
        if own and (known is not None or twins != "find" or groups):
            raise UserError(
                f"--known, --twins, --group-pattern and --group-column are for new images, and {data} is a run",
                "leave them out",
            )
        samples, group, notes = (
            own_images(data, contents)
            if own
            else images_for_deciding(data, bundle, contents, task, columns, known=known, twins=twins, groups=groups)
        )
        earlier = contents.evidence.get("provenance", {})
        asked = [each.model_dump(mode="json") for each in listed(bundle, contents.manifest)]
        before = {"seal": contents.manifest.seal, "decided_on": earlier.get("decided_on"), "asked": asked}
        history = [*earlier.get("history", ()), before]
        times = f", {len(history)} times since its run was decided" if len(history) > 1 else ""
        first = f"Decided again on {counted(len(samples), 'images')} of {samples.name}{times}"
        return cls(contents, samples, group, (first, *notes), own, history)

    @property
    def fitted_on(self) -> str:
        """The part of the bundle's own split that decides, or none."""
        return "calibration" if self.own else ""

    @property
    def where(self) -> str:
        """What words call these images."""
        return CALIBRATION if self.own else f"the data set {self.samples.name!r}"

    def write(self, target: Path, sealed: Sealed, proof: Mapping[str, dict[str, Any]]) -> Manifest:
        """The new bundle, which names its parent's seal, the images that decided, and the decisions before it."""
        parent, samples = self.contents.manifest, self.samples
        earlier = self.contents.evidence.get("provenance", {})
        made = {
            "command": command(),
            "machine": machine(),
            "versions": versions(),
            "parent": parent.seal,
            "history": self.history,
            "contents": _contents(earlier.get("contents", {}), samples),
            "decided_on": {"name": samples.name, "source": samples.source, "hash": samples.hash},
        }
        return write_bundle(
            target,
            parent.model_copy(update={"sealed": sealed, "parent": parent.seal, "created": today()}),
            self.contents.graphs,
            self.contents.golden,
            {"provenance": {**earlier, **made}, **proof},
        )


def _contents(known: Mapping[str, Sequence[str]], samples: Samples) -> dict[str, list[str]]:
    """What the new bundle was made with: as its parent, and these images count as calibration."""
    calibration = {*known.get("calibration", ()), *(row.sha256 for row in samples.rows)}
    return {**{part: list(hashes) for part, hashes in known.items()}, "calibration": sorted(calibration)}


def provenance(run: Run) -> dict[str, object]:
    """Where the bundle comes from; file hashes of each part, so that nobody measures on what was trained on; the sizes
    of the pictures that it has learnt from, as rows of width, height and count."""
    by_id = {row.id: row.sha256 for row in run.samples.rows}
    return {
        "command": command(),
        "machine": machine(),
        "versions": versions(),
        "split": {"method": run.split.method, "stamp": run.split.stamp, "hash": run.split.hash, "seed": run.split.seed},
        "contents": {part: sorted(by_id[name] for name in run.split.ids(part)) for part in PARTS},
        "sizes": sizes_of(row.path for row in run.part("train").rows),
    }
