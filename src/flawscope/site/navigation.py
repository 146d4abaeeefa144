"""The pages of a challenge, as the navigation lists them: one line for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flawscope.site.people import Person

For = Literal["all", "people", "organisers"]


@dataclass(frozen=True)
class Tab:
    """A page of a challenge: what follows /c/NAME/ in its address, its title, who sees it."""

    path: str
    title: str
    seen_by: For = "all"


TABS = (
    Tab("", "Challenge"),
    Tab("team", "Team", "people"),
    Tab("submissions", "Submissions", "people"),
    Tab("board", "Board"),
    Tab("final", "Final board"),
    Tab("office", "Office", "organisers"),
)


def tabs_for(person: Person | None) -> list[Tab]:
    """The pages that somebody sees."""
    seen = {"all"} | ({"people"} if person else set()) | ({"organisers"} if person and person.organiser else set())
    return [tab for tab in TABS if tab.seen_by in seen]
