"""What surrounds every answer: bounds on what is sent to us, and what browsers are told to refuse."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALL_BODY = 64 * 1024
"""Bytes of a form, or of a call of the API."""
POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SECURE = {"Strict-Transport-Security": "max-age=31536000"}


class Guard:
    """Adds these headers, leads to no other host, and refuses a body that is longer than `limit` allows (413)."""

    def __init__(self, app: ASGIApp, *, limit: Callable[[Scope], int], secure: bool) -> None:
        self._app, self._limit = app, limit
        self._headers = {**HEADERS, **(SECURE if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, received = self._limit(scope), 0
        bare = scope["method"] == "HEAD"
        if bare:  # as GET, without the body (RFC 9110, 9.3.2): supervisors and previews of links ask so
            scope = {**scope, "method": "GET"}
        declared = dict(scope["headers"]).get(b"content-length", b"")

        async def bounded() -> Message:
            nonlocal received
            if declared.isdigit() and int(declared) > limit:
                raise _too_large(limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        async def headed(message: Message) -> None:
            if bare and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if "location" in headers:
                    headers["location"] = _here(headers["location"])
            await send(message)

        await self._app(scope, bounded, headed)


def _here(address: str) -> str:
    """An address that is led to, without the host: that is what the request said it is, and may be anybody's.

    >>> _here("http://evil.example/c/cells?x=1"), _here("/login?next=/c/cells")
    ('/c/cells?x=1', '/login?next=/c/cells')
    """
    place = urlsplit(address)
    return urlunsplit(("", "", f"/{place.path.lstrip('/')}", place.query, place.fragment))


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"more than {limit:,} bytes were sent")
