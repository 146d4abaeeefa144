"""What a challenge may be, and that its file gives it back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flawscope.challenge.spec import FILE, Challenge, load_challenge, moment, save_challenge
from flawscope.errors import DataError, UserError

Make = Callable[..., Challenge]
PART = {"images": 4, "groups": 2, "hash": "0" * 64}


def test_the_file_gives_the_challenge_back(tmp_path: Path, make_challenge: Make) -> None:
    made = make_challenge()
    save_challenge(made, tmp_path)
    assert load_challenge(tmp_path) == made
    assert json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["deadline"] == "2027-03-01T22:59:59Z"


def test_participants_are_not_told_how_the_data_are_split(make_challenge: Make) -> None:
    told = make_challenge().told()
    assert not {"seed", "parts"} & set(told)
    assert (told["metric"], told["deadline"]) == ("mean_f1", "2027-03-01T22:59:59Z")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"deadline": "2026-12-31T00:00:00Z"}, "its deadline is 2026-12-31T00:00:00Z"),
        ({"parts": {"training": PART}}, "expected the parts training, public, private"),
        ({"classes": ["crack", "group"]}, "a class cannot be called 'group'"),
        ({"opens": "2027-01-01T00:00:00"}, "timezone"),
        ({"pass_mark": 60}, "pass_mark"),
        ({"metric": "f1"}, "metric"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_no_challenge_can_be_is_refused_in_words(
    tmp_path: Path, challenge_content: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    (tmp_path / FILE).write_text(json.dumps({"schema_version": 1, **challenge_content, **change}), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        load_challenge(tmp_path)


def test_files_that_are_none(tmp_path: Path, challenge_content: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="is no challenge"):
        load_challenge(tmp_path)
    (tmp_path / FILE).write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        load_challenge(tmp_path)
    (tmp_path / FILE).write_text(json.dumps({**challenge_content, "schema_version": 2}), encoding="utf-8")
    with pytest.raises(DataError, match="schema version 2"):
        load_challenge(tmp_path)
    for words in ("tomorrow", "9999-12-31T23:59-12:00", "0001-01-01T00:00+01:00"):
        with pytest.raises(UserError, match=re.escape(f"--deadline {words}")):
            moment(words, "--deadline")
