"""What the pictures of a data set are: sizes, bits, file formats, grey values. Every picture is decoded once.

Letters: h, w are height and width in pixels, v grey values (0 to 255, or 0 to 65535 for 16 bits).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.data.progress import on_all_cores
from flawscope.errors import ImageError
from flawscope.preprocess import SIXTEEN_BIT, open_image
from flawscope.records import Sample, Samples

DARK, BRIGHT, FLAT = 0.05, 0.95, 0.02
"""Nearly black: 99 % of the pixels lie below this share of the range. White: above. Flat: they span less than it."""
MEAN_BINS = 20
MOST_PIXELS = 1_000_000
"""Grey values of larger pictures are taken from every second, third, ... row and column."""
NEARLY_GREY = 3
"""Steps by which the channels of a grey picture may differ: JPEG rounds."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One picture: `bits` of a value; mean, ends, and `low` and `high` (1 and 99 percentile) of its grey values."""

    width: int
    height: int
    mode: str
    format: str
    bits: int
    colour: bool
    low: float
    high: float
    mean: float
    lowest: int
    highest: int


@dataclass(frozen=True)
class Census:
    """The facts of each picture by sample id, how often each grey value occurs (by bits), and what was unreadable."""

    facts: Mapping[str, PictureFacts]
    count_v: Mapping[int, Counts]
    unreadable: Mapping[str, str]

    def full(self, bits: int) -> float:
        """The value that counts as white: 255; with 16 bits the highest of the set, as cameras fill them partly."""
        return 255.0 if bits <= 8 else float(max(1, np.flatnonzero(self.count_v[bits]).max(initial=1)))

    def share(self, facts: PictureFacts) -> tuple[float, float, float]:
        """Low, high and mean of a picture as shares of the range."""
        full = self.full(facts.bits)
        return facts.low / full, facts.high / full, facts.mean / full

    def as_dict(self, label: Mapping[str, str]) -> dict[str, Any]:
        """Plain data for JSON and pages; `label` gives the words for each sample id."""
        every = list(self.facts.values())
        sizes = Counter((each.width, each.height) for each in every)
        odd: dict[str, list[str]] = {"nearly black": [], "nearly white": [], "flat": []}
        for id, facts in self.facts.items():
            kind = oddity(*self.share(facts)[:2])
            if kind:
                odd[kind].append(id)
        return {
            "sizes": [[w, h, n] for (w, h), n in sizes.most_common()],
            "modes": dict(Counter(each.mode for each in every).most_common()),
            "bits": {str(bits): n for bits, n in sorted(Counter(each.bits for each in every).items())},
            "formats": dict(Counter(each.format for each in every).most_common()),
            "colour": sum(each.colour for each in every),
            "grey_stored_as_colour": sum(not each.colour and each.mode not in GREY_MODES for each in every),
            "intensity": {str(bits): _quantiles(count_v) for bits, count_v in sorted(self.count_v.items())},
            "odd": odd,
            "by_label": self._ranges(label),
            "mean_intensity": self._means(label),
            "unreadable": [{"where": id, "reason": reason} for id, reason in self.unreadable.items()],
        }

    def _ranges(self, label: Mapping[str, str]) -> list[dict[str, Any]]:
        """Lowest, highest and mean grey value of each label, pictures of 8 and of 16 bits each in their own range."""
        members: dict[tuple[str, int], list[PictureFacts]] = {}
        for id, facts in self.facts.items():
            members.setdefault((label[id], facts.bits), []).append(facts)
        return [
            {
                "label": words,
                "bits": bits,
                "images": len(every),
                "lowest": min(each.lowest for each in every),
                "highest": max(each.highest for each in every),
                "mean": float(np.mean([each.mean for each in every])),
            }
            for (words, bits), every in sorted(members.items(), key=lambda item: -len(item[1]))
        ]

    def _means(self, label: Mapping[str, str]) -> dict[str, Any]:
        """Histograms of the mean of each picture, as a share of the range, by label."""
        edges = np.linspace(0, 1, MEAN_BINS + 1)
        mean: dict[str, list[float]] = {}
        for id, facts in self.facts.items():
            mean.setdefault(label[id], []).append(min(1.0, self.share(facts)[2]))
        order = sorted(mean, key=lambda words: -len(mean[words]))
        counts = {words: np.histogram(mean[words], edges)[0].tolist() for words in order}
        return {"edges": edges.round(4).tolist(), "counts": counts}


