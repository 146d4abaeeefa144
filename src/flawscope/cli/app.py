"""The command line: each command is one call of the library, with the same name.

Bad input ends with a message that says what to do and exit code 2, never with a traceback.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flawscope._version import __version__
from flawscope.cli.challenge import challenge
from flawscope.cli.inspect import tell_inspected
from flawscope.cli.look import explain, look
from flawscope.cli.numbers import numbers
from flawscope.cli.pack import pack
from flawscope.cli.plan import plan
from flawscope.cli.terminal import console, errors, numeric, say, shell, step
from flawscope.errors import UserError
from flawscope.wording import counted

STOPPED = 130
app = typer.Typer(
    name="flawscope",
    help="From labelled pictures of parts to an inspection decision that a quality engineer can sign for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a key: train.epochs=3")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what is there")]
Tensorboard = Annotated[bool, typer.Option("--tensorboard", help="write event files for TensorBoard as well")]
Known = Annotated[Path | None, typer.Option(metavar="RUN", help="the run of the bundle: its images are no new ones")]
Twins = Annotated[str, typer.Option(help="find: images of the same thing count together | identical: files only")]
Pattern = Annotated[str | None, typer.Option(help="on names of new images: '(part[0-9]+)_' counts a part as one")]
Column = Annotated[str | None, typer.Option(help="of a table of new images: rows of equal value count as one")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="a sealed NAME.flawscope")]
Recipe = Annotated[Path, typer.Argument(metavar="RECIPE", help="a recipe (YAML)")]


@app.command()
def new(
    folder: Annotated[str, typer.Argument(help='class folders, images with masks, a table (CSV), or the word "elpv"')],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the recipe; default: NAME.yaml here")] = None,
    weights: Annotated[str, typer.Option(help="none | imagenet | a .safetensors of mobilenetv2_100")] = "none",
    images: Annotated[Path | None, typer.Option(help="folder of the table's images, if they lie elsewhere")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Look at your images, say what was found, and write a commented recipe."""
    made = step("new", folder, output, weights=weights, images=images, overwrite=overwrite)
    for sentence in made.finding.sentences:
        say(sentence)
    say(f"\nwrote {made.recipe}\nnext: flawscope run {shell(made.recipe)}")


