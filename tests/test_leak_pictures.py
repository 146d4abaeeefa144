"""docs/leaks.md says what its script measures and shows what it draws."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawscope.data.court import closer, different, fair, pictures, threshold

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "leaks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script(docs_script: Callable[[str], ModuleType]) -> ModuleType:
    return docs_script("make_leak_pictures")


@pytest.fixture(scope="module")
def probe(script: ModuleType) -> Any:
    return script.experiment()


def numbers(text: str) -> dict[str, list[int]]:
    """Every percentage of each row of the experiment's table."""
    rows = re.findall(r"^\| (one nearest neighbour|small model|throwing a coin) \| (\d.*)$", text, re.MULTILINE)
    return {name: [int(number) for number in re.findall(r"(\d+) %", row)] for name, row in rows}


def test_the_page_states_what_the_script_measures(script: ModuleType, probe: Any) -> None:
    stated, measured = numbers(PAGE), numbers(script.table(probe))
    assert {name: len(row) for name, row in stated.items()} == {
        "one nearest neighbour": 6,
        "small model": 6,
        "throwing a coin": 2,
    }
    for name, row in measured.items():  # other versions of numpy and scikit-learn may move a picture or two
        assert stated[name] == pytest.approx(row, abs=2), "run: python docs/make_leak_pictures.py"


def test_what_the_page_says_in_words_is_so(script: ModuleType, probe: Any) -> None:
    neighbour, small = (model.measures["accuracy"] for model in probe.models)
    assert (probe.n, probe.groups, probe.folds) == (600, 150, 5)
    assert neighbour.random.value > 0.97
    assert small.random.low > 0.5
    for each in (neighbour, small):
        assert each.grouped.low < 0.5 < each.grouped.high
        assert each.difference.low > 0


def test_the_page_states_how_thresholds_are_made() -> None:
    for words in (
        f"The first {threshold.NEAREST} may be twins",
        f"The next {100 * threshold.SIMILAR:.0f} % of the set",
        f"between {threshold.LOWEST} and {threshold.HIGHEST}.",
        f"correlate by more than {threshold.HIGHEST}. There a pair from {threshold.DOUBTFUL} on",
        f"larger ({closer.SIDE} x {closer.SIDE} pixels instead of {pictures.SIDE} x {pictures.SIDE})",
        f"one\ncautious threshold ({threshold.UNREAD})",
        f"set for {threshold.FALSE_PAIRS_PER_IMAGE}:",
        f"up to {different.ASKED:,} pictures",
        f"the court uses {('', '', '', '', '', 'five')[fair.FEW]} for learning",
    ):
        assert words in PAGE


def test_thresholds_of_the_parts_lie_between_different_parts_and_sisters(script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    pairs = list(itertools.combinations(range(30), 2))
    low, high = script.thresholds(np.tanh(rng.normal(0.2, 0.08, len(pairs))), pairs, 30)[[0, 1]]
    assert all(0.4 < limit < 0.7 for limit in (low, high))
    assert low != high, "each part has its own"


def test_pictures_of_one_part_are_more_alike_than_those_of_others(script: ModuleType) -> None:
    rng = np.random.default_rng(0)
    first = script.photograph(script.Casting(1, 0).surface(), rng)
    turned = np.rot90(script.photograph(script.Casting(1, 0).surface(), rng, 0.7)[:, ::-1])
    sister = script.photograph(script.Casting(1, 1).surface(), rng)
    other = script.photograph(script.Casting(2, 0).surface(), rng)
    pictures = np.stack([first, turned, sister, other])
    same, sisters, others = script.measures(pictures, [(0, 1), (0, 2), (0, 3)], script.common_pattern())
    assert same > 0.9 > sisters > 0.6
    assert others < 0.45


def test_all_pictures_of_the_page_are_made(script: ModuleType, probe: Any, tmp_path: Path) -> None:
    script.make_all(tmp_path, probe)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == set(re.findall(r"\(images/(leaks-[\w-]+\.png)\)", PAGE))
    assert made == {path.name for path in (DOCS / "images").glob("leaks-*.png")}
    for name, folder in itertools.product(made, (tmp_path, DOCS / "images")):
        picture = Image.open(folder / name)
        assert 700 <= picture.width <= 1400  # a page of A4
        assert np.asarray(picture.convert("L")).std() > 10, name
        assert (folder / name).stat().st_size < 400_000
