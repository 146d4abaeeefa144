"""What is said of heat maps agrees with what was measured."""

from __future__ import annotations

import numpy as np

from flawscope.evaluation.heat_maps import MOST, Areas, pointed, removed
from flawscope.evaluation.map_words import OnFrame, areas_words, proof_words, proven

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


def test_most_of_the_energy_on_the_frame_is_warned_of() -> None:
    assert OnFrame("scrap", 3, 0, MOST + 0.01).warned
    assert not OnFrame("scrap", 3, 0, MOST).warned
    assert "its outer tenth on each side, 36 % of its area" in OnFrame("scrap", 3, 0, 0.7).warning
    empty = OnFrame("scrap", 0, 4, 0.0)
    assert not empty.warned and empty.words == "nothing speaks for it in any of 4 pictures"
    assert OnFrame("scrap", 1, 0, 0.4).words.startswith("1 map; 40 %")
