"""What `flawscope plan` is asked, checked; for the answers see `plan_sizes` and `class_promise`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flawscope.errors import UserError, choices
from flawscope.evaluation.plan import Proof, TooManyError, binomial, defects_needed, needed_with_power

POWER = 0.8
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
    power: float = POWER
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
                continue  # no number of parts proves it: that is an answer, as it is of a bundle
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
            if self.power != POWER:
                raise UserError(
                    "--power is that of the promise if truly a known share passes", "name the share: --expected-escape"
                )
            return
        if self.max_escape is None:
            raise UserError("--expected-escape needs the promise", "name it: --max-escape 0.01")
        if not 0 <= expected < 1:
            raise UserError(f"--expected-escape {expected:g}: expected a share from 0 to below 1", PERCENT)
        if expected >= self.max_escape > 0:
            raise UserError(
                f"if truly {expected:g} pass, no number of parts shows that at most {self.max_escape:g} do",
                "expect fewer escapes, or promise less",
            )
        if self.max_escape == 0:
            raise UserError(
                "--expected-escape asks how probably a promise can be made, and --max-escape 0 can never be",
                "leave one of them out, or promise a small share: --max-escape 0.01",
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

    def promise(self, passed: float, proof: Proof = binomial) -> tuple[int, float]:
        """How many units the promise needs if so many of them pass, and how many may; units are parts, or groups.

        Where a share is expected to pass, `passed` does not count: how many may pass is then worked out.

        >>> Wanted(max_escape=0.01).promise(0), Wanted(max_escape=0.01, expected_escape=0.002).promise(0)
        ((299, 0), (628, 2))

        Raises:
            UserError: more than anybody collects.
        """
        assert self.max_escape is not None
        try:
            if self.expected_escape is None:
                return defects_needed(self.max_escape, self.confidence, passed, proof), passed
            found = needed_with_power(self.expected_escape, self.max_escape, self.confidence, self.power, proof)
        except TooManyError as error:
            raise UserError(f"for this promise {error}", "promise less, or expect fewer escapes") from None
        return found.parts, found.escapes
