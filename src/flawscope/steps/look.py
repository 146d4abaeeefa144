"""`flawscope look`: the inside of a trained network: its layers, filters, and what each layer makes of a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.data.progress import watched
from flawscope.explanation.inside import LayerRow, feature_maps, filters, layer_table
from flawscope.inspection.folder import find_pictures
from flawscope.pages import inside, sheet
from flawscope.pages.figures import short
from flawscope.spreadsheet import safe_cell
from flawscope.steps.loaded import Loaded
from flawscope.steps.seen import Seen, metadata_of, readable
from flawscope.storage import check_replaceable, check_writable, new_folder

SHEET, LAYERS = "index.html", "layers.csv"


@dataclass(frozen=True)
class LookSummary:
    """What was made: the folder, the layers of the network, and how many figures."""

    folder: Path
    layers: tuple[LayerRow, ...]
    figures: int

    @property
    def parameters(self) -> int:
        """Of all layers."""
        return sum(row.parameters for row in self.layers)


def look(
    run: str | Path,
    image: str | Path | None = None,
    output: str | Path = "look",
    *,
    layer: str | None = None,
    table: str | Path | None = None,
    image_column: str | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda words: None,
) -> LookSummary:
    """Show a network's inside in a folder: layers.csv, the filters of a layer, and the feature maps of a picture.

    Args:
        run: a run folder, trained.
        image: a picture, or a folder whose first picture is taken; None: no feature maps.
        output: the folder to write.
        layer: the convolution whose filters are drawn; None: the first one.
        table: names the picture and its metadata, where the network takes any.
        image_column: the column of it that names the pictures.
        overwrite: replace a folder that `look` has made.
        say: is told what was left out.

    Raises:
        UserError: a bundle or no trained run, or no convolution of that name.
        DataError: no picture, or none that can be read.
        MetadataError: the network takes metadata, and no table is named.
        OutputError: the folder exists, or cannot be written.
    """
    target = Path(output)
    check_replaceable(target, overwrite, kind="a folder of `look`", ours=lambda at: sheet.is_sheet(at / SHEET, "look"))
    loaded = Loaded.of(run, "look")
    name, weight_oihw = filters(loaded.network, layer)
    seen = None if image is None else _picture(loaded, Path(image), table, image_column, say)
    rows = layer_table(loaded.network, *_inputs(loaded, seen))
    check_writable(target)
    with new_folder(target, overwrite=overwrite) as folder:
        (folder / LAYERS).write_text(_csv(rows), encoding="utf-8")
        tiles = {"Filters": [_figure(folder, f"filters-{_plain(name)}.png", inside.filter_tiles(weight_oihw, name),
                                     f"filters of {name}", _size(weight_oihw.shape))]}  # fmt: skip
        if seen is not None:
            tiles["Mean over the channels"], tiles["Every channel"] = _maps(folder, loaded, seen)
        sheet.write_sheet(folder / SHEET, _page(loaded, rows, tiles, seen))
    return LookSummary(target, tuple(rows), sum(map(len, tiles.values())))


def _picture(
    loaded: Loaded, image: Path, table: str | Path | None, image_column: str | None, say: Callable[[str], None]
) -> Seen:
    pictures = find_pictures(image)
    root = image if image.is_dir() else image.parent
    seen, problems = readable(loaded, pictures, metadata_of(loaded, pictures, root, table, image_column))
    for words in problems:
        say(f"left out: {words}")
    return seen[0]


def _inputs(loaded: Loaded, seen: Seen | None) -> tuple[Any, ...]:
    """The picture as the network takes it, or an empty one."""
    if seen is None:
        columns = loaded.network.plan.columns
        meta = {column.name: (column.categories or (column.mean,))[0] for column in columns}
        spec = loaded.spec
        empty: Any = np.zeros(spec.shape, spec.dtype)
        seen = Seen("", empty, np.zeros((1, 1), np.uint8), meta)
    return loaded.inputs([seen])


def _maps(folder: Path, loaded: Loaded, seen: Seen) -> tuple[list[sheet.Tile], list[sheet.Tile]]:
    """The mean over channels after every convolution in one figure, and each layer's channels in one of their own."""
    found = feature_maps(loaded.network, *_inputs(loaded, seen))
    shown = short(Path(seen.name).name, 40)
    every = []
    named = watched(found.items(), len(found), "drawing the layers")
    for number, (name, (kind, map_chw)) in enumerate(named, 1):
        heading = f"{name} ({kind}), {_size(map_chw.shape)}: {shown}"
        content = inside.channel_tiles(map_chw, heading)
        every.append(
            _figure(folder, f"maps-{number:03d}-{_plain(name)}.png", content, name, f"{kind}, {_size(map_chw.shape)}")
        )
    convolutions = {name: each for name, each in found.items() if "conv" in each[0].lower()} or found
    means = [(name, _size(map_chw.shape), map_chw.mean(axis=0)) for name, (_, map_chw) in convolutions.items()]
    content = inside.mean_tiles(means, f"{shown} after every convolution, mean over the channels (each its own scale)")
    return [_figure(folder, "means.png", content, "means.png", f"{len(means)} convolutions")], every


def _figure(folder: Path, file: str, content: bytes, name: str, facts: str) -> sheet.Tile:
    (folder / file).write_bytes(content)
    return sheet.Tile(name, facts, file)


def _csv(rows: list[LayerRow]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([safe_cell(cell) for cell in cells] for cells in _table(rows, "d"))
    return stream.getvalue()


def _table(rows: list[LayerRow], number: str) -> list[list[str]]:
    head = ["layer", "kind", "weights", "parameters", "output"]
    cells = ([row.name, row.kind, weights(row), format(row.parameters, number), _size(row.shape)] for row in rows)
    return [head, *cells]


def weights(row: LayerRow) -> str:
    """The shapes of a layer's weights in words.

    >>> weights(LayerRow("conv", "Conv2d", {"weight": (6, 1, 5, 5), "bias": (6,)}, 156, ()))
    'weight 6 x 1 x 5 x 5, bias 6'
    """
    return ", ".join(f"{name} {_size(shape)}" for name, shape in row.weights.items())


def _page(
    loaded: Loaded, rows: list[LayerRow], tiles: dict[str, list[sheet.Tile]], seen: Seen | None
) -> sheet.SheetContent:
    facts = {
        "Run": loaded.run.folder.name,
        "Network": loaded.network.plan.name,
        "Layers": f"{len(rows):,}",
        "Parameters": f"{sum(row.parameters for row in rows):,}",
    }
    if seen is not None:
        facts["Picture"] = seen.name
    words = f"All layers with the shapes of their weights stand below the pictures, and in {LAYERS}."
    sections = [sheet.Section(title, len(own), own) for title, own in tiles.items()]
    title = f"Inside {loaded.network.plan.name}"
    return sheet.SheetContent(
        title, facts, [words], sections, large=True, made_by="look", brand="looking inside", table=_table(rows, ",")
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _plain(name: str) -> str:
    """A layer's name as part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)[:80]
