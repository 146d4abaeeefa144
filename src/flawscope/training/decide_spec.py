"""The recipe's section `decide`: how the thresholds are set. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from flawscope.training.spec import Section


class DecideSpec(Section):
    """How the thresholds are set, on the calibration split."""

    rule: Literal["best_f1", "best_accuracy", "fixed", "max_escape"] = Field(
        default="best_f1",
        description="what the threshold of each class makes best; fixed: 0.5; max_escape: set by giving that key",
    )
    max_escape: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="the escape contract, in place of a rule: with `confidence` at most this share of the defective "
        "parts passes; the threshold with the least overkill for which that is proven (see escape-contract.md)",
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="of the escape contract")
    units: Literal["groups", "effective"] = Field(
        default="groups",
        description="what the escape contract counts as independent: groups, each whole group as one; effective, "
        "parts by how alike the scores in a group are, which trusts that no group fails as a whole",
    )

    @model_validator(mode="before")
    @classmethod
    def _contract_is_a_rule(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("max_escape") is not None:
            return {"rule": "max_escape", **value}
        return value

    @model_validator(mode="after")
    def _one_way(self) -> DecideSpec:
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
