"""`flawscope challenge submit`: put a bundle into the queue of a challenge, of a folder here or of a site elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flawscope.challenge.submitted import TEAM_NAME_LENGTH, Received
from flawscope.errors import UserError
from flawscope.wording import said


def challenge_submit(
    challenge: str | Path | None,
    bundle: str | Path,
    team: str | None = None,
    *,
    store: str | None = None,
    at: datetime | None = None,
    ticket: str | None = None,
    url: str | None = None,
    token: str | None = None,
    note: str = "",
    wait: bool = False,
    say: Callable[[str], None] = lambda words: None,
) -> Received:
    """Put a bundle into the queue of a challenge. Nothing of it is run here; only its outside is looked at.

    A bundle that is refused here is not submitted, and does not count among those of the day. With `url` it goes to a
    site, for the team of whose token it is.

    Args:
        challenge: the folder of the challenge; on a site its name, or None where there is only one.
        bundle: the file.
        team: whose it is; not with `url`.
        store: URL of the database; by default a file in the folder.
        at: when it was received; by default now.
        ticket: the same one is the same submission, however often it is handed in.
        url: the address of a site.
        token: of whoever submits there.
        note: for the team to know it again; on a site alone.
        wait: until it is judged, and fail where it is refused; on a site alone.
        say: is told in words what goes on.

    Raises:
        UserError: no challenge, not open, no name of a team, too many today, or submitted before; of a site: it cannot
            be reached, or refuses it.
        BundleError: the file is none that is taken.
        StoreError, OutputError: it cannot be stored, and is not submitted.
    """
    if url is not None:
        if team is not None or store is not None:
            raise UserError("--team and --store are for a challenge here", "a site knows your team by your token")
        return _to_site(url, token, challenge, Path(bundle), note=note, wait=wait, say=say)
    if challenge is None or team is None:
        raise UserError(
            "it is not said where the bundle goes",
            "a challenge here: CHALLENGE BUNDLE --team NAME; a site: BUNDLE --url https://... (FLAWSCOPE_TOKEN)",
        )
    if note or wait or token:
        raise UserError("a note, a token and waiting are for a site", "name it: --url https://...")
    from flawscope.challenge.desk import Desk  # who submits to a site needs no database
    from flawscope.challenge.receive import receive_file
    from flawscope.challenge.standings import is_late

    desk, moment, name = Desk.at(challenge, store), at or datetime.now(UTC), " ".join(team.split())
    if not name or len(name) > TEAM_NAME_LENGTH or not name.isprintable():
        raise UserError(f"{name[:40]!r} is no name of a team", f"1 to {TEAM_NAME_LENGTH} letters that can be read")
    if moment < desk.challenge.opens:
        raise UserError(f"{desk.challenge.title} opens on {said(desk.challenge.opens)}", "submit then")
    submitted = receive_file(desk, Path(bundle), name, moment, ticket=ticket)
    return Received(submitted, is_late(desk.challenge, submitted))


def _to_site(
    url: str,
    token: str | None,
    challenge: str | Path | None,
    bundle: Path,
    *,
    note: str,
    wait: bool,
    say: Callable[[str], None],
) -> Received:
    from flawscope.challenge.remote import Remote, hand_in, waited

    if not token:
        raise UserError(
            "a site takes submissions with a token",
            "make one on the page of your account there; then: export FLAWSCOPE_TOKEN=fsc_...",
        )
    site = Remote.at(url, token, str(challenge) if challenge else None, say)
    given = hand_in(site, bundle, note)
    return waited(site, given, say) if wait else given
