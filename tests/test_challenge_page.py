"""docs/challenge.md says what the benchmark has found, and its picture is the one that its script draws."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from flawscope.challenge.kit import IMAGE_PASSES
from flawscope.challenge.ranking import DRAWS

ROOT = Path(__file__).parents[1]
FLAT = " ".join((ROOT / "docs" / "challenge.md").read_text(encoding="utf-8").split())


def test_the_table_and_the_picture_are_those_of_the_benchmark(
    docs_script: Callable[[str], ModuleType], as_stored: Callable[[ModuleType], None]
) -> None:
    script = docs_script("make_ladder_picture")
    assert [row for row in script.rows() if row not in FLAT] == []
    shown = {
        (board, attacker): f"{script.boards()[board][attacker][-1]['shown'][0]:.2f}"
        for board in (script.SHOWN[0], script.SHOWN[2])
        for attacker in script.TITLES
    }
    words = re.search(
        r"the climber rises from 0.70 to (\S+) and the voter from 0.50 to (\S+); with it, to (\S+) and to (\S+)\]", FLAT
    )
    assert words
    assert words.groups() == tuple(
        shown[board, attacker] for board in (script.SHOWN[0], script.SHOWN[2]) for attacker in script.TITLES
    )
    as_stored(script)


def test_numbers_of_the_page() -> None:
    assert f"{IMAGE_PASSES:,} looks at images" in FLAT
    assert f"grouped bootstrap, {DRAWS:,} draws" in FLAT
