"""The recipe's section `decide`: how the thresholds are set. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from flawscope.training.spec import Section


class CostSpec(Section):
    """What mistakes and a look by a person cost, a part, all in one unit; binary and multi-label tasks."""

    escape: float = Field(gt=0, le=1e9, description="a bad part that passes")
    overkill: float = Field(gt=0, le=1e9, description="a good part that is rejected")
    review: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="a person looks at a part and decides rightly; between two thresholds the answer is then `human`, "
        "where that is cheaper. `null`: nobody looks",
    )
    prevalence: float | None = Field(
        default=None,
        description="share of bad parts (of each class) at the line, above 0 and below 1: 0.02 for 2 %. `null`: that "
        "of the calibration part",
    )

    @field_validator("prevalence")
    @classmethod
    def _a_share(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value < 1:
            raise ValueError(f"expected a share above 0 and below 1, not percent (2 % is 0.02), got {value:g}")
        return value


class DecideSpec(Section):
    """How the thresholds are set, on the calibration split."""

    rule: Literal["best_f1", "best_accuracy", "fixed", "max_escape", "costs"] = Field(
        default="best_f1",
        description="what the threshold of each class makes best, within one standard error (see calibration.md); "
        "fixed: 0.5; max_escape and costs: set by giving that key",
    )
    max_escape: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="the escape contract, in place of a rule: with `confidence` at most this share of the defective "
        "parts passes; the threshold with the least overkill for which that is proven (see escape-contract.md)",
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="of the escape contract")
    units: Literal["groups", "parts", "effective"] = Field(
        default="groups",
        description="what the escape contract counts: groups, each whole group as one; parts, all parts alike, whole "
        "groups as independent, which trusts that no group is larger than the largest of the calibration part; "
        "effective, parts by how alike the scores in a group are, which trusts that no group fails as a whole",
    )
    costs: CostSpec | None = Field(
        default=None,
        description="in place of a rule: the thresholds with the least expected cost (see costs.md)",
    )

    @model_validator(mode="before")
    @classmethod
    def _contract_is_a_rule(cls, value: Any) -> Any:
        """What is asked for by its own key is the rule."""
        if isinstance(value, Mapping):
            for rule in ("max_escape", "costs"):
                if value.get(rule) is not None:
                    return {"rule": rule, **value}
        return value

    @model_validator(mode="after")
    def _one_way(self) -> DecideSpec:
        if self.max_escape is not None and self.costs is not None:
            raise ValueError("max_escape and costs exclude each other: remove one of them")
        if self.costs is not None and self.rule != "costs":
            raise ValueError(
                f"rule and costs exclude each other: remove rule: {self.rule} (or set rule: costs), or remove costs"
            )
        if self.rule == "costs" and self.costs is None:
            raise ValueError("rule: costs needs the costs, for example costs: {escape: 100, overkill: 10, review: 2}")
        if self.max_escape is not None and self.rule != "max_escape":
            raise ValueError(
                f"rule and max_escape exclude each other: remove rule: {self.rule} (or set rule: max_escape), "
                "or remove max_escape"
            )
        if self.rule == "max_escape" and self.max_escape is None:
            raise ValueError("rule: max_escape needs the share that may pass, for example max_escape: 0.02")
        if self.max_escape is None and (self.confidence, self.units) != (0.95, "groups"):
            raise ValueError("confidence and units belong to the escape contract: set max_escape as well")
        return self
