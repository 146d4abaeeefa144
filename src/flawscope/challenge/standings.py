"""The boards of a challenge: the public one, which runs along, and the final one. Pure functions.

The public board is guarded by the Ladder (`ranking.ladder`): a team's score moves only when a submission is better by
more than a step. Interval and rank are those of the submission that moved it last, the ends of the interval rounded
outwards to whole steps; nothing at all is told of a submission that moved nothing.

On the final board each team stands with the submission that it chose, or else with that of the best public score, those
too small for the ladder among them; its score there is that of the private part, which nobody has seen. Nothing that
came after the deadline counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flawscope.challenge.ranking import Entry, Ranked, Score, difference, ladder, ranked, shift
from flawscope.challenge.spec import Challenge
from flawscope.challenge.submitted import UNJUDGED, Submitted
from flawscope.records import Interval

ScoreOf = Callable[[Submitted, str], Score]
"""The score of a judged submission on a part, from its answers."""
Compare = Callable[[Score, Score], Interval]
"""First minus second: `ranking.difference`, or one that remembers what it has found."""


@dataclass(frozen=True)
class Standing:
    """One line of a board.

    `value`, `low`, `high` are what is shown; on the public board whole steps of the ladder. `number` is the submission
    that stands for the team, `submissions` how many it has made. `late`: it came after the deadline (the public
    board goes on). `shift`: final minus public, on the final board.
    """

    team: str
    number: int
    submissions: int
    late: bool
    value: float
    low: float
    high: float
    rank: int
    worst: int
    shared: bool
    passed: bool
    surely: bool
    shift: Interval | None = None


def is_late(challenge: Challenge, submitted: Submitted) -> bool:
    """Whether it came after the deadline. One that waited in the queue while the deadline passed is not late."""
    return submitted.received > challenge.deadline


def unjudged(challenge: Challenge, submissions: Sequence[Submitted]) -> list[Submitted]:
    """Those from before the deadline that are not done with yet: while there are any, nothing is final."""
    return [each for each in submissions if each.state in UNJUDGED and not is_late(challenge, each)]


def shown_best(challenge: Challenge, submissions: Sequence[Submitted]) -> dict[str, tuple[Submitted, float]]:
    """For each team the submission that moved its ladder last, and what the ladder shows, in the order received."""
    found: dict[str, tuple[Submitted, float]] = {}
    for each, shown in moves(challenge, submissions):
        found[each.team] = (each, shown)
    return found


def moves(challenge: Challenge, submissions: Sequence[Submitted]) -> list[tuple[Submitted, float]]:
    """The submissions that moved the ladder of their team, in the order received, each with what it showed then.

    This is all that may be told of scores before the deadline.
    """
    best: dict[str, float] = {}
    found = []
    for each in _in_order(submissions):
        old = best.get(each.team)
        shown = ladder(old, each.results["public"].metric, challenge.ladder_step)
        if old is None or shown != old:
            best[each.team] = shown
            found.append((each, shown))
    return found


def _in_order(submissions: Sequence[Submitted]) -> list[Submitted]:
    """The judged ones as they were received, however they were judged."""
    judged = [each for each in submissions if each.state == "judged"]
    return sorted(judged, key=lambda each: (each.received, each.number))


def public_board(
    challenge: Challenge, submissions: Sequence[Submitted], score_of: ScoreOf, compare: Compare = difference
) -> list[Standing]:
    """The board that runs along, those of after the deadline with it."""
    best = shown_best(challenge, submissions)
    made = []
    for place in ranked([Entry(team, score_of(each, "public")) for team, (each, _) in best.items()], compare):
        each, shown = best[place.name]
        low, high = rounded_outwards(place.score.metric, shown, challenge.ladder_step)
        made.append(
            _standing(
                challenge,
                place,
                each,
                submissions,
                value=shown,
                low=low,
                high=high,
                passed=shown >= challenge.pass_mark,
                surely=low >= challenge.pass_mark,
            )
        )
    return sorted(made, key=lambda line: (line.rank, -line.value))


def final_board(
    challenge: Challenge, submissions: Sequence[Submitted], score_of: ScoreOf, compare: Compare = difference
) -> list[Standing]:
    """The board that decides, from the private part: submissions that came before the deadline alone."""
    on_time = [each for each in submissions if not is_late(challenge, each)]
    best: dict[str, Submitted] = {}
    for each in _in_order(on_time):
        old = best.get(each.team)
        if old is None or (each.chosen, each.results["public"].metric) > (old.chosen, old.results["public"].metric):
            best[each.team] = each
    made = []
    for place in ranked([Entry(team, score_of(each, "private")) for team, each in best.items()], compare):
        each, metric = best[place.name], place.score.metric
        made.append(
            _standing(
                challenge,
                place,
                each,
                on_time,
                value=metric.value,
                low=metric.low,
                high=metric.high,
                passed=place.score.passed,
                surely=place.score.surely,
                shift=shift(score_of(each, "public").metric, metric),
            )
        )
    return made


def _standing(
    challenge: Challenge, place: Ranked, stands: Submitted, submissions: Sequence[Submitted], **shown: Any
) -> Standing:
    """A line of a board: the place of a team, the submission that stands for it, and what is shown of that."""
    return Standing(
        team=place.name,
        number=stands.number,
        submissions=sum(each.team == place.name for each in submissions),
        late=is_late(challenge, stands),
        rank=place.rank,
        worst=place.worst,
        shared=place.shared,
        **shown,
    )


def rounded_outwards(interval: Interval, shown: float, step: float) -> tuple[float, float]:
    """The ends in whole steps, so that they tell no more than the score does; around the score that is shown."""
    if not step:
        return interval.low, interval.high
    low, high = math.floor(interval.low / step) * step, math.ceil(interval.high / step) * step
    return max(0.0, round(min(low, shown), 12)), min(1.0, round(max(high, shown), 12))
