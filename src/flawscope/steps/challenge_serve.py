"""`flawscope challenge serve`: the site of one or several challenges, and a worker beside it for each."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
    settings = Settings(
        challenges=tuple(map(Path, challenges)),
        database=store,
        secure_cookies=proxy is not None,
        public_boards=public_boards,
    )
    app = create_app(settings)
    site: Site = app.state.site
    if worker:
        site.trouble.update(_why_unjudged(site))
    with ExitStack() as stack:
        stack.enter_context(_stoppable())
        listening = stack.enter_context(_listening(host, port))
        _tell(site, _address(host, listening.getsockname()[1]), proxy=proxy, loopback=_is_loopback(host), say=say)
        if worker:
            commands = {
                hosted.name: command(hosted.folder)
                for hosted in site.hosted.values()
                if hosted.name not in site.trouble
            }
            stack.enter_context(Judges(commands, store=store, trouble=site.trouble, say=say))
        _serve(app, listening, proxy)


def _why_unjudged(site: Site) -> dict[str, str]:
    """Why challenges cannot be judged on this machine."""
    found = {}
    for hosted in site.hosted.values():
        try:
            check_hidden(hosted.folder, *place_of(site.database.engine))
            check_sandbox()
        except SandboxError as error:
            found[hosted.name] = f"{error.problem}; {error.remedy}"
    return found


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, and neither leaves it by an exception."""
    mine = threading.current_thread() is threading.main_thread()
    signals = (signal.SIGINT, signal.SIGTERM) if mine else ()
    old = {each: signal.signal(each, signal.default_int_handler) for each in signals}
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        for each, handler in old.items():
            signal.signal(each, handler)


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
    for name, problem in site.trouble.items():
        say(f"NOTHING OF {name} WILL BE JUDGED HERE: {problem}")
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
    """Until a signal comes."""
    config = uvicorn.Config(
        app,
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy or "",
        lifespan="off",  # there is nothing to begin or end; and who presses Ctrl-C twice sees no traceback
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=[listening])
