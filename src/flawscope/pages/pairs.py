"""Two pictures side by side, and the proof that a split keeps images of the same thing together.

A pair is plain data: `a` and `b` name the images, `measure` is their correlation once `b` is turned to lie on `a`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from flawscope.errors import ImageError
from flawscope.pages.thumbnails import data_uri, thumbnail
from flawscope.preprocess import open_image

Source = Image.Image | str | Path
View = dict[str, Any]

NEAREST = 6
"""How many of the most alike pairs across the split are shown."""
KINDS = {
    "identical": ("Identical", "the same file, byte for byte"),
    "re-encoded": ("Re-encoded", "the same picture, saved again or in another format"),
    "turned": ("Turned", "the same picture, turned by a quarter, a half or three quarters"),
    "mirrored": ("Mirrored", "the same picture in a mirror, perhaps turned as well"),
    "exposure": ("Other exposure", "the same picture, brighter, darker or with other contrast"),
    "shifted": ("Shifted", "the same thing, moved or cropped a little"),
    "sister": ("Sisters", "nearly identical once what all pictures share is taken out"),
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

    `document` is plain data; each key may be missing: `court`, `threshold`, `pairs_found`, `kinds`, `compared`,
    `crossing`, `left_out` (by part), `nearest` (pairs with `part_a` and `part_b`), `seconds`. `folds` says over how
    many folds its counts are summed, `images` gives the picture of each name among the nearest.
    """

    document: Mapping[str, Any]
    images: Mapping[str, Source]
    folds: int = 0


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
    return {
        "a": _tile(pair["a"], images, ""),
        "b": _tile(pair["b"], images, turn),
        "turn": turn,
        "kind": KINDS.get(str(pair.get("kind", "")), ("", ""))[0],
        "measure": measure_words(pair.get("measure")),
        "label_a": pair.get("label_a", ""),
        "label_b": pair.get("label_b", ""),
        "part_a": pair.get("part_a") or pair.get("published_a", ""),
        "part_b": pair.get("part_b") or pair.get("published_b", ""),
    }


def measure_words(measure: float | None) -> str:
    """A correlation for reading: never rounded up to 1.

    >>> measure_words(0.99996), measure_words(1.0), measure_words(0.9312)
    ('0.9999', '1', '0.931')
    """
    if measure is None:
        return "–"
    if measure >= 1:
        return "1"
    return f"{int(measure * 1e4) / 1e4:.4f}" if measure > 0.9995 else f"{measure:.3f}"


def _tile(name: str, images: Mapping[str, Source], turn: str) -> View:
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
        "threshold": measure_words(document.get("threshold")),
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
    if "crossing" in document:
        yield "pairs of the same thing that cross the split", f"{document['crossing']:,}"
    if "threshold" in document:
        yield "the same thing above a measure of", measure_words(document["threshold"])
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
    """The most alike pairs, the strongest first, each pair of images once: several folds may name it."""
    seen: set[frozenset[str]] = set()
    chosen: list[Mapping[str, Any]] = []
    for pair in sorted(pairs, key=lambda pair: -float(pair["measure"])):
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
    counts = ("compared", "crossing", "seconds")
    total = {
        key: sum(document[key] for document in documents)
        for key in counts
        if all(key in document for document in documents)
    }
    pairs = [pair for document in documents for pair in document.get("nearest") or ()]
    once = {key: value for key, value in first.items() if key not in counts}
    return {**once, **total, "left_out": left_out, "nearest": nearest(pairs)}
