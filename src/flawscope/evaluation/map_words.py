"""What the measures of heat maps say, in words: how far to trust them, and whether a network looks at the frame."""

from __future__ import annotations

from dataclasses import dataclass

from flawscope.evaluation.heat_maps import FRAME, MOST, Pointed, Removed
from flawscope.records import Interval

FRAME_AREA = 1 - (1 - 2 * FRAME) ** 2
MIDDLE = "The answer depends more on the middle of the picture than on what these heat maps mark: they show a part."
UNPROVEN = "It is not shown that these heat maps mark what the network uses: do not rely on them."


@dataclass(frozen=True)
class OnFrame:
    """How much of what speaks for an answer lies on the frame, mean over `maps`; `empty` more show nothing for it."""

    of: str
    maps: int
    empty: int
    share: float

    @property
    def warned(self) -> bool:
        """Whether the network looks mostly at the frame."""
        return self.maps > 0 and self.share > MOST

    @property
    def words(self) -> str:
        """Of how many maps, and how much of them lies on the frame.

        >>> OnFrame("scrap", 9, 1, 0.4).words
        'mean of 9 maps; nothing speaks for it in 1 more; 40 % of the energy on the frame'
        """
        if not self.maps:
            return f"nothing speaks for it in any of {self.empty} pictures"
        maps = f"mean of {self.maps} maps" if self.maps > 1 else "1 map"
        empty = f"; nothing speaks for it in {self.empty} more" if self.empty else ""
        return f"{maps}{empty}; {100 * self.share:.0f} % of the energy on the frame"

    @property
    def warning(self) -> str:
        """Says that the network looks at the frame.

        >>> OnFrame("scrap", 9, 0, 0.71).warning.partition(":")[0]
        'On average 71 % of what speaks for scrap lies on the frame of the picture'
        """
        return (
            f"On average {100 * self.share:.0f} % of what speaks for {self.of} lies on the frame of the picture: its "
            f"outer tenth on each side, {100 * FRAME_AREA:.0f} % of its area. Does the network go by a border, a stamp "
            "or a fixture instead of the part?"
        )


def warnings_of(proof: Removed | Pointed | None) -> list[str]:
    """What must be said before anybody relies on the maps.

    >>> from flawscope.evaluation.heat_maps import Areas, removed
    >>> own, middle = [Areas(0.3, 0.6)] * 9, [Areas(0.1, 0.9)] * 9
    >>> warnings_of(removed(own, [Areas(0.5, 0.5)] * 9, centre=middle))[0].partition(":")[0]
    'The answer depends more on the middle of the picture than on what these heat maps mark'
    """
    if proof is None:
        return []
    centre = proof.over_centre if isinstance(proof, Removed) else None
    found = [] if proven(proof) else [UNPROVEN]
    return [*found, MIDDLE] if centre and centre.high < 0.5 else found


def proven(proof: Removed | Pointed) -> bool:
    """Whether the interval lies above what a map that knows nothing would reach."""
    return proof.pointing.low > proof.chance if isinstance(proof, Pointed) else proof.better.low > 0.5


def proof_words(proof: Removed | Pointed) -> str:
    """How far maps can be trusted, in one sentence.

    >>> from flawscope.evaluation.heat_maps import Areas, removed
    >>> proof_words(removed([Areas(0.1, 0.9)] * 4, [Areas(0.5, 0.5)] * 4)).partition(" (")[0]
    'In 4 of 4 pictures the answer depends more on what the map marks than on the same shapes elsewhere in the picture'
    """
    if isinstance(proof, Pointed):
        hit = proof.pointing
        return (
            f"In {100 * hit.value:.0f} % of {hit.n} flawed images the largest value of the map lies in the true mask "
            f"({_span(hit)}); of places taken at random it would be {100 * proof.chance:.0f} %, and the middle of the "
            f"picture does in {100 * proof.centre_pointing:.0f} %."
        )
    better, centre = proof.better, proof.over_centre
    middle = ""
    if centre:
        middle = (
            f" In {round(centre.value * centre.n)} of all {centre.n} it depends more on that than on the middle of the "
            "picture, which needs no network to be found."
        )
    return (
        f"In {round(better.value * better.n)} of {better.n} pictures the answer depends more on what the map marks "
        f"than on the same shapes elsewhere in the picture ({100 * better.value:.0f} %, {_span(better)}; places taken "
        f"at random: 50 %).{middle}"
    )


def areas_words(proof: Removed | Pointed) -> str:
    """The areas below the curves of deletion and insertion, where they are the proof."""
    if isinstance(proof, Pointed):
        return ""
    own, moved = proof.own, proof.moved
    return (
        f"Mean probability of the answer while the marked places come into a blurred picture: {own.insertion:.3f} (the "
        f"same shapes elsewhere {moved.insertion:.3f}); while they are taken out: {own.deletion:.3f} "
        f"({moved.deletion:.3f}). A map that shows what is used makes the first number large and the second one small."
    )


def _span(interval: Interval) -> str:
    return f"95 % interval {100 * interval.low:.0f} to {100 * interval.high:.0f} %"
