"""What a site is told when it starts. Nothing is read from the environment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


def _now() -> datetime:
    return datetime.now(UTC)


class Argon2(BaseModel):
    """What a password costs to try, in passes, KiB and lanes. Defaults: the second choice of RFC 9106, 64 MiB."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_cost: int = Field(default=3, ge=1)
    memory_cost: int = Field(default=65536, ge=8)
    parallelism: int = Field(default=4, ge=1)


class Settings(BaseModel):
    """Settings of a site.

    Limits of what is uploaded are those of each challenge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    challenges: tuple[Path, ...] = Field(min_length=1, description="folders of challenges")
    database: str | None = Field(default=None, description="its URL; by default a file in the only challenge's folder")
    secret: SecretStr | None = Field(default=None, description="what is signed with; by default kept in the database")
    secure_cookies: bool = Field(default=False, description="cookies travel by TLS only, and the browser is told so")
    session_hours: float = Field(default=168, gt=0, description="so long somebody stays logged in")
    argon2: Argon2 = Argon2()
    hashers: int = Field(default=4, ge=1, description="so many passwords are tried at once; each takes argon2's memory")
    patience: float = Field(default=10, ge=0, description="seconds for which a database that is away is asked again")
    public_boards: bool = Field(default=True, description="boards are for everybody, not only for who is logged in")
    clock: Callable[[], datetime] = Field(default=_now, description="what time it is")
