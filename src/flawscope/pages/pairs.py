"""Two pictures side by side, and the proof that a split keeps images of the same thing together.

A pair is plain data: `a` and `b` name the images, `measure` is their correlation once `b` is turned to lie on `a`,
`needed` what it must reach for the two to be the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from flawscope.errors import ImageError
from flawscope.pages.thumbnails import data_uri, thumbnail
from flawscope.preprocess import open_image

Source = Image.Image | str | Path
View = dict[str, Any]

NEAREST = 6
"""How many of the pairs across the split that come closest to the same thing are shown."""
KEPT = 1000
KINDS = {
    "identical": ("Identical", "the same file, byte for byte"),
    "re-encoded": ("Re-encoded", "the same picture, saved again or in another format"),
    "turned": ("Turned", "the same picture, turned by a quarter, a half or three quarters"),
    "mirrored": ("Mirrored", "the same picture in a mirror, perhaps turned as well"),
    "exposure": ("Other exposure", "the same picture, brighter, darker or with other contrast"),
    "shifted": ("Shifted", "the same thing, moved or cropped a little"),
    "sister": ("Sisters", "much alike, but no simple change of one picture makes the other"),
}
"""What each kind of pair is called and what it is, from the plainest to the softest."""
_QUARTERS = {
    "90°": Image.Transpose.ROTATE_90,
    "180°": Image.Transpose.ROTATE_180,
    "270°": Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class ProofContent:
    """What a run says about images of the same thing on both sides of its split.

    `document` is plain data; each key may be missing: `court`, `threshold`, `threshold_low`, `threshold_high`,
    `pairs_found`, `kinds`, `compared`, `measured`, `crossing`, `left_out` (by part), `nearest` (pairs with `part_a` and
    `part_b`), `seconds`. `folds` says over how many folds its counts are summed, `images` gives the picture of each
    name among the nearest.
    """

    document: Mapping[str, Any]
    images: Mapping[str, Source]
    folds: int = 0


class Thumbnails(Mapping[str, Source]):
    """Pictures by name, opened and made small once for all the pairs that they stand in; the last `KEPT` are kept."""

    def __init__(self, images: Mapping[str, Source]) -> None:
        self._images = images
        self._small = lru_cache(KEPT)(self._made_small)

    def __getitem__(self, name: str) -> Source:
        return self._small(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def _made_small(self, name: str) -> Source:
        source = self._images[name]
        try:
            return thumbnail(source if isinstance(source, Image.Image) else open_image(source))
        except ImageError:
            return source  # whoever shows it says that it cannot be read


def turned(image: Image.Image, turn: str) -> Image.Image:
    """The picture mirrored left to right first if `turn` says so, then turned counter-clockwise by its angle.

    >>> turned(Image.new("L", (40, 20)), "mirrored 90°").size
    (20, 40)

    Raises:
        ValueError: no such turn.
    """
    mirror, angle = turn.startswith("mirrored"), turn.removeprefix("mirrored").strip()
    if angle and angle not in _QUARTERS:
        raise ValueError(f"expected '', mirrored, an angle of {', '.join(_QUARTERS)}, or both, got {turn!r}")
    image = ImageOps.mirror(image) if mirror else image
    return image.transpose(_QUARTERS[angle]) if angle else image


def pair_view(pair: Mapping[str, Any], images: Mapping[str, Source]) -> View:
    """One pair ready to print: both pictures, `b` turned to lie on `a`."""
    turn = str(pair.get("turn", ""))
    measure, needed = told_apart(pair.get("measure"), pair.get("needed"))
    return {
        "a": tile(pair["a"], images),
        "b": tile(pair["b"], images, turn),
        "turn": turn,
        "kind": KINDS.get(str(pair.get("kind", "")), ("", ""))[0],
        "measure": measure,
        "needed": needed,
        "label_a": pair.get("label_a", ""),
        "label_b": pair.get("label_b", ""),
        "part_a": pair.get("part_a") or pair.get("published_a", ""),
        "part_b": pair.get("part_b") or pair.get("published_b", ""),
    }


def measure_words(measure: float | None, digits: int = 2) -> str:
    """A correlation for reading: never rounded up to 1.

    >>> measure_words(0.99996), measure_words(0.996), measure_words(1.0), measure_words(0.9312)
    ('0.9999', '0.996', '1', '0.93')
    """
    if measure is None:
        return "–"
    if measure >= 1:
        return "1"
    shown = (f"{measure:.{places}f}" for places in range(digits, 5))
    return next((words for words in shown if float(words) < 1), "0.9999")


def told_apart(measure: float | None, needed: float | None) -> tuple[str, str]:
    """A correlation and what it must reach, with as many digits as show which is larger; nothing where none is needed.

    >>> told_apart(0.91, 0.55), told_apart(0.4587, 0.4612), told_apart(1.0, 0.0)
    (('0.91', '0.55'), ('0.459', '0.461'), ('1', ''))
    """
    if measure is None or not needed:
        return measure_words(measure), ""
    for digits in (2, 3, 4):
        shown, wanted = measure_words(measure, digits), measure_words(needed, digits)
        if shown != wanted:
            return shown, wanted
    return measure_words(measure), measure_words(needed)


def threshold_range(facts: Mapping[str, Any], name: str = "threshold") -> tuple[float, float] | None:
    """Between which thresholds most pictures lie; twice the same where one threshold is for all, None where unknown.

    `name` is "threshold", or "closely_needed" for what fine detail must reach.

    >>> threshold_range({"threshold": 0.9}), threshold_range({"threshold_low": 0.5, "threshold_high": 0.8})
    ((0.9, 0.9), (0.5, 0.8))
    """
    low, high = facts.get(f"{name}_low"), facts.get(f"{name}_high")
    if low is None or high is None:
        low = high = facts.get(name)
    return None if low is None or high is None else (float(low), float(high))


def threshold_words(facts: Mapping[str, Any], name: str = "threshold") -> str:
    """The thresholds for reading; nothing where they are unknown. `name` as for `threshold_range`.

    >>> threshold_words({"threshold": 0.62, "threshold_low": 0.48, "threshold_high": 0.85})
    '0.48 to 0.85, depending on what the picture shows (median 0.62)'
    >>> threshold_words({"threshold": 0.75})
    '0.75'
    """
    ends = threshold_range(facts, name)
    if ends is None:
        return ""
    low, high = (measure_words(end) for end in ends)
    if low == high:
        return low
    middle = facts.get(name)
    words = "" if middle is None else f" (median {measure_words(middle)})"
    return f"{low} to {high}, depending on what the picture shows{words}"


def margin(pair: Mapping[str, Any]) -> float:
    """How far a pair is above what it needs; in old data, which do not say that, how alike the two are."""
    return float(pair["measure"]) - float(pair.get("needed") or 0.0)


def tile(name: str, images: Mapping[str, Source], turn: str = "") -> View:
    """A picture, turned, with its name; without the picture where there is none, or where it cannot be read."""
    source = images.get(name)
    made = None
    if source is not None:
        try:
            opened = source if isinstance(source, Image.Image) else open_image(source)
            made = data_uri(turned(thumbnail(opened), turn))
        except ImageError:
            made = None
    uri, (width, height) = made or ("", (0, 0))
    return {"uri": uri, "width": width, "height": height, "name": name}


def proof_view(proof: ProofContent) -> View:
    """The proof ready to print; what is missing in its document is passed over."""
    document = proof.document
    left_out = {str(part): int(n) for part, n in (document.get("left_out") or {}).items() if n}
    return {
        "court": document.get("court", ""),
        "crossing": int(document.get("crossing", 0)),
        "rows": list(_rows(document, left_out)),
        "left_out": sum(left_out.values()),
        "kinds": kind_rows(document.get("kinds") or {}),
        "nearest": [pair_view(pair, proof.images) for pair in nearest(document.get("nearest") or ())],
        "folds": proof.folds,
        "seconds": document.get("seconds"),
    }


def _rows(document: Mapping[str, Any], left_out: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    """Facts of the proof as name and value."""
    if "pairs_found" in document:
        yield "pairs of the same thing found in all the images", f"{document['pairs_found']:,}"
    if "compared" in document:
        yield "pairs compared across the parts", f"{document['compared']:,}"
    if "measured" in document:
        yield "of these the likeliest, laid on each other and measured", f"{document['measured']:,}"
    if "crossing" in document:
        yield "pairs of the same thing that cross the split", f"{document['crossing']:,}"
    if words := threshold_words(document):
        yield "correlation that images of the same thing reach", words
    if document.get("note"):
        yield "to be borne in mind", str(document["note"])
    if "left_out" in document:
        where = ", ".join(f"{n:,} from {part}" for part, n in left_out.items() if part != "all")
        yield (
            "images left out because they would cross",
            f"{sum(left_out.values()):,}" + (f" ({where})" if where else ""),
        )


def kind_rows(kinds: Mapping[str, int]) -> list[View]:
    """Counts of pairs by kind, the plainest first, with what the kind is."""
    return [
        {"title": title, "explained": explained, "n": kinds[kind]}
        for kind, (title, explained) in KINDS.items()
        if kinds.get(kind)
    ]


def nearest(pairs: Iterable[Mapping[str, Any]], shown: int = NEAREST) -> list[Mapping[str, Any]]:
    """The pairs closest to what they need, the closest first, each once: several folds may name it."""
    seen: set[frozenset[str]] = set()
    chosen: list[Mapping[str, Any]] = []
    for pair in sorted(pairs, key=margin, reverse=True):
        both = frozenset((pair["a"], pair["b"]))
        if both not in seen:
            seen.add(both)
            chosen.append(pair)
    return chosen[:shown]


def summed(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The proofs of several folds as one: counts are summed; what was found in all images is counted once.

    >>> summed([{"compared": 4, "left_out": {"train": 1}}, {"compared": 5, "left_out": {"train": 2}}])["left_out"]
    {'train': 3}
    """
    first = documents[0]
    left_out: dict[str, int] = {}
    for document in documents:
        for part, n in (document.get("left_out") or {}).items():
            left_out[part] = left_out.get(part, 0) + n
    counts = ("compared", "measured", "crossing", "seconds")
    total = {
        key: sum(document[key] for document in documents)
        for key in counts
        if all(key in document for document in documents)
    }
    pairs = [pair for document in documents for pair in document.get("nearest") or ()]
    once = {key: value for key, value in first.items() if key not in counts}
    return {**once, **total, "left_out": left_out, "nearest": nearest(pairs)}
