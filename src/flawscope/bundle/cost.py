"""What a decision by costs is expected to cost, as it stands in the manifest of a bundle, under its seal."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from flawscope.records import Interval

Share = Annotated[float, Field(ge=0, le=1)]
Price = Annotated[float, Field(gt=0)]


class ExpectedCost(BaseModel):
    """The costs that were asked for, the thresholds of one class that they led to, and what a part costs with them.

    See `evaluation.costs.Band`; `words` says the same to people. `prevalence` is the share of the class at the line
    that was reckoned with, `prevalence_data` that of the parts that chose the thresholds; `single` is the threshold
    with the least cost where nobody looks. What was measured is None where bad or good parts were missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    escape_cost: Price
    overkill_cost: Price
    review_cost: Price | None = None
    prevalence: Share | None = None
    prevalence_data: Share | None = None
    low: Share
    high: Share
    single: Share
    cost: Interval | None = None
    review: Interval | None = None
    escape: Interval | None = None
    overkill: Interval | None = None
    cost_without_review: float | None = None
    cost_all_good: float | None = None
    cost_all_bad: float | None = None
    cost_all_reviewed: float | None = None
    words: tuple[str, ...] = ()
