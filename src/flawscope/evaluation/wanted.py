"""What `flawscope plan` is asked, checked, and its answers as plain data: counts for a promise and for an interval.

A promise is "at most `max_escape` of the defective parts pass, with this confidence", see `plan`; an interval is that
of a proportion, see `sample_size`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flawscope.errors import UserError, choices
from flawscope.evaluation.plan import (
    TooManyError,
    defects_needed,
    design_effect,
    in_all,
    needed_with_power,
    power,
)
from flawscope.evaluation.sample_size import RECALL, needed

LADDER = (0, 1, 2, 5, 10)
"""So many escapes may be allowed: what each of them costs in parts is listed."""
COUNTED = {
    "recall": "defective parts",
    "escape": "defective parts",
    "specificity": "good parts",
    "overkill": "good parts",
    "accuracy": "parts",
    "precision": "parts called defective",
}
"""Measures that are proportions, and what they are proportions of."""
PERCENT = "write percent as shares: 1 % is 0.01, 95 % is 0.95"


@dataclass(frozen=True)
class Wanted:
    """What is to be planned for; for what each number means see `flawscope.plan`.

    Raises:
        UserError: a number means nothing; the option is named.

    >>> Wanted(max_escape=95)
    Traceback (most recent call last):
    ...
    flawscope.errors.UserError: --max-escape 95: expected a share between 0 and 1
      -> write percent as shares: 1 % is 0.01, 95 % is 0.95
    """

    max_escape: float | None = None
    confidence: float = 0.95
    escapes: int = 0
    expected_escape: float | None = None
    power: float = 0.8
    groups_of: float = 1.0
    correlation: float | None = None
    prevalence: float | None = None
    measure: str | None = None
    value: float | None = None
    half_width: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_escape", "confidence", "power", "prevalence"):
            share = getattr(self, name)
            if share == 0 and name == "max_escape":
                raise UserError(
                    "--max-escape 0: that no defective part ever passes is proven by no number of parts",
                    "promise something: 299 faultless parts prove 1 % (0.01), 2,995 prove 0.1 % (0.001)",
                )
            if share is not None and not 0 < share < 1:
                raise UserError(f"--{name.replace('_', '-')} {share:g}: expected a share between 0 and 1", PERCENT)
        if self.escapes < 0:
            raise UserError(f"--escapes {self.escapes}: expected 0 or more", "leave it out: then none may pass")
        if not 1 <= self.groups_of < math.inf:
            raise UserError(f"--groups-of {self.groups_of:g}: expected at least 1", "1 is: each part by itself")
        if self.correlation is not None and not 0 <= self.correlation <= 1:
            raise UserError(
                f"--correlation {self.correlation:g}: expected 0 to 1",
                "0: parts of a group know nothing of each other, 1: they are as one part",
            )
        self._check_expected()
        self._check_interval()

    def _check_expected(self) -> None:
        expected = self.expected_escape
        if expected is None:
            return
        if self.max_escape is None:
            raise UserError("--expected-escape needs the promise", "name it: --max-escape 0.01")
        if not 0 <= expected < 1:
            raise UserError(f"--expected-escape {expected:g}: expected a share from 0 to below 1", PERCENT)
        if expected >= self.max_escape:
            raise UserError(
                f"if truly {expected:g} pass, no number of parts shows that at most {self.max_escape:g} do",
                "expect fewer escapes, or promise less",
            )
        if self.escapes:
            raise UserError(
                "--expected-escape works out how many escapes are allowed, --escapes says it", "give one of them"
            )

    def _check_interval(self) -> None:
        if self.half_width is None:
            if self.measure is not None or self.value is not None:
                raise UserError("how wide may the interval be?", "--half-width 0.02 asks for 2 points to either side")
            return
        if not 0 < self.half_width < 0.5:
            raise UserError(f"--half-width {self.half_width:g}: expected a share between 0 and 0.5", PERCENT)
        if self.value is not None and not 0 <= self.value <= 1:
            raise UserError(f"--value {self.value:g}: expected a share from 0 to 1", PERCENT)
        if self.measure is not None and self.measure not in COUNTED:
            raise UserError(
                f"--measure {self.measure}: not a share of parts, so its interval cannot be foretold",
                choices(self.measure, COUNTED),
            )

    def promise(self) -> tuple[int, int]:
        """How many independent parts the promise needs, and how many of them may pass.

        Raises:
            UserError: more than anybody collects.
        """
        assert self.max_escape is not None
        try:
            if self.expected_escape is None:
                return defects_needed(self.max_escape, self.confidence, self.escapes), self.escapes
            found = needed_with_power(self.expected_escape, self.max_escape, self.confidence, self.power)
        except TooManyError as error:
            raise UserError(f"for this promise {error}", "promise less, or expect fewer escapes") from None
        return found.parts, found.escapes


def promise_sizes(wanted: Wanted, share: float, prevalence: float | None) -> dict[str, Any]:
    """How many defective parts the calibration part must hold for a promise, and how many that is in all.

    `share` is how much of all parts the calibration part is given.

    >>> promise_sizes(Wanted(max_escape=0.01), 0.2, 0.1)["in_all"]
    {'counted': 1495, 'parts': 14950}
    """
    independent, escapes = wanted.promise()
    found: dict[str, Any] = {
        "max_escape": wanted.max_escape,
        "confidence": wanted.confidence,
        "independent": independent,
        "escapes": escapes,
        **_grouped(wanted, independent, share, prevalence),
        "ladder": [],
        "power": None,
    }
    assert wanted.max_escape is not None
    if wanted.expected_escape is not None:
        chance = power(independent, wanted.expected_escape, wanted.max_escape, wanted.confidence)
        found["power"] = {"expected_escape": wanted.expected_escape, "wanted": wanted.power, "reached": chance}
    elif not escapes:
        ladder = [(k, defects_needed(wanted.max_escape, wanted.confidence, k)) for k in LADDER]
        found["ladder"] = [{"escapes": k, "independent": n} for k, n in ladder]
    return found


def interval_sizes(wanted: Wanted, share: float, prevalence: float | None) -> dict[str, Any]:
    """How many parts the test part must hold for an interval, and how many that is in all; `share` is its share.

    >>> found = interval_sizes(Wanted(measure="recall", value=0.95, half_width=0.05), 0.2, 0.1)
    >>> found["independent"], found["in_all"]
    (83, {'counted': 415, 'parts': 4150})
    """
    assert wanted.half_width is not None
    measure, value = wanted.measure or "recall", RECALL if wanted.value is None else wanted.value
    if wanted.value is None and measure in ("escape", "overkill"):
        value = 1 - RECALL
    independent = needed(value, wanted.half_width, wanted.confidence)
    of = COUNTED[measure]
    common = {"defective parts": prevalence, "good parts": None if prevalence is None else 1 - prevalence, "parts": 1.0}
    grouped = _grouped(wanted, independent, share, common.get(of))
    if of == "parts called defective":  # how many are called so shows only after training
        grouped["in_all"] = None
    return {
        "measure": measure,
        "of": of,
        "value": value,
        "half_width": wanted.half_width,
        "confidence": wanted.confidence,
        "independent": independent,
        **grouped,
    }


def _grouped(wanted: Wanted, independent: int, share: float, prevalence: float | None) -> dict[str, Any]:
    """The same number of parts that stand in groups, and how many that is in all."""
    effect = design_effect(wanted.groups_of, wanted.correlation or 0.0)
    parts = in_all(independent * effect, 1)
    every = in_all(parts, share)
    return {
        "effect": effect,
        "parts": parts,
        "groups": math.ceil(parts / wanted.groups_of),
        "share": share,
        "prevalence": prevalence,
        "in_all": {"counted": every, "parts": None if prevalence is None else in_all(every, prevalence)},
    }
