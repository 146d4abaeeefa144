"""How often each of three answers was given, in plain words: bad and good parts counted apart, nothing left over."""

from __future__ import annotations

from flawscope.evaluation.metrics import Counts


def bad_items(name: str, good: str, items: str) -> str:
    """What shows the class; `good` is what its absence is called, empty in a task of several classes.

    >>> bad_items("defective", "ok", "images"), bad_items("crack", "", "images")
    ('defective images', 'images with crack')
    """
    return f"{name} {items}" if good else f"{items} with {name}"


def good_items(name: str, good: str, items: str) -> str:
    """What does not show the class.

    >>> good_items("defective", "ok", "images"), good_items("crack", "", "images")
    ('ok images', 'images without crack')
    """
    return f"{good} {items}" if good else f"{items} without {name}"


def answer_words(counts: Counts, name: str, good: str = "", items: str = "images") -> list[str]:
    """One sentence on the bad parts and one on the good ones; none on parts that are not there.

    Of several classes each is told by itself: what is in its band is not looked at where another class is called.

    >>> counts = Counts(tp=110, fp=5, fn=2, tn=380, hp=8, hn=15)
    >>> answer_words(counts, "bad", "ok")[0]
    'Of 120 bad images: 2 escape, 110 are caught, 8 are for a person.'
    >>> answer_words(counts, "crack")[1]
    'Of 400 images without crack: 380 are not called so, 5 are called so, 15 are in the band for a person.'
    """
    bad, person = counts.fn + counts.tp + counts.hp, "for a person" if good else "in the band for a person"
    passes = ("pass", "passes") if good else ("are not called so", "is not called so")
    called = "rejected" if good else "called so"
    said = []
    if bad:
        told = (
            _count(counts.fn, "escape", "escapes"),
            _count(counts.tp, "are caught", "is caught"),
            _count(counts.hp, f"are {person}", f"is {person}"),
        )
        said.append(f"Of {bad:,} {bad_items(name, good, items)}: {', '.join(told)}.")
    fine = counts.tn + counts.fp + counts.hn
    if fine:
        told = (
            _count(counts.tn, *passes),
            _count(counts.fp, f"are {called}", f"is {called}"),
            _count(counts.hn, f"are {person}", f"is {person}"),
        )
        said.append(f"Of {fine:,} {good_items(name, good, items)}: {', '.join(told)}.")
    return said


def _count(n: int, several: str, one: str) -> str:
    return f"{n:,} {one if n == 1 else several}"
