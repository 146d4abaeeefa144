"""`flawscope decide` on a bundle, as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_answers import refused

Draw = Callable[..., Path]
Cli = Callable[..., Any]


def test_a_bundle_is_decided_again_and_says_what_it_promises(
    cli: Cli, finished: Any, draw: Draw, tmp_path: Path
) -> None:
    for seed in range(500, 524):  # pictures that the bundle does not know
        draw(tmp_path / "data" / ("nok" if seed % 2 else "ok") / f"{seed}.png", seed, [1] if seed % 2 else ())
    words = ("decide", finished.bundle, "data", "--max-escape", "0.3", "-o", "new.flawscope")
    answer = cli(*words)
    assert answer.code == 0
    assert "Escape contract, nok: Of 100 nok images at most 30 pass, 95 % confidence; measured on 12 nok" in answer.out
    parent = cli("show", finished.bundle).out.partition("Seal: ")[2].partition(".")[0]
    assert f"parent {parent}" in answer.out
    refused(cli(*words), "new.flawscope exists already", "--overwrite")
    assert cli(*words, "--overwrite").code == 0
    refused(cli("decide", finished.bundle, "data"), "--max-escape")
    assert "Escape contract, nok" in cli("show", "new.flawscope").out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-escape", "0.02", "--cost-escape", "10"], "are two rules for one threshold"),
        (["--cost-escape", "100"], "--cost-overkill is missing"),
        (["--max-escape", "nan"], "--max-escape nan"),
        (["--max-escape", "0.1", "--confidence", "95"], "--confidence 95"),
        (["--cost-escape", "inf", "--cost-overkill", "1"], "--cost-escape inf"),
    ],
)
def test_another_decision_that_cannot_be_is_refused_before_anything_is_read(
    options: list[str], words: str, cli: Cli
) -> None:
    refused(cli("decide", "no.flawscope", "no-data", *options), words, "\n  -> ")
