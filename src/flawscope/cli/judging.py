"""`flawscope challenge submit | judge | board | change | export`: the judge, from the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from flawscope.challenge.spec import iso
from flawscope.challenge.submitted import Received
from flawscope.cli.terminal import console, say, shell, step
from flawscope.errors import UserError

Folder = Annotated[Path, typer.Argument(metavar="CHALLENGE", help="the folder of the challenge")]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", envvar="FLAWSCOPE_STORE", help="database; default: a file in the folder (SQLite)"
    ),
]


def submit(
    places: Annotated[
        list[Path], typer.Argument(metavar="[CHALLENGE] BUNDLE", help="a folder, unless there is --url; NAME.flawscope")
    ],
    team: Annotated[str | None, typer.Option(help="whose it is, in a challenge here")] = None,
    store: StoreUrl = None,
    url: Annotated[str | None, typer.Option(help="of a site: https://HOST, or of a challenge's page there")] = None,
    name: Annotated[
        str | None, typer.Option("--challenge", metavar="NAME", help="on the site, if it has several")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="FLAWSCOPE_TOKEN", help="from the page of your account on the site")
    ] = None,
    note: Annotated[str, typer.Option(help="for your team, to know it again; on a site")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="until it is judged; on a site")] = False,
) -> None:
    """Put a bundle into the queue: of a challenge here (then comes `judge`), or of a site."""
    if len(places) != (1 if url else 2):
        expected = "one BUNDLE beside --url" if url else "CHALLENGE BUNDLE, or BUNDLE --url https://..."
        raise UserError(f"got {', '.join(map(str, places))}; expected {expected}", "see --help")
    if url:
        made = step("challenge_submit", name, places[0], team, store=_typed(store, "FLAWSCOPE_STORE"), url=url,
                    token=token, note=note, wait=wait, say=say)  # fmt: skip
    elif name:
        raise UserError("--challenge is the name of one on a site", "name the site: --url https://...")
    else:
        made = step("challenge_submit", places[0], places[1], team, store=store, note=note, wait=wait,
                    token=_typed(token, "FLAWSCOPE_TOKEN"))  # fmt: skip
    found = made.submitted
    late = "; after the deadline: it does not count for the final board" if made.late else ""
    say(f"submission {found.number} of team {found.team} {_state(made)}{late}")
    if not url:
        say(f"next: flawscope challenge judge {shell(places[0])}")


def _state(made: Received) -> str:
    """How a submission stands, in words."""
    if made.submitted.state == "judged":
        return f"is judged: the board {'stays as it is' if made.score is None else f'shows {made.score:g} since'}"
    ahead = f", {made.ahead} before it" if made.ahead else ""
    return f"is {made.submitted.state}{ahead}{f': {made.submitted.reason}' if made.submitted.reason else ''}"


def _typed(value: str | None, variable: str) -> str | None:
    """What was typed, and not taken from the environment, where it stands for other commands."""
    return None if value == os.environ.get(variable) else value


def judge(
    challenge: Folder,
    store: StoreUrl = None,
    watch: Annotated[bool, typer.Option("--watch", help="go on, and wait for more, until it is stopped")] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(metavar="NUMBER|stuck", help="judge a refused one again, or all that were given up; repeatable"),
    ] = None,
    lease: Annotated[
        float, typer.Option(min=10, metavar="SECONDS", help="until another takes over what a vanished worker held")
    ] = 60.0,
) -> None:
    """Judge what waits, each bundle in a sandbox of its own. Any number of these may run at once."""
    ended = step("challenge_judge", challenge, store=store, watch=watch, again=again or (), lease=lease, say=say)
    words = ", ".join(f"{number} {word}" for word, number in ended.items())
    say(words or "nothing waits")
    say(f"next: flawscope challenge board {shell(challenge)}")


def board(
    challenge: Folder,
    store: StoreUrl = None,
    final: Annotated[bool, typer.Option("--final", help="the board that decides, after the deadline")] = False,
    classes: Annotated[bool, typer.Option("--classes", help="also the measures of each class, entry by entry")] = False,
) -> None:
    """Show who stands where: along the way, or at the end."""
    made = step("challenge_board", challenge, store=store, final=final, classes=classes)
    kind = "final board" if final else "board"
    say(f"{made.challenge.title}: {kind}, {made.challenge.metric}, pass mark {made.challenge.pass_mark:g}")
    if made.lines:
        console.print(standings(made))
    else:
        say("no submission is judged yet")
    for title, table in class_tables(made):
        say(f"\n{title}")
        console.print(table)
    for note in made.notes:
        say(f"note: {note}")
    if made.classes and not final:
        say("note: measures of classes are exact, they tell more than the ladder lets through: for the organiser")
    states = ", ".join(f"{number} {state}" for state, number in made.states.items())
    say(f"submissions: {states or 'none'}")


def export(
    challenge: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", help="the folder to write")],
    store: StoreUrl = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what is there")] = False,
) -> None:
    """Write boards, submissions and all measures as tables and JSON. For the organiser: private scores are in it."""
    say(f"wrote {step('challenge_export', challenge, output, store=store, overwrite=overwrite)}")


def change(
    challenge: Folder,
    store: StoreUrl = None,
    deadline: Annotated[str | None, typer.Option(help="another one; what came after it is late")] = None,
    goes_on: Annotated[
        bool | None, typer.Option("--goes-on/--ends", help="whether a site takes submissions after the deadline")
    ] = None,
    team: Annotated[str | None, typer.Option(help="whom the next three are about")] = None,
    disqualify: Annotated[str | None, typer.Option(metavar="REASON", help="out of the ranking; it is shown")] = None,
    reinstate: Annotated[bool, typer.Option("--reinstate", help="in the ranking again")] = False,
    choose: Annotated[
        int | None, typer.Option(min=0, metavar="NUMBER", help="this submission stands for it; 0: the best one")
    ] = None,
) -> None:
    """Change a challenge that runs: its deadline, who is out, which submission stands for a team."""
    contest, teams = step(
        "challenge_change", challenge, store=store, deadline=deadline, goes_on=goes_on, team=team,
        disqualified=disqualify, reinstated=reinstate, chosen=choose,
    )  # fmt: skip
    say(f"deadline: {iso(contest.deadline) if contest.deadline else 'as it was made'}")
    say(f"after it: {'submissions are taken' if contest.goes_on else 'a site takes none'}")
    for each in teams:
        words = [f"disqualified: {each.disqualified}"] if each.disqualified else []
        words += [f"submission {each.chosen} stands for it"] if each.chosen else []
        if words:
            say(f"team {each.name}: {'; '.join(words)}")


def standings(made: Any) -> Table:
    """The lines of a board."""
    table = Table(box=None, pad_edge=False)
    for name in ("rank", "team", "score", "95 %", "passed", "shift", "submissions"):
        table.add_column(name, justify="left" if name in ("team", "passed") else "right")
    for line in made.lines:
        passed = "surely" if line.surely else "yes" if line.passed else "no"
        table.add_row(
            f"{line.rank if line.rank == line.worst else f'{line.rank} to {line.worst}'}{' =' if line.shared else ''}",
            Text(f"{line.team}{' (late)' if line.late else ''}"),  # a stranger's words: no markup
            f"{line.value:.3f}",
            f"{line.low:.3f} to {line.high:.3f}",
            passed,
            f"{line.shift.value:+.3f}" if line.shift else "",
            f"{line.submissions:,}",
        )
    if not made.final:
        table.columns = [column for column in table.columns if column.header != "shift"]
    return table


def class_tables(made: Any) -> Iterator[tuple[str, Table]]:
    """For each entry the measures of its classes, each with its 95 % interval below it."""
    for number, lines in groupby(made.classes, key=lambda line: line.number):
        rows = list(lines)
        table = Table(box=None, pad_edge=False)
        table.add_column("class")
        for name in rows[0].measures:
            table.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(Text(row.name), *map(_cell, row.measures.values()))
        yield f"{rows[0].team}, submission {number}", table


def _cell(found: Mapping[str, Any] | None) -> str:
    return f"{found['value']:.3f}\n{found['low']:.2f} to {found['high']:.2f}" if found else "-"


def register(app: typer.Typer) -> None:
    """Make these commands of `flawscope challenge`."""
    for command in (submit, judge, board, change, export):
        app.command()(command)
