"""Boards of a few submissions, by hand: who stands for a team, what is shown, and what is not told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from flawscope.challenge.labels import Labels
from flawscope.challenge.ranking import Score, scored
from flawscope.challenge.spec import Challenge
from flawscope.challenge.standings import final_board, is_late, moves, public_board, shown_best
from flawscope.challenge.submitted import PartResult, Submitted
from flawscope.records import BoolArray

Make = Callable[..., Challenge]
START = datetime(2027, 2, 1, tzinfo=UTC)
N = 100
TRUTH = np.arange(N)[:, None] % 2 == 0
LABELS = Labels(tuple(f"{i}.png" for i in range(N)), tuple(map(str, range(N))), TRUTH)


@dataclass(frozen=True)
class Said:
    scores_nk: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    decided_nk: BoolArray


class Contest:
    """Submissions that answer so many of 100 public and private images wrongly, the first ones."""

    def __init__(self, challenge: Challenge) -> None:
        self.challenge, self.submissions, self.scores = challenge, list[Submitted](), dict[tuple[int, str], Score]()

    def submit(
        self, team: str, public: int, private: int = 10, *, at: datetime | None = None, state: str = "judged"
    ) -> None:
        number = len(self.submissions) + 1
        results = {}
        for part, wrong in (("public", public), ("private", private)):
            flag_nk = TRUTH ^ (np.arange(N)[:, None] < wrong)
            score = scored(self.challenge, LABELS, Said(flag_nk.astype(float), flag_nk), draws=100)
            self.scores[number, part] = score
            results[part] = PartResult(part, "", score.metric.value, score.metric.low, score.metric.high, {}, 1.0)
        self.submissions.append(
            Submitted(
                number, team, f"{number:064x}", at or START + timedelta(minutes=number), state, 1,  # type: ignore[arg-type]
                results=results if state == "judged" else {},
            )
        )  # fmt: skip

    def score_of(self, submitted: Submitted, part: str) -> Score:
        return self.scores[submitted.number, part]


@pytest.fixture
def contest(make_challenge: Make) -> Contest:
    return Contest(make_challenge(kind="binary", classes=("bad",), metric="accuracy", ladder_step=0.05))


def lines(contest: Contest, *, final: bool = False) -> Sequence[tuple[object, ...]]:
    board = final_board if final else public_board
    made = board(contest.challenge, contest.submissions, contest.score_of)
    return [(line.rank, line.shared, line.team, line.number, round(line.value, 3)) for line in made]


def test_who_cannot_be_told_apart_shares_a_rank(contest: Contest) -> None:
    contest.submit("a", 10)
    contest.submit("b", 12)
    contest.submit("c", 50)
    assert lines(contest) == [(1, True, "a", 1, 0.9), (1, True, "b", 2, 0.9), (3, False, "c", 3, 0.5)]


def test_a_team_stands_where_its_ladder_moved_last(contest: Contest) -> None:
    contest.submit("a", 31)
    assert lines(contest) == [(1, False, "a", 1, 0.7)]
    contest.submit("a", 27)  # 0.73: better, by less than a step
    contest.submit("a", 60)
    contest.submit("a", 3, state="refused")
    contest.submit("a", 2, state="waiting")
    (line,) = public_board(contest.challenge, contest.submissions, contest.score_of)
    assert (line.number, line.value, line.submissions) == (1, 0.7, 5)
    contest.submit("a", 18)
    assert lines(contest) == [(1, False, "a", 6, 0.8)]


def test_the_order_in_which_they_were_judged_does_not_matter(contest: Contest) -> None:
    for wrong in (31, 27, 18, 40):
        contest.submit("a", wrong)
    forwards = shown_best(contest.challenge, contest.submissions)
    assert shown_best(contest.challenge, contest.submissions[::-1]) == forwards
    assert forwards["a"][0].number == 3


def test_ends_of_the_interval_tell_whole_steps_only(contest: Contest) -> None:
    contest.submit("a", 31)
    (line,) = public_board(contest.challenge, contest.submissions, contest.score_of)
    metric = contest.scores[1, "public"].metric
    for end in (line.low, line.high):
        assert end / 0.05 == pytest.approx(round(end / 0.05))
    assert metric.low - 0.05 < line.low <= metric.low and metric.high <= line.high < metric.high + 0.05
    assert line.passed and not line.surely
    plain = contest.challenge.model_copy(update={"ladder_step": 0.0})
    (line,) = public_board(plain, contest.submissions, contest.score_of)
    assert (line.value, line.low, line.high) == (metric.value, metric.low, metric.high)


def test_the_final_board_is_of_the_private_part_and_of_who_was_in_time(contest: Contest) -> None:
    deadline = contest.challenge.deadline
    contest.submit("lucky", 5, private=40)
    contest.submit("steady", 12, private=12)
    contest.submit("late", 0, private=0, at=deadline + timedelta(seconds=1))
    contest.submit("steady", 1, private=1, at=deadline + timedelta(days=1))
    contest.submit("just", 45, private=30, at=deadline)
    assert [is_late(contest.challenge, each) for each in contest.submissions] == [False, False, True, True, False]
    assert lines(contest, final=True) == [
        (1, False, "steady", 2, 0.88),
        (2, False, "just", 5, 0.7),
        (3, False, "lucky", 1, 0.6),
    ]
    board = final_board(contest.challenge, contest.submissions, contest.score_of)
    shifts = {line.team: line.shift for line in board}
    assert shifts["lucky"] is not None and shifts["lucky"].value == pytest.approx(-0.35)
    assert shifts["lucky"].high < 0 < shifts["just"].value  # type: ignore[union-attr]
    assert {line.team: line.passed for line in board} == {"steady": True, "just": True, "lucky": True}
    ongoing = public_board(contest.challenge, contest.submissions, contest.score_of)
    assert {line.team: line.late for line in ongoing} == {"lucky": False, "steady": True, "late": True, "just": False}


def test_a_step_too_small_for_the_ladder_counts_in_the_end(contest: Contest) -> None:
    contest.submit("a", 31, private=33)
    contest.submit("a", 29, private=32)
    contest.submit("a", 29, private=1)  # no better: the first of them stands
    assert lines(contest) == [(1, False, "a", 1, 0.7)]
    assert lines(contest, final=True) == [(1, False, "a", 2, 0.68)]


def test_an_empty_board(contest: Contest) -> None:
    contest.submit("a", 3, state="waiting")
    assert lines(contest) == lines(contest, final=True) == []
    assert replace(contest.submissions[0]).results == {}


def test_all_that_may_be_told_is_what_moved_a_ladder(make_challenge: Make) -> None:
    contest = Contest(make_challenge(kind="binary", classes=["bad"], metric="accuracy", ladder_step=0.05))
    for team, wrong in (("a", 30), ("b", 10), ("a", 27), ("a", 20), ("a", 50), ("b", 2)):
        contest.submit(team, wrong)
    told = [(each.number, shown) for each, shown in moves(contest.challenge, contest.submissions)]
    assert told == [(1, 0.7), (2, 0.9), (4, 0.8), (6, 1.0)]
