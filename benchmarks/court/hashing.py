"""Perceptual hashing as it is used today, to stand beside the court: imagehash, and a Hamming distance.

Letters: n pictures, t turns, b bits of a hash.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Turn = Image.Transpose
EIGHT: tuple[Turn | None, ...] = (
    None,
    Turn.ROTATE_90,
    Turn.ROTATE_180,
    Turn.ROTATE_270,
    Turn.FLIP_LEFT_RIGHT,
    Turn.FLIP_TOP_BOTTOM,
    Turn.TRANSPOSE,
    Turn.TRANSVERSE,
)
RULES: dict[str, tuple[str, int]] = {
    **{f"phash <= {most}": ("phash", most) for most in (0, 5, 10)},
    **{f"dhash <= {most}": ("dhash", most) for most in (0, 5, 10)},
    "phash of eight turns <= 5": ("turns", 5),
}
"""Two pictures are called the same up to this number of differing bits of 64. The last is what careful users do."""

Hashes = dict[str, list[str]]
"""Of one picture: "phash" and "dhash", one each, and "turns", the phash of the picture in all eight turns; in hex."""


def hashes_of(path: Path, sha256: str) -> Hashes:
    """The hashes of a file; the same content is hashed once only."""
    if sha256 not in _known():
        _known()[sha256] = _hashes(path)
    return _known()[sha256]


@cache
def _known() -> dict[str, Hashes]:
    return {}


def _hashes(path: Path) -> Hashes:
    import imagehash

    with Image.open(path) as image:
        grey = image.convert("L")
    turns = [str(imagehash.phash(grey if turn is None else grey.transpose(turn))) for turn in EIGHT]
    return {"phash": turns[:1], "dhash": [str(imagehash.dhash(grey))], "turns": turns}


def close_pairs(hashes: dict[str, Hashes], rule: str) -> list[tuple[str, str]]:
    """All pairs of files that a rule calls the same. Brute force: it loses nothing."""
    kind, most = RULES[rule]
    names = list(hashes)
    bits_tnb = np.stack([_signs([hashes[name][kind][turn] for name in names]) for turn in range(_turns(hashes, kind))])
    apart_tnn = (64 - bits_tnb @ bits_tnb[0].T) / 2
    apart_nn = apart_tnn.min(axis=0)
    close_nn = np.triu(np.minimum(apart_nn, apart_nn.T) <= most, 1)
    return [(names[i], names[j]) for i, j in np.argwhere(close_nn)]


def _turns(hashes: dict[str, Hashes], kind: str) -> int:
    return min(len(each[kind]) for each in hashes.values())


def _signs(texts: list[str]) -> npt.NDArray[np.float32]:
    """Hex to one row of -1 and 1 each, so that a product of two rows counts equal less differing bits."""
    bytes_n8 = np.array([list(bytes.fromhex(text)) for text in texts], dtype=np.uint8)
    return np.unpackbits(bytes_n8, axis=1).astype(np.float32) * 2 - 1
