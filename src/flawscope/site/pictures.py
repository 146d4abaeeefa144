"""Where things stand in the pictures of a board: plain numbers, which a template draws as SVG. Lengths: pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from flawscope.challenge.standings import Standing
from flawscope.site.boards import Move

SHOWN_TEAMS = 10
"""The first ones of the board are drawn, and one's own."""
STROKES = 6
"""So many lines have a colour and dashes of their own; those after them are grey."""
_ROW, _LETTER = 15, 7.2
"""Distance of two labels, width of a letter."""
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_SPANS = tuple(
    timedelta(minutes=minutes)
    for minutes in (1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 4320, 7200, 10080, 20160, 43200, 129600, 525600)
)


@dataclass(frozen=True)
class Scale:
    """One scale for the intervals of all rows."""

    low: float
    high: float
    width: int = 180
    edge: int = 7

    def x(self, value: float) -> float:
        """Where a value stands."""
        inner = self.width - 2 * self.edge
        return round(self.edge + inner * (value - self.low) / (self.high - self.low), 1)


def scale_of(lines: Sequence[Standing], pass_mark: float) -> Scale:
    """A scale over all intervals and the pass mark, its ends whole tenths.

    >>> scale_of([], 0.6)
    Scale(low=0.6, high=0.7, width=180, edge=7)
    """
    low = math.floor(10 * min([pass_mark, *(line.low for line in lines)]) + 1e-9) / 10
    high = math.ceil(10 * max([pass_mark, *(line.high for line in lines)]) - 1e-9) / 10
    low, high = max(0.0, low), min(1.0, high)
    return Scale(low, high) if low < high else Scale(min(low, 0.9), min(low, 0.9) + 0.1)


@dataclass(frozen=True)
class Line:
    """The line of one team: its corners as SVG wants them, its end, and its label beside that."""

    team: str
    label: str
    points: str
    x: float
    y: float
    label_y: float
    stroke: int
    own: bool


@dataclass(frozen=True)
class Chart:
    """The progress of several teams over time."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    lines: tuple[Line, ...]
    values: tuple[tuple[float, str], ...]
    times: tuple[tuple[float, str], ...]
    pass_y: float


def chart_of(
    tracks: Mapping[str, Sequence[Move]],
    order: Sequence[str],
    own: str | None,
    *,
    begin: datetime,
    end: datetime,
    pass_mark: float,
    width: int,
) -> Chart | None:
    """The picture for so much room; None where there is nothing to draw.

    Args:
        tracks: how each team's ladder has moved.
        order: the teams of the board.
        own: the team of who looks; drawn however it stands.
        begin: of the time that is shown.
        end: of it; a line goes on until then.
        pass_mark: drawn as a line across.
        width: pixels.
    """
    drawn = [team for team in order if tracks.get(team)]
    drawn = [team for place, team in enumerate(drawn) if place < SHOWN_TEAMS or team == own]
    if not drawn:
        return None
    begin = min(begin, *(tracks[team][0].at for team in drawn), end - timedelta(minutes=1))
    end = max(end, *(tracks[team][-1].at for team in drawn))
    room = min(18, max(6, round(0.26 * width / _LETTER)))
    labels = {team: _short(team, room) for team in drawn}
    right = width - 16 - _LETTER * max(map(len, labels.values()))
    left, top = 40.0, 14.0
    bottom = top + max(220.0, _ROW * len(drawn) + 20, 0.3 * width)
    low, high, ticks = _values([move.value for team in drawn for move in tracks[team]], pass_mark)

    def x(at: datetime) -> float:
        return round(left + (right - left) * ((at - begin) / (end - begin)), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value - low) / (high - low), 1)

    ends = {team: y(tracks[team][-1].value) for team in drawn}
    beside = _apart(ends, top, bottom)
    lines = [
        Line(
            team=team,
            label=labels[team],
            points=_corners([(x(move.at), y(move.value)) for move in tracks[team]], x(end)),
            x=x(end),
            y=ends[team],
            label_y=beside[team],
            stroke=place,
            own=team == own,
        )
        for place, team in enumerate(drawn)
    ]
    values = tuple((y(value), f"{value:.{_digits(ticks)}f}") for value in ticks)
    times = tuple((x(at), words) for at, words in _times(begin, end, most=max(2, int((right - left) / 62))))
    return Chart(
        width, round(bottom + 34), left, round(right, 1), top, bottom, tuple(lines), values, times, y(pass_mark)
    )


def _short(team: str, room: int) -> str:
    return team if len(team) <= room else f"{team[: room - 1].rstrip()}…"


def _corners(points: Sequence[tuple[float, float]], end: float) -> str:
    """A value holds until the next one: steps, not slopes."""
    corners = [points[0]]
    for (_, before), (x, after) in pairwise(points):
        corners += [(x, before), (x, after)]
    corners.append((end, points[-1][1]))
    return " ".join(f"{x:g},{y:g}" for x, y in corners)


def _apart(ends: Mapping[str, float], top: float, bottom: float) -> dict[str, float]:
    """Labels near the ends of their lines that do not cover each other."""
    placed: dict[str, float] = {}
    below = top - _ROW
    for team, wanted in sorted(ends.items(), key=lambda item: item[1]):
        below = placed[team] = max(wanted, below + _ROW)
    above = bottom + _ROW
    for team in reversed(placed):
        above = placed[team] = round(min(placed[team], above - _ROW), 1)
    return placed


def _values(shown: Sequence[float], pass_mark: float) -> tuple[float, float, list[float]]:
    """Ends of the axis, and three to seven whole steps on it."""
    low, high = min(*shown, pass_mark), max(*shown, pass_mark)
    step = next(step for step in _STEPS if (high - low) / step <= 5 or step == _STEPS[-1])
    step = max(step, 0.01)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    first, last = (first - 1 if first * step > 0 and first == last else first), (last if last > first else last + 1)
    ticks = [round(step * place, 6) for place in range(first, last + 1) if -1e-9 <= step * place <= 1 + 1e-9]
    return ticks[0], ticks[-1], ticks


def _digits(ticks: Sequence[float]) -> int:
    return 1 if all(abs(10 * value - round(10 * value)) < 1e-6 for value in ticks) else 2


def _times(begin: datetime, end: datetime, most: int) -> list[tuple[datetime, str]]:
    """Whole moments on the axis, with their words: days, or hours where it is short."""
    least = timedelta(days=1 if end - begin > timedelta(days=2) else 0)
    span = next((span for span in _SPANS if span >= least and (end - begin) / span <= most), _SPANS[-1])
    day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    first = day + math.ceil((begin - day) / span) * span
    found: list[tuple[datetime, str]] = []
    while first <= end and len(found) <= most:
        found.append((first, f"{first.day} {first:%b}" if span >= timedelta(days=1) else f"{first:%H:%M}"))
        first += span
    return found
