"""Whether pictures have the size of those that a bundle has learnt from. Another camera or crop is told, not refused.

Letters: w, h are width and height in pixels, as a person sees the picture, n how many pictures have this size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from flawscope.inspection.folder import Pictures
from flawscope.preprocess import Preprocess, picture_size
from flawscope.wording import counted, sizes_in_words

ALIKE = 1.05
"""By so much the shape of a picture that is resized may differ from those that were learnt from."""
FINER = 2.0
"""And its sides: a picture of half as many pixels looks blurred to the network, one of twice as many still alike."""


def sizes_of(paths: Iterable[str | Path]) -> list[list[int]]:
    """Rows w, h, n, the commonest first; pictures that cannot be read are left out."""
    found = Counter(size for size in map(picture_size, paths) if size is not None)
    return [[width, height, n] for (width, height), n in sorted(found.items(), key=lambda each: (-each[1], each[0]))]


def other_sizes(pictures: Pictures, learnt: Sequence[Sequence[int]], spec: Preprocess) -> str:
    """What is to be said of pictures whose size no picture had that was learnt from; empty where all are alike.

    Args:
        pictures: what is to be decided.
        learnt: rows w, h, n of what was learnt from; none where the bundle does not say.
        spec: how a picture is made ready. Where nothing is cut out and it is resized, only another shape counts, or
            sides of less than half or more than twice as many pixels.
    """
    learnt = [row for row in learnt if _is_row(row)] if isinstance(learnt, Sequence) else []
    if not learnt:
        return ""
    sizes = [(name, picture_size(path)) for name, path in zip(pictures.names, pictures.paths, strict=True)]
    others = [(name, size) for name, size in sizes if size is not None and not _alike(size, learnt, spec)]
    if not others:
        return ""
    name, (width, height) = others[0]
    if len(others) < len(pictures):
        which = counted(len(others), "pictures", "have")
    else:
        which = "these pictures have" if len(pictures) > 1 else "this picture has"
    return (
        f"{which} another size than those that the bundle has learnt from ({name}: {width} x {height} pixels; there "
        f"{sizes_in_words(learnt)}): {_what_follows(spec)}, and what is answered may mean little"
    )


def _is_row(row: object) -> bool:
    """Whether a bundle, which anybody may have made, tells a size and a count here."""
    return isinstance(row, Sequence) and len(row) == 3 and all(isinstance(each, int) and each > 0 for each in row)


def _what_follows(spec: Preprocess) -> str:
    if spec.crop is not None:
        left, top, right, bottom = spec.crop
        return f"the crop from ({left}, {top}) to ({right}, {bottom}) may miss the part"
    if spec.resize == "none":
        return "the same flaw may look larger or smaller"
    return f"what the network sees at {spec.size[1]} x {spec.size[0]} is not what it knows"


def _alike(size: tuple[int, int], learnt: Sequence[Sequence[int]], spec: Preprocess) -> bool:
    """Whether a size lies within those that were learnt from, or is as good as one of them."""
    width, height = size
    sides = ((width, [row[0] for row in learnt]), (height, [row[1] for row in learnt]))
    if spec.crop is not None or spec.resize == "none":
        return all(min(seen) <= side <= max(seen) for side, seen in sides)
    shape, shapes = width / height, [row[0] / row[1] for row in learnt]
    return min(shapes) / ALIKE <= shape <= max(shapes) * ALIKE and all(
        min(seen) / FINER <= side <= max(seen) * FINER for side, seen in sides
    )