GREY_MODES = ("1", "L", "LA", *SIXTEEN_BIT)


def oddity(low: float, high: float) -> str:
    """What is odd about a picture whose 1 and 99 percentile are these shares of the range; nothing if it is fine.

    >>> oddity(0.0, 0.01), oddity(0.5, 0.505), oddity(0.1, 0.9)
    ('nearly black', 'flat', '')
    """
    if high < DARK:
        return "nearly black"
    if low > BRIGHT:
        return "nearly white"
    return "flat" if high - low < FLAT else ""


def take_census(samples: Samples) -> Census:
    """Decode every picture and note what it is. One that can no longer be read is noted with the reason."""
    facts: dict[str, PictureFacts] = {}
    count_v: dict[int, Counts] = {}
    unreadable: dict[str, str] = {}
    answers = on_all_cores(_look_at, samples.rows, "looking at grey values")
    for row, answer in zip(samples.rows, answers, strict=True):
        if isinstance(answer, str):
            unreadable[row.id] = answer
            continue
        facts[row.id], counted = answer
        bits = facts[row.id].bits
        count_v[bits] = count_v[bits] + counted if bits in count_v else counted
    return Census(facts, count_v, unreadable)


def _look_at(row: Sample) -> tuple[PictureFacts, Counts] | str:
    """The facts of one picture and the counts of its grey values, or why it cannot be read."""
    try:
        with Image.open(row.path) as header:
            mode, kind = header.mode, header.format or Path(row.path).suffix.lstrip(".").upper()
        image = open_image(row.path)
    except ImageError as error:
        return error.problem.removeprefix(f"{row.path}: ")
    except (OSError, ValueError, SyntaxError) as error:
        return f"cannot be decoded ({error})"
    width, height = image.size
    step = max(1, int(np.ceil(np.sqrt(width * height / MOST_PIXELS))))
    grey_hw, colour = _grey(image, step)
    bits = 16 if grey_hw.dtype == np.uint16 else 8
    counted = np.bincount(grey_hw.ravel(), minlength=2**bits).astype(np.int64)
    low, high = (_at(counted, share) for share in (0.01, 0.99))
    mean = float(grey_hw.mean(dtype=np.float64))
    lowest, highest = (int(end) for end in np.flatnonzero(counted)[[0, -1]])
    return PictureFacts(width, height, mode, kind, bits, colour, low, high, mean, lowest, highest), counted


def _grey(image: Image.Image, step: int) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], bool]:
    """Grey values of every `step`-th row and column, and whether the picture holds colour."""
    if image.mode in SIXTEEN_BIT:
        return np.asarray(image)[::step, ::step].astype(np.uint16), False
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))[::step, ::step], False
    rgb = image.convert("RGB")
    wide_hwc = np.asarray(rgb)[::step, ::step].astype(np.int16)
    colour = bool(np.ptp(wide_hwc, axis=2).max(initial=0) > NEARLY_GREY)
    return np.asarray(rgb.convert("L"))[::step, ::step], colour


def _at(count_v: Counts, share: float) -> float:
    """The value below or at which this share of the pixels lies."""
    rising = np.cumsum(count_v)
    return float(np.searchsorted(rising, share * rising[-1]))


def _quantiles(count_v: Counts) -> dict[str, float]:
    present = np.flatnonzero(count_v)
    named: Sequence[tuple[str, float]] = (("1 %", 0.01), ("median", 0.5), ("99 %", 0.99))
    return {
        "min": float(present.min()),
        **{name: _at(count_v, share) for name, share in named},
        "max": float(present.max()),
    }
