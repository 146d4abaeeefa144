"""Maps of parts that lie alike, averaged for each answer: what does the network use?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.evaluation.heat_maps import energy_on_frame
from flawscope.evaluation.map_words import OnFrame
from flawscope.explanation.explained import SIGNED
from flawscope.pages import heat_maps, sheet
from flawscope.pages.figures import short
from flawscope.pages.looked_at import MeanMap
from flawscope.records import FloatArray
from flawscope.storage import write_bytes

SIDE = 400
"""The longer side of a mean picture at most, in pixels."""


@dataclass
class _Sum:
    picture_hw: FloatArray
    map_hw: FloatArray
    on_frame: list[float] = field(default_factory=list)
    pictures: int = 0


@dataclass
class Means:
    """Adds up maps and the pictures below them, answer by answer, in the proportions of the first picture.

    Those are not the network's: a part that it sees squeezed into a square is drawn as people know it.
    """

    _sums: dict[str, _Sum] = field(default_factory=dict)

    def add(self, of: str, view: npt.NDArray[np.uint8], map_hw: npt.NDArray[Any]) -> None:
        """Add a map, relative to its largest value, and what a person sees of its picture."""
        share = min(1.0, SIDE / max(view.shape[:2]))
        height, width = (max(1, round(side * share)) for side in view.shape[:2])
        found = self._sums.setdefault(of, _Sum(np.zeros((height, width)), np.zeros((height, width))))
        height, width = found.map_hw.shape
        grey = Image.fromarray(view).convert("L").resize((width, height), Image.Resampling.BILINEAR)
        found.picture_hw += np.asarray(grey)
        found.pictures += 1
        if np.abs(map_hw).max() > 0:
            found.map_hw += heat_maps.stretched(map_hw, (height, width))
            found.on_frame.append(energy_on_frame(map_hw)[0])

    def made(self, order: Sequence[str] = ()) -> list[tuple[MeanMap, OnFrame]]:
        """The means and how much of them lies on the frame, the answers of `order` first."""
        names = [name for name in dict.fromkeys((*order, *self._sums)) if name in self._sums]
        return [_mean(name, self._sums[name]) for name in names]


def write_means(folder: Path, means: Mapping[str, Means], style: heat_maps.Style) -> tuple[list[sheet.Tile], list[str]]:
    """One picture for each answer, the mean maps of all methods side by side; and what must be warned of.

    The means of all methods are over the same pictures.
    """
    made = {method: each.made() for method, each in means.items()}
    tiles, warnings = [], []
    for number, rows in enumerate(zip(*made.values(), strict=True), 1):
        of, place = rows[0][0].of, f"average-{number}.png"
        panels = [
            heat_maps.Panel(
                method,
                mean.relative_hw,
                method in SIGNED,
                f"1 = {np.abs(mean.map_hw).max():.2f} on average",
            )
            for method, (mean, _) in zip(made, rows, strict=True)
        ]
        heading = f"on average: what speaks for {short(of, 30)}"
        write_bytes(folder / place, heat_maps.explained(rows[0][0].picture_hw, heading, panels, style))
        tiles.append(sheet.Tile(f"what speaks for {of}", rows[0][1].words, place))
        warnings += [
            f"{method}: {frame.warning}" for method, (_, frame) in zip(made, rows, strict=True) if frame.warned
        ]
    return tiles, warnings


def _mean(of: str, found: _Sum) -> tuple[MeanMap, OnFrame]:
    maps = len(found.on_frame)
    frame = OnFrame(of, maps, found.pictures - maps, float(np.mean(found.on_frame)) if maps else 0.0)
    picture_hw = np.rint(found.picture_hw / found.pictures).astype(np.uint8)
    return MeanMap(of, picture_hw, found.map_hw / max(maps, 1), frame.words, frame.warned), frame
