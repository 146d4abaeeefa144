"""What the browser brings back is signed, so that nobody makes it up: cookies, and the token in each form."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flawscope.site.database import Database
from flawscope.site.tables import SecretRow

SIGNING = "signing"


class Signing:
    """Signs with one key; what is signed for one purpose is good for no other."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def signed(self, content: Any, purpose: str) -> str:
        """Plain data as text that can be a cookie."""
        return self._serializer(purpose).dumps(content)

    def opened(self, text: str, purpose: str, seconds: float | None = None) -> Any:
        """What was signed for this purpose, in the last so many seconds; None if it was not.

        >>> here = Signing("x")
        >>> here.opened(here.signed(["a"], "flash"), "flash"), here.opened(here.signed("a", "flash"), "session")
        (['a'], None)
        """
        try:
            return self._serializer(purpose).loads(text, max_age=None if seconds is None else int(seconds))
        except BadData:
            return None

    def token(self, number: str) -> str:
        """What every form of a session holds: only who reads the pages of this session knows it."""
        return hmac.new(self._secret.encode(), f"form {number}".encode(), hashlib.sha256).hexdigest()

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"flawscope {purpose}")


def secret_sha256(secret: str) -> str:
    """What the database keeps of an id or a token that only its owner has: its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()


def kept_secret(database: Database) -> str:
    """The key that this database keeps; the first one who asks makes it."""
    made = secrets.token_hex(32)

    def work(session: Session) -> str:
        row = session.get(SecretRow, SIGNING)
        if row is None:
            row = SecretRow(name=SIGNING, value=made)
            session.add(row)
            session.flush()
        return row.value

    try:
        return database.change(work)
    except IntegrityError:  # another server has made it in this moment
        return database.change(work)