@app.command()
def audit(
    data: Annotated[str, typer.Argument(help='class folders, masks, a table, pictures, a recipe, or "elpv"')],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the folder; default: audits/NAME")] = None,
    court: Annotated[bool, typer.Option("--court", help="also measure what a random split hides")] = False,
    images: Annotated[Path | None, typer.Option(help="folder of the table's images, if they lie elsewhere")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="change a recipe's key: split.largest_group=0.05"),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say what a data set is, and find its images of the same thing."""
    made = step(
        "audit", data, output, court=court, images=images, overrides=overrides or (), overwrite=overwrite, say=say
    )
    from flawscope.cli.audit import next_steps, sentences, tables

    for title, table in tables(made.document):
        say(title)
        console.print(table)
    for sentence in (*sentences(made.document), *next_steps(made.document, data, images, overrides or ())):
        say(sentence)
    say(f"page  {made.page}")


app.command()(plan)
app.command()(explain)
app.command()(look)
app.command()(pack)
app.add_typer(challenge)


@app.command()
def run(
    recipe: Recipe,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the run folder; default: runs/NAME")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="grouped cross-validation with so many folds")] = None,
    overrides: Set = None,
    overwrite: Overwrite = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on where an interrupted run stopped")] = False,
    tensorboard: Tensorboard = False,
) -> None:
    """Do everything: split, train, export, decide, seal, inspect the test split, report."""
    asked = {"folds": folds, "overrides": overrides or (), "overwrite": overwrite, "resume": resume}
    folder = step("run", recipe, output, **asked, tensorboard=tensorboard, say=say)
    from flawscope.steps.workspace import Run, read_json

    numbers(read_json(folder / "metrics.json"))
    say(f"\nreport  {folder / 'report' / 'index.html'}")
    if not folds:
        bundle = Run.at(folder).bundle
        say(f"bundle  {bundle}")
        say(f"\nnext, on new images: flawscope inspect {shell(bundle)} FOLDER")


@app.command()
def split(
    recipe: Recipe,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="default: split.json, folds: splits/")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="so many folds instead of one split")] = None,
    overrides: Set = None,
    overwrite: Overwrite = False,
) -> None:
    """Split the samples by groups and prove that no group crosses."""
    output = output or Path("splits" if folds else "split.json")
    asked = {"folds": folds, "overrides": overrides or (), "overwrite": overwrite}
    for made in step("split", recipe, output, **asked, say=say):
        counts = ", ".join(f"{part} {len(made.ids(part))}" for part in made.wanted)
        fold = "" if made.fold is None else f"fold {made.fold}: "
        say(f"{fold}{counts}; {counted(len(set(made.group.values())), 'groups')}; {made.stamp}; hash {made.hash[:12]}")
        for note in made.notes:
            say(f"  {note}")
    say(f"wrote {output}")


@app.command()
def train(
    recipe: Recipe,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the run folder; default: runs/NAME")] = None,
    split: Annotated[Path | None, typer.Option(help="a split file; default: made anew")] = None,
    overrides: Set = None,
    overwrite: Overwrite = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on where an interrupted training stopped")] = False,
    tensorboard: Tensorboard = False,
) -> None:
    """Train a network; next comes `export`."""
    asked = {"split": split, "overrides": overrides or (), "overwrite": overwrite, "resume": resume}
    made = step("train", recipe, output, **asked, tensorboard=tensorboard, say=say)
    say(f"trained in {made.folder}\nnext: flawscope export {shell(made.folder)}")


@app.command()
def tune(
    recipe: Recipe,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the folder; default: tunings/NAME")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="in all, with those of before; default: the recipe's")
    ] = None,
    storage: Annotated[str | None, typer.Option(metavar="URL", help="SQL database that many machines share")] = None,
    overrides: Set = None,
    overwrite: Overwrite = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the study in the folder")] = False,
) -> None:
    """Search the best settings; next comes `run` on the best recipe."""
    asked = {"trials": trials, "storage": storage, "overrides": overrides or (), "overwrite": overwrite}
    made = step("tune", recipe, output, **asked, resume=resume, say=say)
    from flawscope.training.tune_spec import number_or_label

    best, importance = made.document["best"], made.document["importance"]
    say(f"\nbest: trial {best['number']}, val_{made.document['watch']} {best['value']:.4f} (chosen, so too good)")
    for key, value in best["settings"].items():
        share = importance.get("values", {}).get(key)
        say(f"  {key}: {number_or_label(value)}" + ("" if share is None else f"  (importance {100 * share:.0f} %)"))
    say(f"page  {made.page}\nnext, measured on the test split: flawscope run {shell(made.best)}")


@app.command()
def export(folder: RunFolder) -> None:
    """Export the best checkpoint and check it against torch on real images; next comes `decide`."""
    parity = step("export", folder)
    say(f"exported; differs from torch by {parity.largest_difference:.1g} on {parity.images} real images")
    say(f"next: flawscope decide {shell(folder)}")


@app.command()
def decide(
    bundle: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="a run folder, or a bundle to decide again")],
    data: Annotated[
        str | None, typer.Argument(help="labelled images, as for evaluate; or the run: its calibration part")
    ] = None,
    max_escape: Annotated[float | None, numeric(help="the share of defective parts that may pass: 0.02")] = None,
    confidence: Annotated[float, numeric(help="of that promise")] = 0.95,
    units: Annotated[str, typer.Option(help="what counts: groups | parts | effective")] = "groups",
    cost_escape: Annotated[float | None, numeric(help="in place of --max-escape: cost of an escape")] = None,
    cost_overkill: Annotated[float | None, numeric(help="cost of a good part that is rejected")] = None,
    cost_review: Annotated[float | None, numeric(help="cost of a look; none: nobody looks")] = None,
    prevalence: Annotated[float | None, numeric(help="share of bad parts at the line: 0.02")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the new bundle; default: beside it")] = None,
    known: Known = None,
    twins: Twins = "find",
    group_pattern: Pattern = None,
    group_column: Column = None,
    overwrite: Overwrite = False,
) -> None:
    """Set the thresholds and seal: of a run as its recipe says; of a bundle anew, by escape rate or costs."""
    costs = {"escape": cost_escape, "overkill": cost_overkill, "review": cost_review, "prevalence": prevalence}
    given = costs if any(value is not None for value in costs.values()) else None
    asked: dict[str, Any] = {"max_escape": max_escape, "confidence": confidence, "units": units, "costs": given}
    new = {"known": known, "twins": twins, "group_pattern": group_pattern, "group_column": group_column}
    manifest = step("decide", bundle, data, output, **asked, **new, overwrite=overwrite)
    from flawscope.bundle.verify import sealed_sentences

    for sentence in sealed_sentences(manifest.sealed):
        say(sentence)
    say(f"sealed, seal {manifest.seal}")
    if manifest.parent:
        from flawscope.steps.decide_options import asked_spec, named
        from flawscope.steps.known_decisions import decision_family

        made = output or named(bundle, asked_spec(**asked))
        for sentence in decision_family(made):
            say(sentence)
        say(f"parent {manifest.parent}\nwrote {made}\nnext, its page for an auditor: flawscope report {shell(made)}")
    else:
        say(f"next: flawscope evaluate {shell(bundle)}")


@app.command()
def evaluate(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE|RUN", help="a bundle, or a run folder: its test split")],
    data: Annotated[str | None, typer.Argument(help='class folders, masks, a table, a recipe, or "elpv"')] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="folder for metrics.json and scores")] = None,
    known: Known = None,
    twins: Twins = "find",
    group_pattern: Pattern = None,
    group_column: Column = None,
) -> None:
    """Measure a sealed bundle on labelled images that it has not seen."""
    new: dict[str, Any] = {"known": known, "twins": twins, "group_pattern": group_pattern, "group_column": group_column}
    result = step("evaluate", bundle, data, output, **new)
    numbers(result.metrics)
    if output:
        say(f"wrote {output / 'metrics.json'}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="a run folder, or a sealed bundle")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="the page's folder; default: RUN/report")
    ] = None,
    metrics: Annotated[Path | None, typer.Option(help="BUNDLE: the metrics.json that `evaluate` wrote of it")] = None,
) -> None:
    """Write the report of a run anew; or of a bundle the page of its decision, for an auditor."""
    page = step("report", folder, output, metrics=metrics)
    from flawscope.steps.workspace import read_json

    if folder.is_dir():
        numbers(read_json(folder / "metrics.json"))
    say(f"wrote {page}")


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(help="the folder that holds them")] = Path("runs"),
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="write the same as a table")] = None,
) -> None:
    """List the runs below a folder, newest first: how far they have come, and what they have reached."""
    found = step("runs", folder, csv_file)
    from flawscope.cli.compare import runs_table

    if found:
        console.print(runs_table(found))
    else:
        say(f"there are no runs below {folder}; make one: flawscope run RECIPE")
    for row in found:
        if row.problem:
            say(f"{row.name}: {row.problem}")
    if csv_file:
        say(f"wrote {csv_file}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="finished runs; the first is the baseline")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="the folder; default: comparisons/NAME-NAME2")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare runs on the test images that they share, each difference with its interval."""
    made = step("compare", runs, output, overwrite=overwrite, say=say)
    from flawscope.cli.compare import differences_tables

    for table in differences_tables(made.document):
        console.print(table)
    for words in (*made.document["warnings"], *made.document["notes"]):
        say(f"note: {words}")
    for sentence in made.document["sentences"]:
        say(sentence)
    say(f"page  {made.page}")


@app.command()
def inspect(
    bundle: Bundle,
    folder: Annotated[Path, typer.Argument(help="a folder of pictures, or one picture")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="the table of decisions [results.csv]; with masks a folder [results]"),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="metadata of each picture, where the bundle takes them")] = None,
    image_column: Annotated[str | None, typer.Option(help="column of the table that names the pictures")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write each picture with its label into this folder, too")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="heat maps of what is not called good, beside the table or in --pictures")
    ] = False,
    explain_good: Annotated[bool, typer.Option("--explain-good", help="heat maps of good pictures, too")] = False,
    scale: Annotated[float | None, numeric(help="masks: millimetres a pixel, for areas in mm2")] = None,
    truth: Annotated[
        Path | None, typer.Option(help="masks: codes (CSV), COCO (JSON) or a folder of masks, drawn beside")
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw/--no-draw", help="masks: whether pictures with outlines are drawn")
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a folder that inspect wrote")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="pictures at a time; default: one for each core")] = None,
) -> None:
    """Decide about new pictures, or find their flaws. Needs no torch."""
    asked = {"table": table, "image_column": image_column, "pictures": pictures, "overwrite": overwrite}
    more = {"scale": scale, "truth": truth, "draw": draw, "explain": explain, "explain_good": explain_good}
    tell_inspected(step("inspect", bundle, folder, output, **asked, **more, threads=threads, say=say))
    if pictures:
        say(f"pictures  {pictures}")


