"""What a network that was trained elsewhere expects of its pixels, as the user says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.errors import UserError, choices

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = (103.939 / 255, 116.779 / 255, 123.68 / 255)
EXAMPLE = "mean=0.5:std=0.25"
_OWN = re.compile(r"mean=([^:]+):std=([^:]+)")


@dataclass(frozen=True)
class PixelRule:
    """The network takes (p - mean) / std of pixels p from 0 to 1, one number a channel or one for all.

    `reversed`: the channels come in the order blue, green, red, and so do `mean` and `std`.

    >>> float(PixelRule.read("-1..1").apply(np.array([[[[255]]]], dtype=np.uint8))[0, 0, 0, 0])
    1.0
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reversed: bool = False

    @classmethod
    def read(cls, text: str) -> PixelRule:
        """The rule of a name, or of `mean=...:std=...`.

        Raises:
            UserError: it is neither.

        >>> PixelRule.read("mean=0.5968:std=0.1604").std
        (0.1604,)
        """
        if text in RULES:
            return RULES[text]
        own = _OWN.fullmatch(text.replace(" ", ""))
        if own is None:
            raise UserError(f"--preprocess {text}", choices(text, [*RULES, EXAMPLE]))
        try:
            mean, std = (tuple(map(float, words.split(","))) for words in own.groups())
        except ValueError:
            raise UserError(f"--preprocess {text}: expected numbers", f"for example {EXAMPLE}") from None
        if len(mean) not in (1, 3) or len(std) not in (1, 3) or not all(np.isfinite((*mean, *std))) or 0 in std:
            raise UserError(
                f"--preprocess {text}: expected one number or three of each, std not 0", f"for example {EXAMPLE}"
            )
        return cls(mean, std)

    def of(self, channels: int, depth: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What is taken away from integers of so many bits, and what the rest is divided by; each a number a channel.

        Raises:
            UserError: three numbers for one channel.
        """
        if channels == 1 and (self.reversed or len(self.mean) > 1 or len(self.std) > 1):
            raise UserError(
                "--preprocess names three channels, and the model takes one", f"name one number of each: {EXAMPLE}"
            )
        most = 2**depth - 1
        less, over = (most * np.array(values, dtype=np.float64) for values in (self.mean, self.std))
        return tuple(np.broadcast_to(each, channels).astype(np.float32) for each in (less, over))  # type: ignore[return-value]

    def apply(self, image_nchw: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Integer pictures, n x c x h x w, as the network takes them, but for its layout."""
        value_nchw = image_nchw.astype(np.float32)
        if self.reversed:
            value_nchw = value_nchw[:, ::-1]
        less_c, over_c = self.of(image_nchw.shape[1], 8 * image_nchw.dtype.itemsize)
        return (value_nchw - less_c[:, None, None]) / over_c[:, None, None]


RULES = {
    "0..1": PixelRule((0.0,), (1.0,)),
    "0..255": PixelRule((0.0,), (1 / 255,)),
    "-1..1": PixelRule((0.5,), (0.5,)),
    "imagenet": PixelRule(*IMAGENET),
    "caffe": PixelRule(CAFFE, (1 / 255,), reversed=True),
}
"""`imagenet` is also what `keras.applications` calls "torch", `-1..1` its "tf", `caffe` its "caffe"."""
