"""An escape contract as it stands in the manifest of a bundle, under its seal."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from flawscope.records import Interval

Share = Annotated[float, Field(ge=0, le=1)]


class EscapeContract(BaseModel):
    """What is promised of the escapes of one class (multi-class: of all defects), and what it rests on.

    See `evaluation.contract.Contract` (`bound` is proven where the promise is not kept; where it is, `max_escape` is);
    `words` says the same to people. `threshold` is that of the class's score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    max_escape: Share
    confidence: Share
    units: str
    kept: bool
    threshold: Share
    positives: int = Field(ge=0)
    effective: float = Field(ge=0)
    groups: int = Field(ge=0)
    largest: int | None = Field(None, ge=0)
    escapes: int = Field(ge=0)
    bound: Share
    reached: Share
    needed: int | None = None
    more: int | None = None
    overkill: Interval | None = None
    overkill_unproven: Share | None = None
    words: tuple[str, ...] = ()
