"""`flawscope challenge submit`: put a team's bundle into the queue of a challenge."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flawscope.challenge.admit import check_file
from flawscope.challenge.bounds import bounds_of
from flawscope.challenge.desk import Desk
from flawscope.challenge.spec import iso
from flawscope.challenge.standings import is_late
from flawscope.challenge.submitted import Submitted
from flawscope.challenge.worker import bundle_path
from flawscope.errors import UserError
from flawscope.storage import sha256_file, write_bytes

NAME_LENGTH = 100


@dataclass(frozen=True)
class Received:
    """A submission that is in the queue; `late`: after the deadline, so that it counts on the open board alone."""

    submitted: Submitted
    late: bool


def challenge_submit(
    challenge: str | Path,
    bundle: str | Path,
    team: str,
    *,
    store: str | None = None,
    at: datetime | None = None,
    ticket: str | None = None,
) -> Received:
    """Put a bundle into the queue of a challenge. Nothing of it is run here; only its outside is looked at.

    A bundle that is refused here is not submitted, and does not count among those of the day.

    Args:
        challenge: the folder of the challenge.
        bundle: the file.
        team: whose it is.
        store: URL of the database; by default a file in the folder.
        at: when it was received; by default now.
        ticket: the same one is the same submission, however often it is handed in.

    Raises:
        UserError: no challenge, not open yet, no name of a team, too many today, or submitted before.
        BundleError: the file is none that is taken.
        StoreError, OutputError: it cannot be stored, and is not submitted.
    """
    desk, moment, team = Desk.at(challenge, store), at or datetime.now(UTC), " ".join(team.split())
    if not team or len(team) > NAME_LENGTH or not team.isprintable():
        raise UserError(f"{team[:40]!r} is no name of a team", f"1 to {NAME_LENGTH} letters that can be read")
    if moment < desk.challenge.opens:
        raise UserError(f"{desk.challenge.title} opens at {iso(desk.challenge.opens)}", "submit then")
    path = Path(bundle)
    check_file(path, bounds_of(desk.challenge.limits, 1))
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    desk.store.check_submit(team, sha256, moment, desk.challenge.daily, ticket)  # what is refused is not kept
    kept = bundle_path(desk.folder, sha256)
    if not kept.is_file() or sha256_file(kept) != sha256:
        write_bytes(kept, content)
    submitted = desk.store.submit(team, sha256, moment, desk.challenge.daily, ticket)
    return Received(submitted, is_late(desk.challenge, submitted))
