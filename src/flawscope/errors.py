"""What a user can have done wrong, each with its remedy.

Everything that bad input can cause is a `UserError`: the command line prints it without a traceback and leaves with
exit code 2. A bug of our own is never one of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

NAME_WORDS = "letters from a to z, large or small (no umlauts or accents), digits, and '.', '_', '-'; no blanks"
"""What the names that flawscope makes files of may hold."""
SHOWN = 20
"""How many problems of one kind a message lists before it counts the rest."""


class UserError(Exception):
    """Something that the user can mend: what was found, what was expected, and what to do.

    >>> print(UserError("labels.csv has no column 'crack'", "name one of: a, b"))
    labels.csv has no column 'crack'
      -> name one of: a, b
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}\n  -> {remedy}" if remedy else problem)

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str]]:
        return type(self), (self.problem, self.remedy)


class RecipeError(UserError):
    """The recipe cannot be read or asks for something that does not exist."""


class DataError(UserError):
    """Samples are missing, unreadable or contradictory."""


class ImageError(UserError):
    """One image cannot be decoded."""


class MetadataError(UserError):
    """What must be known of an image beside its pixels is missing, or cannot be used."""


class SplitError(UserError):
    """The samples cannot be split as asked, or a group crosses the split."""


class WeightsError(UserError):
    """Network weights cannot be had or do not fit."""


class BundleError(UserError):
    """The bundle is damaged, of a newer schema, or does not answer as it did when it was sealed."""


class OutputError(UserError):
    """The result cannot be written where it was asked for."""


class SandboxError(UserError):
    """There is no sandbox to run what strangers have made, or it does not hold."""


class StoreError(UserError):
    """The store of a challenge cannot be reached, or was made by a newer version."""


def reason(error: BaseException, most: int = 300) -> str:
    """What another library says is wrong: the first line of it, at most so many characters; else the error's name.

    >>> reason(ValueError("too large\\nat frame 0")), reason(MemoryError())
    ('too large', 'MemoryError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]


def listing(problems: Sequence[str], shown: int = SHOWN) -> str:
    """Problems one a line, the rest counted.

    >>> print(listing(["a", "b", "c"], shown=2))
      a
      b
      ... and 1 more
    """
    lines = [f"  {problem}" for problem in problems[:shown]]
    if len(problems) > shown:
        lines.append(f"  ... and {len(problems) - shown} more")
    return "\n".join(lines)


def choices(name: str, valid: Iterable[str]) -> str:
    """The remedy for a look-up that failed: the nearest valid name first, then all of them.

    >>> choices("epohcs", ["epochs", "rate"])
    "did you mean 'epochs'? Valid: epochs, rate"
    """
    names = [str(choice) for choice in valid]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    start = f"did you mean {near[0]!r}? " if near else ""
    return f"{start}Valid: {', '.join(names)}"
