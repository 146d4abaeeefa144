"""What another decision is asked for: the options of `flawscope decide`, checked, and then as a recipe says them; the
name of its bundle, and the words for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from flawscope.bundle.archive import SUFFIX
from flawscope.errors import UserError, choices
from flawscope.evaluation.contract import Units
from flawscope.evaluation.wanted import PERCENT
from flawscope.training.decide_spec import CostSpec, DecideSpec
from flawscope.wording import EXACT, percent

CONFIDENCE: float = DecideSpec.model_fields["confidence"].default
UNITS: Units = DecideSpec.model_fields["units"].default
OPTION = {
    "escape": "--cost-escape",
    "overkill": "--cost-overkill",
    "review": "--cost-review",
    "prevalence": "--prevalence",
}
EXAMPLE = "for example --cost-escape 100 --cost-overkill 10 --cost-review 2 --prevalence 0.02"


def asked_spec(
    max_escape: float | None, confidence: float, units: str, costs: Mapping[str, float | None] | None
) -> DecideSpec | None:
    """What the recipe would say; None where neither a promise nor costs are asked for.

    >>> asked_spec(0.02, 0.95, "groups", None).rule
    'max_escape'

    Raises:
        UserError: both are asked for, one is incomplete, or a number means nothing; the option is named.
    """
    given = {key: value for key, value in (costs or {}).items() if value is not None}
    if unknown := sorted(set(given) - set(OPTION)):
        raise UserError(f"costs: {unknown[0]!r}", choices(unknown[0], OPTION))
    if max_escape is not None and set(given) == {"prevalence"}:
        raise UserError("--prevalence belongs to the costs: a promise holds whatever share is bad", "leave it out")
    if max_escape is not None and given:
        raise UserError(
            f"--max-escape and {', '.join(OPTION[key] for key in given)}: the escape contract and the costs are two "
            "rules for one threshold",
            "take one: --max-escape 0.02, or --cost-escape 100 --cost-overkill 10",
        )
    if not 0 < confidence < 1:
        raise UserError(f"--confidence {confidence:g}: expected a share between 0 and 1", PERCENT)
    if units not in get_args(Units):
        raise UserError(f"--units {units!r}", choices(units, get_args(Units)))
    if max_escape is not None:
        if not 0 <= max_escape < 1:
            raise UserError(f"--max-escape {max_escape:g}: expected a share from 0 to below 1", PERCENT)
        return DecideSpec(rule="max_escape", max_escape=max_escape, confidence=confidence, units=units)
    for option, changed in (("--confidence", confidence != CONFIDENCE), ("--units", units != UNITS)):
        if changed:
            raise UserError(
                f"{option} belongs to the escape contract", "name the share that may pass: --max-escape 0.02"
            )
    return DecideSpec(rule="costs", costs=_cost_spec(given)) if costs is not None else None


def named(bundle: Path, spec: DecideSpec | None) -> Path:
    """Where a bundle that is decided again is written, if nobody says: other decisions have other names.

    >>> named(Path("castings.flawscope"), DecideSpec(rule="max_escape", max_escape=0.02)).name
    'castings-max-escape-0.02.flawscope'
    """
    if spec is None:
        asked = "refitted"
    elif spec.costs is not None:
        costs = spec.costs.model_dump().values()
        asked = "-".join(["costs", *(f"{value:g}" for value in costs if value is not None)])
    elif spec.max_escape is not None:
        asked = f"max-escape-{spec.max_escape:g}"
        asked += f"-confidence-{spec.confidence:g}" if spec.confidence != CONFIDENCE else ""
        asked += f"-{spec.units}" if spec.units != UNITS else ""
    else:
        asked = spec.rule.replace("_", "-")
    return bundle.with_name(f"{bundle.stem}-{asked}{SUFFIX}")


def asked_words(spec: DecideSpec) -> str:
    """What a recipe asks for, in few words.

    >>> asked_words(DecideSpec(max_escape=0.02)), asked_words(DecideSpec(rule="best_f1"))
    ('at most 2 % escape, 95 % confidence', 'rule best_f1')
    """
    if spec.costs is not None:
        costs = spec.costs
        return costs_in_words(costs.escape, costs.overkill, costs.review, costs.prevalence)
    if spec.max_escape is not None:
        return promise_in_words(spec.max_escape, spec.confidence, spec.units)
    return f"rule {spec.rule}"


def promise_in_words(max_escape: float, confidence: float, units: str) -> str:
    """What an escape contract asks for."""
    how = {"parts": ", each part counted alike", "effective": ", counted by how alike groups are"}.get(units, "")
    return f"at most {percent(max_escape, EXACT)} escape, {percent(confidence, EXACT)} confidence{how}"


def costs_in_words(escape: float, overkill: float, review: float | None, prevalence: float | None) -> str:
    """What a decision by costs is asked for.

    >>> costs_in_words(100, 10, 2, None), costs_in_words(100, 10, None, 0.02)
    ('costs of escape 100, overkill 10, review 2', 'costs of escape 100, overkill 10, 2 % bad at the line')
    """
    look = "" if review is None else f", review {review:g}"
    share = "" if prevalence is None else f", {percent(prevalence, EXACT)} bad at the line"
    return f"costs of escape {escape:g}, overkill {overkill:g}{look}{share}"


def _cost_spec(given: Mapping[str, float]) -> CostSpec:
    missing = [OPTION[key] for key in ("escape", "overkill") if key not in given]
    if missing:
        few = (
            "is missing: both mistakes have a cost" if len(missing) == 1 else "are missing: they are what mistakes cost"
        )
        raise UserError(f"{' and '.join(missing)} {few}", EXAMPLE)
    for key, value in given.items():
        if key == "prevalence":
            if not 0 < value < 1:
                raise UserError(f"--prevalence {value:g}: expected a share between 0 and 1", PERCENT)
        elif not 0 < value <= 1e9:
            nobody = "; leave it out if nobody looks" if key == "review" else ""
            raise UserError(f"{OPTION[key]} {value:g}: expected a number above 0, up to 1e9", f"{EXAMPLE}{nobody}")
    return CostSpec(**given)
