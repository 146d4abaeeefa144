"""Where things stand in the pictures of a board."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawscope.site.boards import Move
from flawscope.site.pictures import SHOWN_TEAMS, Chart, Scale, chart_of

START = datetime(2027, 1, 1, tzinfo=UTC)


def drawn(
    values: list[list[float]], own: str | None = None, *, hours: float = 24, width: int = 350, pass_mark: float = 0.6
) -> Chart:
    tracks = {
        f"team {i}": [Move(START + timedelta(hours=hours * j / len(row)), value) for j, value in enumerate(row)]
        for i, row in enumerate(values)
    }
    chart = chart_of(
        tracks, list(tracks), own, begin=START, end=START + timedelta(hours=hours), pass_mark=pass_mark, width=width
    )
    assert chart
    return chart


def test_a_scale_puts_its_ends_at_the_edges() -> None:
    scale = Scale(0.4, 0.9, width=180, edge=7)
    assert (scale.x(0.4), scale.x(0.9), scale.x(0.65)) == (7, 173, 90)


def test_a_line_holds_its_value_until_the_next_one() -> None:
    (line,) = drawn([[0.5, 0.7]]).lines
    points = [tuple(map(float, point.split(","))) for point in line.points.split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert points[0][1] == points[1][1] > points[2][1] == points[3][1] == line.y
    assert points[1][0] == points[2][0] and points[3][0] == line.x


def test_the_first_ten_and_ones_own_are_drawn() -> None:
    values = [[0.9 - i / 100] for i in range(15)]
    assert len(drawn(values).lines) == SHOWN_TEAMS
    lines = drawn(values, "team 14").lines
    assert len(lines) == SHOWN_TEAMS + 1 and lines[-1].own and lines[-1].team == "team 14"
    assert len(drawn(values, "team 3").lines) == SHOWN_TEAMS


def test_nobody_is_no_picture() -> None:
    assert chart_of({}, [], None, begin=START, end=START, pass_mark=0.6, width=350) is None


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), min_size=1, max_size=15),
    st.floats(0, 1),
    st.sampled_from([0.0, 0.01, 1, 24, 1000, 20000]),
    st.sampled_from([350, 1040]),
)
def test_everything_stands_within_the_picture(
    values: list[list[float]], pass_mark: float, hours: float, width: int
) -> None:
    chart = drawn(values, hours=hours, width=width, pass_mark=pass_mark)
    labels = sorted(line.label_y for line in chart.lines)
    assert all(second - first >= 14.9 for first, second in pairwise(labels))
    for line in chart.lines:
        assert chart.top - 15 <= line.label_y <= chart.bottom + 1
        for point in line.points.split():
            x, y = map(float, point.split(","))
            assert chart.left - 0.1 <= x <= chart.right + 0.1 and chart.top - 0.1 <= y <= chart.bottom + 0.1
    assert chart.top - 0.1 <= chart.pass_y <= chart.bottom + 0.1
    assert 2 <= len(chart.values) <= 9
    assert all(chart.left - 0.1 <= x <= chart.right + 0.1 for x, _ in chart.times)


def test_the_axis_of_time_says_days_or_hours() -> None:
    assert "2 Jan" in [words for _, words in drawn([[0.5]], hours=72, width=1040).times]
    assert "06:00" in [words for _, words in drawn([[0.5]], hours=12, width=1040).times]
    assert drawn([[0.5]], hours=72).times[0][0] == pytest.approx(40)
