"""`flawscope challenge demo`: a running site with a challenge of synthetic solar cells, an organiser and two teams."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flawscope.challenge.bounds import bounds_of
from flawscope.challenge.labels import IMAGES, LABELS, Labels, read_labels
from flawscope.challenge.receive import incoming
from flawscope.challenge.spec import Challenge
from flawscope.data.synthetic_cells import SIDE, TABLE, draw_cells
from flawscope.errors import SandboxError
from flawscope.site.hosted import opened
from flawscope.site.settings import Settings
from flawscope.site.submissions import Submissions
from flawscope.steps.challenge_judge import challenge_judge
from flawscope.steps.challenge_new import challenge_new
from flawscope.steps.challenge_serve import challenge_serve
from flawscope.steps.demo_networks import fitted
from flawscope.steps.pack import pack
from flawscope.storage import check_replaceable, check_writable, write_text

NAME = "solar"
MODULES = 60
DAYS = 30
MARK = "demo.txt"
ORGANISER = "Olga"
TEAMS = {"Sunrise": ("Ada", "Bob"), "Volt & Sons": ("Cem", "Dua")}
Say = Callable[[str], None]


def challenge_demo(
    folder: str | Path = "runs/challenge-demo", *, port: int = 8000, serve: bool = True, say: Say = lambda words: None
) -> Path:
    """Make a challenge, people, two teams and their submissions, judge them, and serve the site until it is stopped.

    Args:
        folder: where all of it lies; a demonstration that is there is replaced.
        port: of the site, on this machine alone; 0 takes any that is free.
        serve: whether to serve it in the end.
        say: is told in words what goes on.

    Returns:
        The folder of the challenge.

    Raises:
        OutputError: the folder is something else.
        UserError: the port cannot be listened on.
    """
    place = Path(folder)
    check_replaceable(place, True, kind="a demonstration", ours=lambda found: (found / MARK).is_file())
    check_writable(place)
    shutil.rmtree(place, ignore_errors=True)
    write_text(place / MARK, "Made by `flawscope challenge demo`, which replaces it.\n")
    say(f"drawing {MODULES} modules of solar cells, and making a challenge of them")
    draw_cells(place / "cells", MODULES, seed=1)
    made = challenge_new(
        place / "cells" / TABLE,
        place / NAME,
        deadline=(datetime.now(UTC) + timedelta(days=DAYS)).isoformat(timespec="seconds"),
        title="Cracks and inactive regions of solar cells",
        licence="drawn by flawscope: free for any use",
        pass_mark=0.7,
        group_column="module",
        seed=1,
    )
    password = _inhabited(made.folder, made.challenge, place)
    try:
        challenge_judge(made.folder, say=say)
    except SandboxError as error:
        say(f"THE SUBMISSIONS WAIT, AND THE BOARD IS EMPTY: {error.problem}; {error.remedy}")
    people = "; ".join(f"{' and '.join(names)} ({team})" for team, names in TEAMS.items())
    say(f"log in as {ORGANISER} (the organiser), {people}; the password of all is {password}")
    if serve:
        challenge_serve([made.folder], port=port, say=say)
    return made.folder


def _inhabited(folder: Path, challenge: Challenge, place: Path) -> str:
    """Let people sign up, make teams and hand in; returns everybody's password."""
    site = opened(Settings(challenges=(folder,)))
    hosted, password = site.hosted[challenge.name], secrets.token_urlsafe(9)
    code = site.people.new_setup_code()
    assert code  # nobody has been here before
    site.people.set_up(code, ORGANISER, password, site.now())
    handed_out = folder / "handout" / "data"
    labels = read_labels(handed_out / LABELS, challenge.task)
    for (team, names), lines in zip(TEAMS.items(), (False, True), strict=True):
        captain, other = (site.people.sign_up(name, password, site.now()) for name in names)
        invited = hosted.members.create(captain, team, site.now())
        hosted.members.join(other, invited.code, site.now(), challenge.deadline)
        bundle = _bundle(place / f"{names[0]}.onnx", labels, handed_out, challenge, lines=lines)
        with bundle.open("rb") as stream, incoming(folder, bounds_of(challenge.limits, 1)) as coming:
            coming.write(stream.read())
            Submissions(site.database, hosted).hand_in(
                captain, coming, site.now(), note="fields and lines" if lines else "fields", file_name=bundle.name
            )
    site.database.engine.dispose()
    return password


def _bundle(target: Path, labels: Labels, handed_out: Path, challenge: Challenge, *, lines: bool) -> Path:
    """Train on what was handed out, as participants do, and pack it."""
    fitted(target, labels, handed_out / IMAGES, SIDE, lines=lines)
    return pack(
        target, preprocess="0..1", classes=challenge.classes, task=challenge.kind, negative=challenge.negative
    ).bundle
