"""How often a log-in may fail: counted in the database, so that several servers share the count.

An attempt counts from its beginning, so that many at once are not more than one after the other.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from flawscope.site.database import Database, alone
from flawscope.site.refusals import TooManyError
from flawscope.site.tables import AttemptRow

WINDOW = timedelta(minutes=15)
OF_A_NAME, OF_AN_ADDRESS = 10, 200
"""A university has one address for a whole course, of whom some mistype at the same hour."""


class Attempts:
    """The failed log-ins of the last quarter of an hour."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, name: str, address: str, at: datetime) -> tuple[int, ...]:
        """Count an attempt as failed until it has `succeeded`. A name that nobody has is counted as well.

        Raises:
            TooManyError: too many have failed.
        """
        most = {_name(name): OF_A_NAME, _place(address): OF_AN_ADDRESS}

        def work(session: Session) -> tuple[int, ...]:
            alone(session, *most)
            session.execute(sa.delete(AttemptRow).where(AttemptRow.at <= at - WINDOW))
            for who, limit in most.items():
                newest = sa.select(AttemptRow.at).where(AttemptRow.who == who).order_by(AttemptRow.at.desc())
                times = session.scalars(newest.limit(limit)).all()
                if len(times) == limit:
                    seconds = math.ceil((times[-1] + WINDOW - at).total_seconds())
                    raise TooManyError(
                        "too many log-ins have failed", f"wait for {math.ceil(seconds / 60)} minutes", max(1, seconds)
                    )
            rows = [AttemptRow(who=who, at=at) for who in most]
            session.add_all(rows)
            session.flush()
            return tuple(row.id for row in rows)

        return self._database.change(work)

    def succeeded(self, attempt: Sequence[int]) -> None:
        """Take an attempt back."""
        self._database.change(lambda session: session.execute(sa.delete(AttemptRow).where(AttemptRow.id.in_(attempt))))


def _name(name: str) -> str:
    """Names are kept as hashes: people type passwords into the field of the name."""
    return f"name {hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _place(address: str) -> str:
    """An address; of the sixth version its network, of which one customer has all.

    >>> _place("192.0.2.7"), _place("2001:db8:1:2:3::4"), _place("::ffff:192.0.2.7"), _place("testclient")
    ('address 192.0.2.7', 'address 2001:db8:1:2::/64', 'address 192.0.2.7', 'address testclient')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return f"address {address[:60]}"
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if isinstance(found, ipaddress.IPv6Address):
        return f"address {ipaddress.ip_network((found, 64), strict=False)}"
    return f"address {found}"
