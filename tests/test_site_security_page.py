"""The page of attacks names tests that exist, and no more than was measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "site-security.md").read_text(encoding="utf-8")


def test_each_test_that_it_names_exists() -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    known = set(
        re.findall(r"^def (test_\w+)", "\n".join(path.read_text(encoding="utf-8") for path in files), re.MULTILINE)
    )
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40 and named <= known, named - known


def test_each_attack_has_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| attack")]
    assert len(rows) > 30 and all("`test_" in row or "`tests/" in row for row in rows)


def test_the_timing_is_the_one_that_was_measured() -> None:
    found = json.loads((ROOT / "benchmarks" / "results" / "login-timing.json").read_text())[-1]["result"]
    low, high = found["its 95 % interval"]
    assert (
        f"{found['ratio of the medians']} ({low} to {high})" in PAGE and f"AUROC {found['AUROC of the time']}" in PAGE
    )
