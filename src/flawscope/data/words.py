"""Words that factories use for good and bad parts, in English and German."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# fmt: off
GOOD = frozenset((
    "accept", "accepted", "clean", "einwandfrei", "fehlerfrei", "fine", "free", "functional", "good", "gut",
    "gutteil", "gutteile", "healthy", "intact", "io", "negative", "nondefective", "normal", "ok", "okay",
    "pass", "passed", "perfect", "undamaged",
))
BAD = frozenset((
    "abnormal", "anomalies", "anomalous", "anomaly", "ausschuss", "bad", "broken", "crack", "cracked", "cracks",
    "damage", "damaged", "def", "defect", "defective", "defects", "defekt", "fail", "failed", "failure", "fault",
    "faulty", "fehler", "fehlerhaft", "flaw", "flawed", "kaputt", "ko", "ng", "nio", "nok", "notgood",
    "notok", "positive", "reject", "rejected", "riss", "schlecht", "schlechtteil", "schlechtteile", "schrott",
    "scrap",
))
# fmt: on
YES = frozenset(("1", "yes", "y", "true", "t", "ja", "j", "wahr"))
NO = frozenset(("0", "no", "n", "false", "f", "nein", "falsch"))


DENIED = frozenset(("free", "frei", "kein", "keine", "nicht", "no", "non", "not", "ohne", "without"))


def good_class(names: Sequence[str]) -> str | None:
    """The one name that speaks of good parts, if there is just one.

    >>> good_class(["MT_Blowhole", "MT_Free", "MT_Crack"])
    'MT_Free'
    """
    good = [name for name in names if meaning(name) == "good"]
    return good[0] if len(good) == 1 else None


def meaning(name: str) -> str:
    """Whether a name speaks of good parts, of bad ones, or of neither.

    >>> meaning("0_nio"), meaning("1_io"), meaning("not_ok"), meaning("no defects"), meaning("MT_Blowhole")
    ('bad', 'good', 'bad', 'good', '')
    """
    words = [word for word in re.split(r"[\W\d_]+", name.casefold()) if word]
    joined = "".join(words)
    denied = bool(DENIED & set(words))
    if joined in BAD or joined in GOOD:
        return "bad" if joined in BAD else "good"
    if BAD & set(words):
        return "good" if denied else "bad"
    if GOOD & set(words):
        return "bad" if DENIED - {"free"} & set(words) else "good"
    return ""


def to_be_found(names: Iterable[str]) -> str | None:
    """Which of two classes speaks of bad parts; nothing where the words do not tell.

    >>> to_be_found(["ok_front", "def_front"]), to_be_found(["cat", "dog"])
    ('def_front', None)
    """
    first, second = names
    pair = meaning(first), meaning(second)
    if pair in {("bad", "good"), ("bad", ""), ("", "good")}:
        return first
    if pair in {("good", "bad"), ("", "bad"), ("good", "")}:
        return second
    return None
