"""`flawscope plan`: its options, and what it prints: sentences and a table, made from the numbers of plan.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from flawscope.cli.terminal import console, numeric, say, step
from flawscope.errors import UserError
from flawscope.wording import EXACT, counted, percent, percent_up, so_many_of

LEAST, CLOSE = 1e-4, 0.02
"""Shares below the first are said as so many of so many; ends that differ by less than the second are one number."""
VERDICTS = {"yes": "yes", "depends": "not by\ngroups", "no": "too few", "": ""}


def plan(
    data: Annotated[
        str | None, typer.Argument(help='a recipe, run, class folders, a table, or "elpv"; none: counts alone')
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="a .json file; with --learning-curve a folder")
    ] = None,
    max_escape: Annotated[float | None, numeric(help="promise: at most this share of defects passes")] = None,
    confidence: Annotated[float, numeric(help="of the promise or the interval")] = 0.95,
    escapes: Annotated[int, typer.Option(help="so many parts of the calibration part may pass")] = 0,
    expected_escape: Annotated[float | None, numeric(help="the share that truly passes, if known")] = None,
    power: Annotated[float, numeric(help="with --expected-escape: chance that the promise can be made")] = 0.8,
    groups_of: Annotated[float, numeric(help="so many parts belong together")] = 1.0,
    correlation: Annotated[float | None, numeric(help="of parts of a group: 0 none, 1 as one part")] = None,
    prevalence: Annotated[float | None, numeric(help="share of defective parts among labelled ones")] = None,
    measure: Annotated[
        str | None, typer.Option(help="recall | escape | specificity | overkill | accuracy | precision")
    ] = None,
    value: Annotated[float | None, numeric(help="its value, as far as is known; default: 0.95")] = None,
    half_width: Annotated[float | None, numeric(help="half the width that its interval may have")] = None,
    learning_curve: Annotated[
        bool, typer.Option("--learning-curve", help="train the recipe on ever more images and extrapolate")
    ] = False,
    fractions: Annotated[
        str, typer.Option(metavar="F,F,...", help="of the training part, for the curve")
    ] = "0.125,0.25,0.5,1",
    repeats: Annotated[int, typer.Option(help="trainings of each fraction")] = 3,
    reach: Annotated[float | None, numeric(help="how many images bring the measure to this value?")] = None,
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
    if any(row["images"] for row in (made.document["data"] or {"classes": []})["classes"]):
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
    known = found is not None
    if document["promise"]:
        yield from _promise(document["promise"], document["asked"], known)
    if document["interval"]:
        yield from _interval(document["interval"], document["asked"], known)
    if found:
        yield from _data(found, document["asked"])


def _data(found: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    share = "" if found["prevalence"] is None else f", {percent(found['prevalence'])} of them defective"
    absent = [row["name"] for row in found["classes"] if not row["images"]]
    if len(absent) < len(found["classes"]):
        yield f"{found['name']}: {counted(found['images'], 'images')}{share}."
        if absent:
            yield f"No image shows {' or '.join(absent)}: nothing can be promised of that yet."
        return
    yield f"{found['name']}: {counted(found['images'], 'images')}, none of them defective."
    yield (
        "NO DEFECTIVE IMAGES: what passes shows on defective parts alone, so these data support no promise, and "
        "nothing can be planned from them class by class."
    )
    if found["needed"]:
        each = [
            f"{row['independent']:,} and {row['ways']['images']['in_all']['counted']:,} for at most "
            f"{percent(row['max_escape'], EXACT)}"
            for row in found["needed"]
        ]
        share = percent(found["shares"]["calibration"])
        yield (
            f"With {percent(asked['confidence'], EXACT)} confidence a promise needs so many independent defective "
            f"parts of each kind in the calibration part, {_allowed(asked['escapes'])}, and so many in all ({share} of "
            f"all parts go to the calibration part): {', '.join(each)}."
        )
    yield (
        "What to do: collect defective parts on purpose, of each kind and from many lots, since parts of one group "
        "count for less. Put their images into a folder beside that of the good ones, or label them in the table, and "
        "plan again."
    )


def _promise(promise: Mapping[str, Any], asked: Mapping[str, Any], known: bool) -> Iterator[str]:
    level = percent(promise["confidence"], EXACT)
    if promise["independent"] is None:
        each = ", ".join(f"{row['independent']:,} prove {percent(row['max_escape'])}" for row in promise["instead"])
        yield (
            f"The promise: with {level} confidence none of the defective parts passes. NO NUMBER OF PARTS PROVES THAT: "
            "ask for a small share instead."
        )
        yield f"Of independent defective parts in the calibration part, none of which passes: {each}."
        return
    yield f"The promise: with {level} confidence at most {_share_of(promise['max_escape'])}."
    yield (
        f"It needs {counted(promise['independent'], 'independent defective parts')} in the calibration part, "
        f"{_allowed(promise['escapes'])}."
    )
    if promise["power"]:
        power = promise["power"]
        yield (
            f"If truly {percent(power['expected_escape'], EXACT)} pass, it can then be made with a probability of "
            f"{percent(power['reached'])} (asked for: {percent(power['wanted'], EXACT)})."
        )
    if promise["ladder"]:
        steps = ", ".join(f"{row['escapes']} of {row['independent']:,}" for row in promise["ladder"][1:])
        yield f"If some may pass: {steps}."
    yield from _ways(promise, asked, "defective parts", known)
    yield from _in_all(promise, "calibration", "defective parts")


def _share_of(share: float) -> str:
    if share >= LEAST:
        return f"{percent(share, EXACT)} of the defective parts pass"
    many, base = so_many_of(share)
    return f"{many:,} of {base:,} defective parts {'passes' if many == 1 else 'pass'}"


def _allowed(escapes: int) -> str:
    return f"of which at most {escapes:,} {'passes' if escapes == 1 else 'pass'}" if escapes else "none of which passes"


def _interval(interval: Mapping[str, Any], asked: Mapping[str, Any], known: bool) -> Iterator[str]:
    of, points = interval["of"], 100 * interval["half_width"]
    yield (
        f"The interval: {interval['measure']} of {percent(interval['value'], EXACT)}, known to {points:.6g} points to "
        f"either side, with {percent(interval['confidence'], EXACT)} confidence."
    )
    yield f"It needs {_many(interval['independent'], f'independent {of}')} in the test part."
    yield from _ways(interval, asked, of, known)
    yield from _in_all(interval, "test", of)


def _ways(found: Mapping[str, Any], asked: Mapping[str, Any], of: str, known: bool) -> Iterator[str]:
    """The same in groups: the way of a stated correlation, or each part by itself; and each group as one.

    `known`: the groups are those of data, not stated.
    """
    ways, proven = found["ways"], "independent" in found and "max_escape" in found
    if "groups" not in ways:
        return
    first, whole = next(iter(ways.values())), ways["groups"]
    size = f"In groups of {found['group_size']:.3g}"
    size += f" {of} on average, as in these data" if known else ""
    if "effective" in ways:
        worth = f"{first['size']:.3g} of them are worth 1 independent one"
        yield f"{size}, correlated by {asked['correlation']:g}: {_group_words(first, of)} ({worth})."
    else:
        yield f"{size}, if each part counts: {_group_words(first, of)}."
    default = " (decide.units: groups, the default)" if proven else ""
    yield f"If each group counts as one{default}: {_group_words(whole, of)}."
    if "effective" not in ways:
        yield "What they are worth lies between; --correlation says one number."
    elif proven:
        yield (
            "By decide.units: effective a contract reckons with the upper limit of the correlation that it finds, so "
            "it may need more than the first of these."
        )
    if found.get("of_all_parts"):
        yield (
            f"Of all parts, each counted alike (decide.units: parts): {counted(found['of_all_parts'], 'groups')} of "
            "which none passes, if all are of one size; else at most so many times as many as the largest is larger "
            "than the mean."
        )


def _group_words(way: Mapping[str, Any], of: str) -> str:
    allowed = f", {_allowed(way['escapes'])}" if way.get("escapes") else ""
    return f"{_many(way['parts'], of)} in {counted(way['groups'], 'groups')}{allowed}"


def _many(n: int, of: str) -> str:
    """So many parts of a kind.

    >>> _many(1, "parts called defective"), _many(1200, "good parts")
    ('1 part called defective', '1,200 good parts')
    """
    return f"{n:,} {of.replace('parts', 'part', 1) if n == 1 else of}"


def _in_all(found: Mapping[str, Any], part: str, of: str) -> Iterator[str]:
    every = [way["in_all"] for way in found["ways"].values()]
    if every[0] is None:
        yield f"How many images that is in all hangs on how many are {of.removeprefix('parts ')}: not known before."
        return
    prevalence, parts = found["prevalence"], ends([each["counted"] for each in every])
    words = f"Where {percent(found['share'])} of all parts go to the {part} part: {parts} {of} in all"
    if of == "parts":
        yield f"{words}."
    elif prevalence is None:
        yield f"{words}. How many images that is: --prevalence."
    else:
        images = ends([each["parts"] for each in every])
        yield f"{words}; if {percent(prevalence)} of the labelled parts are such, {images} labelled images."


def classes_table(document: Mapping[str, Any]) -> Table:
    """What each class supports, narrow enough for 80 columns."""
    asked = document["asked"]
    wanted = bool(asked["max_escape"])  # of none that passes there is only the best promise
    table = Table(show_lines=False)
    table.add_column("class")
    names = ["images\n(groups)", "in the\ncalibration", f"best promise\n({percent(asked['confidence'], EXACT)})"]
    for name in [*names, f"at most\n{percent(asked['max_escape'], EXACT)}?", "more\nneeded"] if wanted else names:
        table.add_column(name, justify="right", no_wrap=True)
    for row in document["data"]["classes"]:
        ways = row["support"]
        chosen = [ways["effective"]] if "effective" in ways else [ways["images"], ways["groups"]]
        cells = [
            f"{row['images']:,} ({row['groups']:,})",
            f"{row['calibration_images']:,} ({row['calibration_groups']:,})",
            _promises([each["best"] for each in chosen]),
        ]
        if wanted:
            parts, *groups = [each["lacking_in_all"] for each in chosen]
            alike = not groups or _close([parts, *groups])
            lacking = ends([parts, *groups]) if alike else f"{parts:,} to\n{counted(groups[0], 'groups')}"
            cells += [VERDICTS[row["verdict"]], lacking]
        table.add_row(escape(row["name"]), *cells)
    return table


def _close(both: Sequence[float]) -> bool:
    return max(both) - min(both) <= CLOSE * max(both)


def ends(counts: Sequence[int]) -> str:
    """Both ends of a range of counts, or the one that they are; where they nearly agree the larger: it is enough.

    >>> ends([299, 1495]), ends([299]), ends([1495, 299]), ends([644, 648])
    ('299 to 1,495', '299', '299 to 1,495', '648')
    """
    return f"{max(counts):,}" if _close(counts) else f"{min(counts):,} to {max(counts):,}"


def _promises(best: Sequence[float]) -> str:
    """Both ends in percent, or the one that they are; where they nearly agree the larger: it holds.

    >>> _promises([0.0181, 0.05]), _promises([0.01, 0.01]), _promises([0.0181, 0.0182]), _promises([0.4, 1.0])
    ('1.81 to 5 %', '1 %', '1.82 %', '40 % to none')
    """
    first, last = (percent_up(each) if each < 1 else "none" for each in (min(best), max(best)))
    if _close(best):
        return last
    return f"{first.removesuffix(' %') if last.endswith(' %') else first} to {last}"
