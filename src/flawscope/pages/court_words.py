"""What to make of the court's findings, in words: the same on the console and on the page of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flawscope.wording import counted

COPIES = ("identical", "re-encoded")
"""Kinds that are certain whatever the correlation: the pictures themselves are the same."""


ONE_THING = 0.9
"""From this correlation with the mean of all on, most pictures may show one and the same thing."""


def certain(pair: Mapping[str, Any], enough: float) -> bool:
    """Whether a pair is one for sure: copies, and pictures that differ by a simple change and are `enough` alike.

    >>> certain({"kind": "turned", "measure": 0.995}, 0.99), certain({"kind": "sister", "measure": 0.995}, 0.99)
    (True, False)
    """
    return pair["kind"] in COPIES or (pair["kind"] != "sister" and pair["measure"] >= enough)


def look_first(document: Mapping[str, Any]) -> str:
    """The advice where most images are in a pair that may be false, and no rate is known; otherwise nothing."""
    court = document["court"]
    if not court["facts"].get("note"):
        return ""
    enough = court.get("bounds", {}).get("certain", 1.0)
    doubtful = {id for pair in document["pairs"] if not certain(pair, enough) for id in (pair["a"], pair["b"])}
    if len(doubtful) <= document["n"] / 2:
        return ""
    return (
        f"{len(doubtful):,} of {counted(document['n'], 'images')} are in a pair that is no plain copy, and how many of "
        "these pairs are false cannot be said. If they are different parts that only look alike, name the groups "
        "yourself in a recipe (data.groups) and set split.twins: identical."
    )


def no_all_clear(document: Mapping[str, Any]) -> str:
    """That no pair proves nothing, where the pictures cannot tell what is different; otherwise nothing."""
    court = document["court"]
    why, copies = str(court["facts"].get("note") or "").partition(":")[0], court["kinds"].get("identical", 0)
    if not why and court["facts"].get("like_the_mean", 0.0) >= ONE_THING:
        why = "nearly all the pictures look like one and the same"
    if not why or court["pairs"] > copies:
        return ""
    found = "Beside identical files no pair was found" if copies else "No pair was found"
    return (
        f"{found}, but that is no all-clear: {why}. If all of them show one thing, the search takes "
        "what they share for the background and finds nothing. If some show the same part and you know which, name "
        "the groups yourself in a recipe (data.groups)."
    )
