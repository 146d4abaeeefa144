"""What would leak across a split is left out of it: the image in the part that stands earlier in `PARTS`.

So a test image is never left out because of another part. Parts are gone through from the last to the first, and an
image that is left out takes no other with it: under this rule, no fewer images could be left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from flawscope.data.linkage import ordered
from flawscope.records import PARTS, Pair, Part

Reasons = dict[str, str]


def purge(
    part: Mapping[str, Part], pairs: Iterable[Pair], together: Mapping[str, str], why: str = "a copy of it"
) -> Reasons:
    """Which images must be left out so that nothing crosses the split, each with the reason in words.

    Args:
        part: the part of each sample id.
        pairs: the pairs of images of the same thing.
        together: a key for each sample id; ids of equal key are the same thing whether a pair says so or not.
        why: what an equal key means, in words.

    >>> pair = Pair("a", "b", "sister", 0.9)
    >>> purge({"a": "train", "b": "test"}, [pair], {"a": "a", "b": "b"})
    {'a': 'shows the same as b, which is in the test part (sister, correlation 0.900)'}
    """
    plainest_first = ordered(pairs, part)
    out: Reasons = {}
    for late in reversed(PARTS[1:]):
        earlier = set(PARTS[: PARTS.index(late)])
        kept = [name for name, its in part.items() if its == late and name not in out]
        for pair in plainest_first:
            for name, other in ((pair.a, pair.b), (pair.b, pair.a)):
                if part[name] == late and name not in out and part[other] in earlier and other not in out:
                    facts = "the same file" if pair.kind == "identical" else f"correlation {pair.measure:.3f}"
                    out[other] = f"shows the same as {name}, which is in the {late} part ({pair.kind}, {facts})"
        first_with = {together[name]: name for name in reversed(kept)}
        for name, its in part.items():
            if its in earlier and name not in out and together[name] in first_with:
                out[name] = f"belongs to {first_with[together[name]]}, which is in the {late} part ({why})"
    return {name: out[name] for name in part if name in out}


def told(part: Mapping[str, Part], left_out: Mapping[str, str]) -> list[str]:
    """How many images were left out of which part, in words; `part` is the part that each would have been in."""
    count = Counter(part[name] for name in left_out)
    return [
        f"{count[name]} image{'s were' if count[name] > 1 else ' was'} left out of {name}: what each shows is in a "
        "later part as well"
        for name in PARTS
        if count[name]
    ]