@app.command()
def show(bundle: Bundle) -> None:
    """Check a bundle and say what it is and how it decides."""
    for sentence in step("show", bundle):
        say(sentence)


@app.command()
def synth(
    kind: Annotated[str, typer.Argument(help="coil or steel")],
    folder: Annotated[Path, typer.Argument(help="the folder to write")],
    n: Annotated[int, typer.Option("--n", help="number of images")] = 200,
    seed: Annotated[int, typer.Option(help="the same seed gives the same images")] = 0,
    difficulty: Annotated[
        str, typer.Option(help="easy, or hard: small or faint flaws, and much that misleads")
    ] = "easy",
    size: Annotated[str | None, typer.Option(help="width and height of steel [default: 1600x256]")] = None,
    image_format: Annotated[str | None, typer.Option("--format", help="png or jpg, of steel [default: png]")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make synthetic parts with known truth."""
    more = {"size": size, "image_format": image_format, "overwrite": overwrite, "say": say}
    say(f"wrote {step('synth', kind, folder, n, seed, difficulty, **more)}")


def _version(asked: bool) -> None:
    if asked:
        say(f"flawscope {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print it")] = False,
) -> None:
    """From labelled pictures of parts to an inspection decision that a quality engineer can sign for."""


def main() -> None:
    """Run the command line; the exit code is 2 for what the user can mend, 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except UserError as error:
        errors.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except SystemExit as leaving:
        if leaving.code == STOPPED:  # typer turns Ctrl-C into this
            command = (*sys.argv[1:2], "")[0]
            goes_on = (
                f", an unfinished `{command}` goes on with --resume"
                if command in ("plan", "run", "train", "tune")
                else ""
            )
            errors.print(f"stopped; no result is half-written{goes_on}", markup=False)
        raise
