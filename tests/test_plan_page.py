"""docs/plan.md states what the library computes, and its picture can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from flawscope.evaluation.plan import best_promise, power
from flawscope.evaluation.plan_sizes import interval_sizes, promise_sizes
from flawscope.evaluation.wanted import Wanted

DOCS = Path(__file__).parents[1] / "docs"
PAGE = " ".join((DOCS / "plan.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_plan_picture")


def test_the_page_states_what_is_computed() -> None:
    assert promise_sizes(Wanted(max_escape=0.01), 0.2, None)["independent"] == 299 and "299 independent" in PAGE
    assert promise_sizes(Wanted(max_escape=0.005), 0.2, None)["independent"] == 598 and "needs 598" in PAGE
    assert f"164 can promise {100 * best_promise(164):.1f} %" in PAGE
    assert f"probability of {100 * power(299, 0.002, 0.01):.0f} %" in PAGE
    asked = promise_sizes(Wanted(max_escape=0.01, expected_escape=0.002), 0.2, None)
    assert f"{asked['independent']} parts, of which two may pass" in PAGE and asked["escapes"] == 2
    assert f"suffice {100 * asked['power']['reached']:.0f} times in 100" in PAGE
    alike = promise_sizes(Wanted(max_escape=0.01, groups_of=5, correlation=0.3), 0.2, None)["ways"]["effective"]
    assert f"{alike['parts']} parts in {alike['groups']} groups" in PAGE
    both = promise_sizes(Wanted(max_escape=0.01, groups_of=5), 0.2, 0.04)["ways"]
    first, last = both["images"], both["groups"]
    assert f"{first['parts']} parts in {first['groups']} groups if each part counts" in PAGE
    assert f"{last['parts']:,} parts in {last['groups']} groups if each group counts as one" in PAGE
    assert f"{first['in_all']['counted']:,} to {last['in_all']['counted']:,} defective parts in all" in PAGE
    assert f"{first['in_all']['parts']:,} to {last['in_all']['parts']:,} images" in PAGE
    one = promise_sizes(Wanted(max_escape=0.01, groups_of=5, escapes=1), 0.2, None)
    assert f"{one['independent']} parts that stand alone, but {one['ways']['groups']['groups']} groups of 5" in PAGE
    assert (
        f"{promise_sizes(Wanted(max_escape=0.01, groups_of=5), 0.2, None)['of_all_parts']} groups of which none" in PAGE
    )
    interval = interval_sizes(Wanted(measure="recall", value=0.95, half_width=0.02), 0.2, None)
    assert f"{interval['independent']} independent defective parts in the test part" in PAGE


def test_the_table_is_that_of_the_simulation(script: ModuleType) -> None:
    assert " ".join(script.table().split()) in PAGE, "run: python docs/make_plan_picture.py"


def test_the_picture_can_be_drawn(script: ModuleType, tmp_path: Path) -> None:
    script.figure(tmp_path / "plan.png")
    with Image.open(tmp_path / "plan.png") as drawn, Image.open(DOCS / "images" / "plan.png") as kept:
        assert drawn.size == kept.size
