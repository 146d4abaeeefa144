"""What a network looks at, for the report: maps beside pictures, their mean for each answer, and how far to trust them.

Plain records in, small pictures out. Letters: h and w rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from flawscope.pages.heat_maps import blended
from flawscope.pages.thumbnails import data_uri

Floats = npt.NDArray[np.floating[Any]]
SIDE, LONG_SIDE = 320, 900
"""The longer side of a mean in pixels, of a wide one."""
WIDE = 2.2
"""Where all means are at least so many times wider than high, each stands above its map and not beside it."""
BAR = (240, 14)
"""Width and height of the scale, in pixels."""
CALLED = {
    "grad-cam": "Grad-CAM",
    "grad-cam++": "Grad-CAM++",
    "score-cam": "Score-CAM",
    "eigen-cam": "Eigen-CAM",
    "occlusion": "occlusion",
    "integrated-gradients": "integrated gradients",
}


@dataclass(frozen=True)
class MeanMap:
    """The mean of the maps of one answer, each relative to its largest value, and the mean picture below it.

    `warned`: the words below it are a warning.
    """

    of: str
    picture_hw: npt.NDArray[np.uint8]
    map_hw: Floats
    words: str
    warned: bool = False

    @property
    def relative_hw(self) -> Floats:
        """The mean map relative to its own largest value."""
        top = float(np.abs(self.map_hw).max())
        return self.map_hw / top if top > 0 else self.map_hw


@dataclass(frozen=True)
class LookedAt:
    """What is said of the maps of a page: how they are made, their means, and how far they can be trusted.

    `shown` pictures of the gallery have a map. `reason` says why there are no maps, where there are none.
    """

    method: str = ""
    layer: str = ""
    signed: bool = False
    means: Sequence[MeanMap] = ()
    proof: str = ""
    areas: str = ""
    warnings: Sequence[str] = ()
    shown: int = 0
    reason: str = ""

    @property
    def how(self) -> str:
        """How the maps are made.

        >>> LookedAt("grad-cam", "layer4").how
        'The heat maps are Grad-CAM of layer layer4: where the network finds what speaks for an answer.'
        """
        of = f" of layer {self.layer}" if self.layer else ""
        called = CALLED.get(self.method, self.method)
        return f"The heat maps are {called}{of}: where the network finds what speaks for an answer."


def over(picture: npt.NDArray[np.uint8], map_hw: Floats, *, signed: bool = False) -> Image.Image:
    """The map over the picture, as the gallery shows it.

    >>> over(np.zeros((4, 6), np.uint8), np.zeros((2, 3))).size
    (6, 4)
    """
    return Image.fromarray(blended(picture, map_hw, signed=signed))


def scale(looked: LookedAt) -> str:
    """The colours of the maps as they look on a middle grey, inlined: from 0 (with a sign from -1) to 1."""
    level_hw = np.linspace(-1 if looked.signed else 0, 1, BAR[0])[None]
    made = data_uri(over(np.full(BAR[::-1], 128, np.uint8), level_hw, signed=looked.signed), BAR[0])
    assert made is not None  # a picture that was just made can be read
    return made[0]


def mean_tiles(looked: LookedAt) -> list[dict[str, Any]]:
    """The mean picture and the mean map of each answer, inlined."""
    tiles = []
    wide = all(mean.picture_hw.shape[1] >= WIDE * mean.picture_hw.shape[0] for mean in looked.means)
    for mean in looked.means:
        drawn = (Image.fromarray(mean.picture_hw), over(mean.picture_hw, mean.relative_hw, signed=looked.signed))
        made = [uri for uri in (data_uri(each, LONG_SIDE if wide else SIDE) for each in drawn) if uri]
        tiles.append({"about": mean, "pictures": made, "wide": wide})
    return tiles
