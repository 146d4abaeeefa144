"""`flawscope challenge serve`: the site of one or several challenges, and a worker beside it for each."""

from __future__ import annotations

import ipaddress
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvicorn

from flawscope.challenge.database import place_of
from flawscope.challenge.sandbox import check_hidden, check_sandbox
from flawscope.errors import SandboxError, UserError, reason
from flawscope.site.app import create_app
from flawscope.site.hosted import Site
from flawscope.site.judges import Judges, command
from flawscope.site.settings import Settings


def challenge_serve(
    challenges: Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    store: str | None = None,
    worker: bool = True,
    proxy: str | None = None,
    public_boards: bool = True,
    say: Callable[[str], None] = lambda words: None,
) -> None:
    """Serve a site, with a worker for each challenge, until it is stopped (Ctrl-C, SIGTERM).

    Args:
        challenges: their folders.
        host: the address to listen on.
        port: 0 takes any that is free.
        store: URL of the database; by default a file in the folder, if there is one challenge.
        worker: judge here as well; without, `challenge_judge` must run elsewhere.
        proxy: the address of a reverse proxy: what it says of the browser is believed, and cookies travel by TLS only.
        public_boards: boards are for everybody, not only for who is logged in.
        say: is told in words what goes on.

    Raises:
        UserError: a folder is no challenge, or the address cannot be listened on.
        StoreError: the database cannot be reached.
        DataError: a challenge cannot be read.
    """
    unjudged = _why_unjudged() if worker else ""
    settings = Settings(
        challenges=tuple(map(Path, challenges)),
        database=store,
        secure_cookies=proxy is not None,
        public_boards=public_boards,
        unjudged=unjudged,
    )
    app = create_app(settings)
    site: Site = app.state.site
    if worker and not unjudged:
        for hosted in site.hosted.values():
            check_hidden(hosted.folder, *place_of(site.database.engine))
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(host, port))
        if worker and not unjudged:
            commands = {hosted.name: command(hosted.folder) for hosted in site.hosted.values()}
            stack.enter_context(Judges(commands, store, say))
        _tell(site, _address(host, listening.getsockname()[1]), proxy=proxy, loopback=_is_loopback(host), say=say)
        _serve(app, listening, proxy)


def _why_unjudged() -> str:
    try:
        check_sandbox()
    except SandboxError as error:
        return f"{error.problem}; {error.remedy}"
    return ""


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"{host}, port {port}, cannot be listened on: {reason(error)}", "choose another --port, or another --host"
        ) from None


def _tell(site: Site, address: str, *, proxy: str | None, loopback: bool, say: Callable[[str], None]) -> None:
    """Where the site is, and what its organiser must know."""
    say(f"serving {', '.join(site.hosted)} at {address}")
    if site.settings.unjudged:
        say(f"NOTHING WILL BE JUDGED HERE: {site.settings.unjudged}")
    if not loopback and proxy is None:
        say("passwords travel as they are typed: put a proxy with TLS before it, see --proxy")
    code = site.people.new_setup_code()
    if code:
        say(f"there is no organiser yet; this link makes the first one, once: {address}setup/{code}")
    say("stop it with Ctrl-C")


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _serve(app: Any, listening: socket.socket, proxy: str | None) -> None:
    """Until a signal comes; it ends the server first, and then returns here, so that the workers end as well."""
    config = uvicorn.Config(
        app,
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy or "",
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )
    old = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, old)
