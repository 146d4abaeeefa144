"""A decision that was asked of a network, as it stands in the manifest of a bundle, under its seal."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class AskedDecision(BaseModel):
    """One of the decisions that a recipe asks for: so whoever reads one bundle knows of the others.

    `name` is that of its bundle, without the suffix, `words` say what is asked for. `confidences` are those of the
    promises that it makes, one a class; empty where it promises nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    words: str
    confidences: tuple[Share, ...] = ()
