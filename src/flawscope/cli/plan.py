"""`flawscope plan`: its options, and what it prints: sentences and a table, made from the numbers of plan.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from flawscope.cli.terminal import console, say, step
from flawscope.errors import UserError

VERDICTS = {"yes": "yes", "depends": "perhaps", "no": "too few", "": ""}


def plan(
    data: Annotated[
        str | None, typer.Argument(help='a recipe, class folders, a table, or "elpv"; none: counts alone')
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="a .json file; with --learning-curve a folder")
    ] = None,
    max_escape: Annotated[float | None, typer.Option(help="promise: at most this share of defects passes")] = None,
    confidence: Annotated[float, typer.Option(help="of the promise or the interval")] = 0.95,
    escapes: Annotated[int, typer.Option(help="so many parts of the calibration part may pass")] = 0,
    expected_escape: Annotated[float | None, typer.Option(help="the share that truly passes, if known")] = None,
    power: Annotated[float, typer.Option(help="with --expected-escape: chance that the promise can be made")] = 0.8,
    groups_of: Annotated[float, typer.Option(help="so many parts belong together")] = 1.0,
    correlation: Annotated[float | None, typer.Option(help="of parts of a group: 0 none, 1 as one part")] = None,
    prevalence: Annotated[float | None, typer.Option(help="share of defective parts among labelled ones")] = None,
    measure: Annotated[
        str | None, typer.Option(help="recall | escape | specificity | overkill | accuracy | precision")
    ] = None,
    value: Annotated[float | None, typer.Option(help="its value, as far as is known; default: 0.95")] = None,
    half_width: Annotated[float | None, typer.Option(help="half the width that its interval may have")] = None,
    learning_curve: Annotated[
        bool, typer.Option("--learning-curve", help="train the recipe on ever more images and extrapolate")
    ] = False,
    fractions: Annotated[
        str, typer.Option(metavar="F,F,...", help="of the training part, for the curve")
    ] = "0.125,0.25,0.5,1",
    repeats: Annotated[int, typer.Option(help="trainings of each fraction")] = 3,
    reach: Annotated[float | None, typer.Option(help="how many images bring the measure to this value?")] = None,
    images: Annotated[Path | None, typer.Option(help="folder of the table's images, if they lie elsewhere")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a key: train.epochs=3")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what is there")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the learning curve that is there")] = False,
) -> None:
    """Say how many images are needed: for a promise, for an interval, or to get better."""
    made = step(
        "plan", data, output, max_escape=max_escape, confidence=confidence, escapes=escapes,
        expected_escape=expected_escape, power=power, groups_of=groups_of, correlation=correlation,
        prevalence=prevalence, measure=measure, value=value, half_width=half_width, learning_curve=learning_curve,
        fractions=shares(fractions), repeats=repeats, reach=reach, images=images, overrides=overrides or (),
        overwrite=overwrite, resume=resume, say=say,
    )  # fmt: skip
    if made.page is not None:
        for sentence in made.document["sentences"]:
            say(sentence)
        for words in made.document["notes"]:
            say(f"note: {words}")
        say(f"page  {made.page}")
        return
    for sentence in sentences(made.document):
        say(sentence)
    if made.document["data"]:
        console.print(classes_table(made.document))
    for words in made.document["notes"]:
        say(f"note: {words}")
    if output:
        say(f"wrote {output}")


def shares(text: str) -> tuple[float, ...]:
    """Numbers from text.

    >>> shares("0.25, 0.5,1")
    (0.25, 0.5, 1.0)

    Raises:
        UserError: one of them is none.
    """
    try:
        return tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise UserError(f"--fractions {text}: expected numbers", "for example --fractions 0.125,0.25,0.5,1") from None


def sentences(document: Mapping[str, Any]) -> Iterator[str]:
    """The counts in words."""
    found = document["data"]
    if document["promise"]:
        yield from _promise(document["promise"], document["asked"])
    if document["interval"]:
        yield from _interval(document["interval"], document["asked"])
    if found:
        share = "" if found["prevalence"] is None else f", {percent(found['prevalence'])} of them defective"
        yield f"{found['name']}: {found['images']:,} images{share}."


def _promise(promise: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    allowed = "none of which passes" if not promise["escapes"] else f"of which at most {promise['escapes']:,} pass"
    yield (
        f"The promise: with {percent(promise['confidence'])} confidence at most {percent(promise['max_escape'])} "
        "of the defective parts pass."
    )
    yield f"It needs {promise['independent']:,} independent defective parts in the calibration part, {allowed}."
    if promise["power"]:
        power = promise["power"]
        yield (
            f"If truly {percent(power['expected_escape'])} pass, it can then be made with a probability of "
            f"{percent(power['reached'])} (asked for: {percent(power['wanted'])})."
        )
    if promise["ladder"]:
        steps = ", ".join(f"{row['escapes']} of {row['independent']:,}" for row in promise["ladder"][1:])
        yield f"If some may pass: {steps}."
    yield from _grouped(promise, asked, "defective parts")
    yield from _in_all(promise, "calibration", "defective parts")


def _interval(interval: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    of, points = interval["of"], 100 * interval["half_width"]
    yield (
        f"The interval: {interval['measure']} of {percent(interval['value'])}, known to {points:g} points to either "
        f"side, with {percent(interval['confidence'])} confidence."
    )
    yield f"It needs {interval['independent']:,} independent {of} in the test part."
    yield from _grouped(interval, asked, of)
    yield from _in_all(interval, "test", of)


def _grouped(found: Mapping[str, Any], asked: Mapping[str, Any], of: str) -> Iterator[str]:
    if found["effect"] > 1:
        yield (
            f"In groups of {asked['groups_of']:g}, correlated by {asked['correlation']:g}: {found['parts']:,} {of} in "
            f"{found['groups']:,} groups ({found['effect']:.3g} of them are worth 1 independent one)."
        )


def _in_all(found: Mapping[str, Any], part: str, of: str) -> Iterator[str]:
    if found["in_all"] is None:
        yield f"How many images that is in all hangs on how many are {of.removeprefix('parts ')}: not known before."
        return
    every, prevalence = found["in_all"], found["prevalence"]
    words = f"Where {percent(found['share'])} of all parts go to the {part} part: {every['counted']:,} {of} in all"
    if of == "parts":
        yield f"{words}."
    elif prevalence is None:
        yield f"{words}. How many images that is: --prevalence."
    else:
        yield f"{words}; if {percent(prevalence)} of the labelled parts are such, {every['parts']:,} labelled images."


def classes_table(document: Mapping[str, Any]) -> Table:
    """What each class supports, narrow enough for 80 columns."""
    asked = document["asked"]
    wanted = asked["max_escape"] is not None
    table = Table(show_lines=False)
    table.add_column("class")
    names = ["images\n(groups)", "in the\ncalibration", f"best promise\n({percent(asked['confidence'])})"]
    for name in [*names, f"at most\n{percent(asked['max_escape'])}?", "more\nneeded"] if wanted else names:
        table.add_column(name, justify="right", no_wrap=True)
    for row in document["data"]["classes"]:
        ways = row["support"]
        chosen = [ways["effective"]] if "effective" in ways else [ways["images"], ways["groups"]]
        cells = [
            f"{row['images']:,} ({row['groups']:,})",
            f"{row['calibration_images']:,} ({row['calibration_groups']:,})",
            _range([percent(each["best"]) if each["best"] < 1 else "none" for each in chosen]),
        ]
        if wanted:
            parts, *groups = [f"{each['lacking_in_all']:,}" for each in chosen]
            lacking = parts if groups in ([], [parts]) else f"{parts} to\n{groups[0]} groups"
            cells += [VERDICTS[row["verdict"]], lacking]
        table.add_row(escape(row["name"]), *cells)
    return table


def _range(words: list[str]) -> str:
    """Both ends in percent, or the one that they are.

    >>> _range(["1.8 %", "5 %"]), _range(["1 %", "1 %"])
    ('1.8 to 5 %', '1 %')
    """
    first, last = words[0], words[-1]
    return first if first == last else f"{first.removesuffix(' %') if last.endswith(' %') else first} to {last}"


def percent(share: float) -> str:
    """A share in percent, with three digits at most.

    >>> percent(0.01), percent(0.0181), percent(0.95), percent(0.1234)
    ('1 %', '1.81 %', '95 %', '12.3 %')
    """
    return f"{100 * share:.3g} %"
