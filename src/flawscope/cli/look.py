"""The commands that show what a network looks at, and what is inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from flawscope.cli.terminal import console, say, step
from flawscope.explanation.default import LAYERED, METHOD

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, trained")]
RunOrBundle = Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="a run folder, trained; or a bundle: no torch")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what is there")]
MetaTable = Annotated[Path | None, typer.Option(metavar="FILE", help="metadata of the pictures, if it takes any")]
ImageColumn = Annotated[str | None, typer.Option(help="the column of the table that names the pictures")]


def explain(
    run: RunOrBundle,
    images: Annotated[Path, typer.Argument(help="a folder of pictures, or one picture")],
    output: Annotated[Path, typer.Option("-o", "--output", help="the folder to write")] = Path("maps"),
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="grad-cam | grad-cam++ | score-cam | eigen-cam | occlusion | integrated-gradients | all; of a bundle "
            f"cam | score-cam | occlusion | all; several may be named [default: {METHOD}, with --layer {LAYERED}, of a "
            "bundle cam]"
        ),
    ] = None,
    of: Annotated[
        str | None, typer.Option("--class", help="name or number; default: the answer with the highest score")
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="whose maps; /16: of places of at most 16 pixels; default: the last before the head"),
    ] = None,
    style: Annotated[str, typer.Option(help="even | contours | jet (70 % over the picture)")] = "even",
    arrays: Annotated[bool, typer.Option("--arrays", help="write each map as .npy as well")] = False,
    average: Annotated[
        bool, typer.Option("--average", help="draw the mean of each answer's maps as well, for parts that lie alike")
    ] = False,
    table: MetaTable = None,
    image_column: ImageColumn = None,
    overwrite: Overwrite = False,
) -> None:
    """Show which places of pictures speak for a class, as heat maps over them."""
    asked = {"method": method or None, "of": of, "layer": layer, "style": style, "arrays": arrays}
    more = {"average": average, "table": table, "image_column": image_column, "overwrite": overwrite}
    made = step("explain", run, images, output, **asked, **more, say=say)
    pictures = "1 picture" if made.images == 1 else f"{made.images:,} pictures"
    say(f"{pictures} explained{f' (layer {made.layer})' if made.layer else ''}\npage  {made.folder / 'index.html'}")
    say(f"sheet {made.folder / 'sheet.png'}")
    for words in made.warnings:
        say(f"warning: {words}")


def look(
    run: RunFolder,
    image: Annotated[Path | None, typer.Argument(help="a picture, whose feature maps are drawn")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="the folder to write")] = Path("look"),
    layer: Annotated[str | None, typer.Option(help="whose filters are drawn; default: the first convolution")] = None,
    table: MetaTable = None,
    image_column: ImageColumn = None,
    overwrite: Overwrite = False,
) -> None:
    """Look inside a network: layers and their weights, filters, and what each layer makes of a picture."""
    more = {"table": table, "image_column": image_column, "overwrite": overwrite}
    made = step("look", run, image, output, layer=layer, **more, say=say)
    from flawscope.steps.look import weights

    # No lines between the columns: the names of deep layers are long, and a terminal has 80 letters.
    shown = Table(title=f"{len(made.layers)} layers", title_justify="left", box=None, padding=(0, 1, 0, 0))
    shown.add_column("layer", no_wrap=True)
    shown.add_column("kind", overflow="fold")
    shown.add_column("weights")
    shown.add_column("parameters", justify="right")
    shown.add_column("output", no_wrap=True)
    for row in made.layers:
        size = " x ".join(map(str, row.shape))
        shown.add_row(row.name, row.kind, weights(row), f"{row.parameters:,}" if row.parameters else "", size)
    console.print(shown)
    say(f"{made.parameters:,} parameters\npage  {made.folder / 'index.html'}")
