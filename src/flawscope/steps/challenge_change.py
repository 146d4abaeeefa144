"""`flawscope challenge change`: another deadline, who is out of the ranking, which submission stands for a team."""

from __future__ import annotations

from pathlib import Path

from flawscope.challenge.contest import change_contest, choose, disqualify, teams_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.spec import moment
from flawscope.challenge.submitted import Contest, Team
from flawscope.errors import UserError


def challenge_change(
    challenge: str | Path,
    *,
    store: str | None = None,
    deadline: str | None = None,
    goes_on: bool | None = None,
    team: str | None = None,
    disqualified: str | None = None,
    reinstated: bool = False,
    chosen: int | None = None,
) -> tuple[Contest, list[Team]]:
    """Change what an organiser may change in a challenge that runs; nothing that was received is lost by it.

    Args:
        challenge: the folder of the challenge.
        store: URL of the database; by default a file in the folder.
        deadline: a later one, or an earlier: what came after it is late.
        goes_on: whether a site takes submissions after the deadline.
        team: the team that the next three speak of.
        disqualified: why it is out of the ranking; shown under every board.
        reinstated: it is in the ranking again.
        chosen: the number of the submission that stands for it; 0: the best one.

    Returns:
        What was changed so far, and the teams.

    Raises:
        UserError: no challenge, no such team or submission, or an option means nothing.
        StoreError: the store cannot be reached.
    """
    if team is None and (disqualified is not None or reinstated or chosen is not None):
        raise UserError("no team is named", "name it: --team NAME")
    if disqualified is not None and (reinstated or not disqualified.strip()):
        raise UserError("a team is disqualified with a reason, or reinstated", 'write --disqualify "the reason"')
    desk = Desk.at(challenge, store)
    until = None if deadline is None else moment(deadline, "--deadline", last=True)
    if team is not None:
        if disqualified is not None or reinstated:
            disqualify(desk.store, team, disqualified or "")
        if chosen is not None:
            choose(desk.store, team, chosen or None)
    contest = desk.contest
    if until is not None or goes_on is not None:
        contest = change_contest(desk.store, desk.made, deadline=until, goes_on=goes_on)
    return contest, teams_of(desk.store)
