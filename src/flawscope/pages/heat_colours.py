"""Heat maps in colours over a picture, fast and without matplotlib, which a machine at the line does not have.

The colours are `plasma` of matplotlib (Smith and van der Walt, CC0): even to the eye, and told apart with every kind of
colour vision. They cover the picture the less, the less they have to say.

Letters: h and w rows and columns of a map.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.floating[Any]]
MOST, BEND = 0.85, 0.6
"""How much of the picture the largest value hides, and the power that brings faint values out."""
PLASMA = bytes.fromhex(
    "0d088710078813078916078a19068c1b068d1d068e20068f2206902406912605912805922a05932c05942e05952f0596310597330597"
    "35049837049938049a3a049a3c049b3e049c3f049c41049d43039e44039e46039f48039f4903a04b03a14c02a14e02a25002a25102a3"
    "5302a35502a45601a45801a45901a55b01a55c01a65e01a66001a66100a76300a76400a76600a76700a86900a86a00a86c00a86e00a8"
    "6f00a87100a87201a87401a87501a87701a87801a87a02a87b02a87d03a87e03a88004a88104a78305a78405a78606a68707a68808a6"
    "8a09a58b0aa58d0ba58e0ca48f0da4910ea3920fa39410a29511a19613a19814a099159f9a169f9c179e9d189d9e199da01a9ca11b9b"
    "a21d9aa31e9aa51f99a62098a72197a82296aa2395ab2494ac2694ad2793ae2892b02991b12a90b22b8fb32c8eb42e8db52f8cb6308b"
    "b7318ab83289ba3388bb3488bc3587bd3786be3885bf3984c03a83c13b82c23c81c33d80c43e7fc5407ec6417dc7427cc8437bc9447a"
    "ca457acb4679cc4778cc4977cd4a76ce4b75cf4c74d04d73d14e72d24f71d35171d45270d5536fd5546ed6556dd7566cd8576bd9586a"
    "da5a6ada5b69db5c68dc5d67dd5e66de5f65de6164df6263e06363e16462e26561e26660e3685fe4695ee56a5de56b5de66c5ce76e5b"
    "e76f5ae87059e97158e97257ea7457eb7556eb7655ec7754ed7953ed7a52ee7b51ef7c51ef7e50f07f4ff0804ef1814df1834cf2844b"
    "f3854bf3874af48849f48948f58b47f58c46f68d45f68f44f79044f79143f79342f89441f89540f9973ff9983ef99a3efa9b3dfa9c3c"
    "fa9e3bfb9f3afba139fba238fca338fca537fca636fca835fca934fdab33fdac33fdae32fdaf31fdb130fdb22ffdb42ffdb52efeb72d"
    "feb82cfeba2cfebb2bfebd2afebe2afec029fdc229fdc328fdc527fdc627fdc827fdca26fdcb26fccd25fcce25fcd025fcd225fbd324"
    "fbd524fbd724fad824fada24f9dc24f9dd25f8df25f8e125f7e225f7e425f6e626f6e826f5e926f5eb27f4ed27f3ee27f3f027f2f227"
    "f1f426f1f525f0f724f0f921"
)
"""Red, green and blue of 256 values from 0 to 1."""


def cover(value: Floats) -> Floats:
    """How much of the picture a value hides: nothing at 0, most of it at 1 and at -1.

    >>> cover(np.array([0.0, 1.0])).tolist()
    [0.0, 0.85]
    """
    share: Floats = MOST * np.clip(np.abs(value), 0, 1) ** BEND
    return share


def layer(map_hw: Floats, size: tuple[int, int]) -> Image.Image:
    """A map (0..1) in colours, bilinear, of this width and height: RGBA, to be pasted over a grey picture.

    >>> layer(np.array([[0.0, 1.0]]), (2, 1)).getpixel((0, 0))[3]
    0
    """
    level_hw = np.rint(np.clip(map_hw, 0, 1) * 255).astype(np.uint8)
    level = Image.fromarray(level_hw).resize(size, Image.Resampling.BILINEAR)
    level.putpalette(_palette(), "RGBA")
    return level.convert("RGBA")


def over(picture: Image.Image, map_hw: Floats) -> Image.Image:
    """A picture in grey with a map (0..1) over it.

    >>> over(Image.new("L", (2, 1), 100), np.array([[0.0, 1.0]])).getpixel((0, 0))
    (100, 100, 100)
    """
    mixed, colours = picture.convert("L").convert("RGB"), layer(map_hw, picture.size)
    mixed.paste(colours, mask=colours)
    return mixed


def bar(width: int, height: int) -> Image.Image:
    """The colours from 0 to 1 as they look on a middle grey.

    >>> bar(60, 8).size
    (60, 8)
    """
    return over(Image.new("L", (width, height), 128), np.linspace(0, 1, width)[None])


@lru_cache
def _palette() -> bytes:
    """Red, green, blue and cover of each of 256 levels."""
    colour_n3 = np.frombuffer(PLASMA, dtype=np.uint8).reshape(256, 3)
    cover_n1 = np.rint(255 * cover(np.linspace(0, 1, 256))).astype(np.uint8)[:, None]
    return np.concatenate([colour_n3, cover_n1], axis=1).tobytes()
