"""The options by which `flawscope decide` decides a bundle again: checked, and then as a recipe says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from flawscope.errors import UserError, choices
from flawscope.evaluation.contract import Units
from flawscope.evaluation.wanted import PERCENT
from flawscope.training.decide_spec import CostSpec, DecideSpec

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
