"""`flawscope challenge serve | demo`: the site, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flawscope.cli.terminal import say, step


def serve(
    challenges: Annotated[list[Path], typer.Argument(metavar="CHALLENGE...", help="the folders of the challenges")],
    host: Annotated[str, typer.Option(help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free")] = 8000,
    store: Annotated[
        str | None,
        typer.Option(
            "--database",
            "--store",
            metavar="URL",
            envvar="FLAWSCOPE_STORE",
            help="database; default: a file in the folder (SQLite), for one challenge",
        ),
    ] = None,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="judge here as well")] = True,
    proxy: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="of a reverse proxy with TLS, which says who the browser is")
    ] = None,
    public_boards: Annotated[
        bool, typer.Option("--public-boards/--boards-for-people", help="who sees the boards: all, or who is logged in")
    ] = True,
) -> None:
    """Serve the site of challenges: accounts, teams, submissions, boards; a worker judges beside it."""
    step(
        "challenge_serve", challenges, host=host, port=port, store=store, worker=worker, proxy=proxy,
        public_boards=public_boards, say=say,
    )  # fmt: skip


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="the folder; a demonstration there is replaced")
    ] = Path("runs/challenge-demo"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free")] = 8000,
) -> None:
    """Serve a challenge of drawn solar cells with an organiser and two teams, to look at and to try."""
    step("challenge_demo", output, port=port, say=say)


def register(app: typer.Typer) -> None:
    """Make these commands of `flawscope challenge`."""
    app.command()(serve)
    app.command()(demo)
