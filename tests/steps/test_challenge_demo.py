"""The demonstration: one call makes a site with people, teams and a board; another call makes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

import flawscope
from flawscope.errors import OutputError
from flawscope.site.hosted import opened
from flawscope.site.settings import Settings
from flawscope.steps import challenge_demo as demo


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_it_fills_a_board_and_can_be_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    monkeypatch.setattr(demo, "MODULES", 24)
    said: list[str] = []
    for _ in range(times):
        folder = demo.challenge_demo(tmp_path / "demo", serve=False, say=said.append)
        board = flawscope.challenge_board(folder)
        assert {line.team for line in board.lines} == set(demo.TEAMS) and board.states == {"judged": 2}
        assert min(line.value for line in board.lines) > 0.4  # both have learnt something
    site, password = opened(Settings(challenges=(folder,))), said[-1].rpartition(" ")[2]
    assert "Olga (the organiser), Ada and Bob (Sunrise)" in said[-1]
    assert site.people.authenticate("Olga", password, "192.0.2.1", site.now()).organiser
    dua = site.people.authenticate("Dua", password, "192.0.2.1", site.now())
    assert len(site.hosted["solar"].members.my_team(dua).members) == 2


def test_what_is_no_demonstration_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("dear")
    with pytest.raises(OutputError, match="demonstration"):
        demo.challenge_demo(tmp_path / "mine", serve=False)
    assert (tmp_path / "mine" / "work.txt").read_text() == "dear"
