"""Passwords: what is taken for one, and trying them at a cost that does not depend on whether the name is known."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flawscope.errors import UserError
from flawscope.site.refusals import BusyError
from flawscope.site.settings import Argon2

SHORTEST, LONGEST = 10, 200
WAIT_SECONDS = 20.0


class Passwords:
    """Makes and tries hashes by argon2id, so many at once: each takes memory, and many at once would take all of it."""

    def __init__(self, cost: Argon2, at_once: int) -> None:
        self._hasher = PasswordHasher(**cost.model_dump())
        self._free = threading.BoundedSemaphore(at_once)
        self._nobody = self._hasher.hash("the password of nobody")

    def made(self, password: str, name: str = "") -> str:
        """The hash of a new password.

        Raises:
            UserError: it is too short, too long, or the name.
            BusyError: too many others are tried at this moment.
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise UserError(
                f"the password has {len(password)} characters; expected {SHORTEST} to {LONGEST}",
                "a few words that do not belong together are good, and easy to remember",
            )
        if name and password.casefold() == name.casefold():
            raise UserError("the password is the name", "choose another one")
        with self._turn():
            return self._hasher.hash(_plain(password))

    def fits(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one of a hash. Without a hash (no such person) it takes as long, and is never.

        Raises:
            BusyError: too many others are tried at this moment.
        """
        with self._turn():
            try:
                return self._hasher.verify(stored or self._nobody, _plain(password[:LONGEST])) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, stored: str) -> bool:
        """Whether a hash was made at another cost."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise BusyError("too many people log in at this moment", "try again in a minute", 60)
        try:
            yield
        finally:
            self._free.release()


def _plain(password: str) -> bytes:
    """The same characters give the same bytes, however a keyboard makes them."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
