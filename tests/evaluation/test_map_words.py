"""What is said of heat maps agrees with what was measured."""

from __future__ import annotations

import numpy as np

from flawscope.evaluation.heat_maps import MOST, Areas, pointed, removed
from flawscope.evaluation.map_words import MIDDLE, UNPROVEN, OnFrame, areas_words, proof_words, proven, warnings_of

GOOD, BAD = Areas(0.2, 0.8), Areas(0.6, 0.5)


def test_a_proof_by_masks() -> None:
    masks = [np.eye(8) > 0] * 40
    right, wrong = pointed([np.eye(8)] * 40, masks), pointed([np.eye(8)[::-1]] * 40, masks)
    assert proven(right) and not proven(wrong)
    assert proof_words(right).startswith("In 100 % of 40 flawed images the largest value of the map lies in the true")
    assert "at random it would be 12 %" in proof_words(right)
    assert areas_words(right) == ""


def test_a_proof_by_removal() -> None:
    right, chance = (
        removed([GOOD] * 14 + [BAD] * 2, [BAD] * 14 + [GOOD] * 2),
        removed([GOOD] * 8, [BAD] * 4 + [GOOD] * 4),
    )
    assert proven(right) and not proven(chance)
    assert proof_words(right).startswith("In 14 of 16 pictures") and "(88 %, 95 % interval" in proof_words(right)
    assert "0.763 (the same shapes elsewhere 0.537)" in areas_words(right)


def test_a_map_is_held_against_the_middle_of_the_picture() -> None:
    # It wins against itself moved aside, as the middle would: that alone is no proof.
    worse, better = (removed([GOOD] * 16, [BAD] * 16, None, [middle] * 16) for middle in (Areas(0.1, 0.9), BAD))
    assert proven(worse) and proven(better)
    assert "In 0 of all 16 it depends more on that than on the middle of the picture" in proof_words(worse)
    assert "In 16 of all 16 it" in proof_words(better) and "middle" not in proof_words(removed([GOOD], [BAD]))
    assert (warnings_of(worse), warnings_of(better), warnings_of(None)) == ([MIDDLE], [], [])
    assert warnings_of(removed([BAD] * 16, [GOOD] * 16)) == [UNPROVEN]


def test_most_of_the_energy_on_the_frame_is_warned_of() -> None:
    assert OnFrame("scrap", 3, 0, MOST + 0.01).warned
    assert not OnFrame("scrap", 3, 0, MOST).warned
    assert "its outer tenth on each side, 36 % of its area" in OnFrame("scrap", 3, 0, 0.7).warning
    empty = OnFrame("scrap", 0, 4, 0.0)
    assert not empty.warned and empty.words == "nothing speaks for it in any of 4 pictures"
    assert OnFrame("scrap", 1, 0, 0.4).words.startswith("1 map; 40 %")
