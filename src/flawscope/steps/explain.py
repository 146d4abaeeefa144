"""`flawscope explain`: which places of pictures speak for a class, as heat maps over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from flawscope.errors import UserError
from flawscope.explanation.explained import Explained
from flawscope.inspection.folder import find_pictures
from flawscope.inspection.labelled import places
from flawscope.pages import heat_maps, sheet
from flawscope.pages.figures import short
from flawscope.steps.bundle_maps import BundleMaps
from flawscope.steps.map_means import Means, write_means
from flawscope.steps.seen import Seen, Source, metadata_of, readable
from flawscope.storage import check_replaceable, check_writable, new_folder

SHEET, CONTACT = "index.html", "sheet.png"
BATCH = 8
ON_SHEET = 24
Say = Callable[[str], None]


@dataclass(frozen=True)
class ExplainSummary:
    """What was made: the folder, how many pictures, those that could not be read, and the layer that was taken.

    `warnings` say where a network looks mostly at the frame, as far as means were asked for.
    """

    folder: Path
    images: int
    problems: tuple[str, ...]
    layer: str
    warnings: tuple[str, ...] = ()


def explain(
    run: str | Path,
    images: str | Path | Sequence[str | Path],
    output: str | Path = "maps",
    *,
    method: str | Sequence[str] | None = None,
    of: str | None = None,
    layer: str | None = None,
    style: str = "even",
    arrays: bool = False,
    average: bool = False,
    table: str | Path | None = None,
    image_column: str | None = None,
    overwrite: bool = False,
    say: Say = lambda words: None,
) -> ExplainSummary:
    """Draw the heat maps of pictures into a folder: a PNG a picture, a sheet of the first ones, a page of all.

    Of a run folder the maps are those of its best checkpoint, of one look at the picture: where a recipe averages over
    turns or mirrors, the bundle's answer is the mean over several. Of a bundle they are those of its answer, and need
    no torch; it gives fewer methods.

    Args:
        run: a run folder, trained, or a bundle.
        images: a folder (and the folders in it), a picture, or a list of pictures.
        output: the folder to write.
        method: one or several of `flawscope.explanation.explained.METHODS`, or "all"; of a bundle cam, grad-cam (the
            same but for its scale), score-cam and occlusion, as far as its graph gives what they need. None:
            integrated-gradients, or grad-cam where a layer is named; of a bundle cam, or occlusion where it has no
            class activation maps.
        of: name or number of a class; None: of each picture the answer with the highest score.
        layer: whose maps are taken; `/16`: the last one whose places are at most 16 pixels wide; None: `default.LAYER`.
        style: colours: even, contours or jet (see `flawscope.pages.heat_maps`).
        arrays: also write each map as .npy, in its own unit, height and width as the network sees the picture.
        average: also draw the mean map of each answer over the mean picture, for parts that lie alike.
        table: names each picture and its metadata, where the network takes any.
        image_column: the column of it that names the pictures.
        overwrite: replace a folder that `explain` has made.
        say: is told of pictures that cannot be read.

    Raises:
        UserError: no trained run, or an unknown method, class, layer or style, or one that a bundle cannot give.
        BundleError: a bundle that is refused.
        DataError: no pictures, or none that can be read.
        MetadataError: the network takes metadata, and no table is named.
        OutputError: the folder exists, or cannot be written.
    """
    colours = heat_maps.style_of(style)
    target = Path(output)
    check_replaceable(target, overwrite, kind="a folder of heat maps", ours=_ours)
    source = source_of(run)
    methods = source.methods(method, layer)
    pictures = find_pictures(images)
    root = Path(images) if isinstance(images, str | Path) and Path(images).is_dir() else Path()
    if isinstance(images, str | Path) and Path(images).is_file():
        root = Path(images).parent
    meta = metadata_of(source, pictures, root, table, image_column)
    check_writable(target)
    seen, problems = readable(source, pictures, meta)
    for words in problems:
        say(f"left out: {words}")
    with new_folder(target, overwrite=overwrite) as folder, _bar(len(seen) * len(methods)) as advance:
        tiles: list[sheet.Tile] = []
        contact: list[heat_maps.Shown] = []
        layer_taken, means = "", {name: Means() for name in methods if average}
        for each, place, maps in _maps(source, seen, methods, of=of, layer=layer, advance=advance):
            figure = heat_maps.explained(each.view, _heading(each, maps), _panels(maps), colours)
            _write(folder / place, figure)
            if arrays:
                for one in maps:
                    raw_hw = one.map_bhw[0] * one.largest_b[0]
                    _save(folder / "arrays" / one.method / f"{place}.npy", raw_hw)
            for one in maps if average else ():
                means[one.method].add(one.names[0], each.view, one.map_bhw[0])
            first = maps[0]
            facts = f"{first.names[0]}, score {first.scores_b[0]:+.2f}"
            tiles.append(sheet.Tile(each.name, facts, place))
            if len(contact) < ON_SHEET:
                words = heat_maps.caption(PurePosixPath(each.name).name, facts)
                contact.append((each.view, words, _panels(maps)[0]))
            layer_taken = layer_taken or next((one.layer for one in maps if one.layer), "")
        heading = f"{methods[0]}: where the network finds what speaks for the class named below each picture's name"
        _write(folder / CONTACT, heat_maps.contact(contact, heading, colours))
        averages, warnings = write_means(folder, means, colours)
        sheet.write_sheet(
            folder / SHEET, _page(source, tiles, methods, layer_taken, averages=averages, warnings=warnings)
        )
    return ExplainSummary(target, len(seen), tuple(problems), layer_taken, tuple(warnings))


def source_of(run: str | Path) -> Source:
    """What explains: a bundle where a file is named, without torch; else the network of a run folder."""
    if not Path(run).exists():
        raise UserError(f"{run} does not exist", "name a run folder, or a bundle (NAME.flawscope)")
    if Path(run).is_file():
        return BundleMaps.of(run)
    from flawscope.steps.loaded import Loaded

    return Loaded.of(run, "explain")


def _maps(
    source: Source,
    seen: Sequence[Seen],
    methods: Sequence[str],
    *,
    of: str | None,
    layer: str | None,
    advance: Callable[[float], None],
) -> Iterator[tuple[Seen, str, list[Explained]]]:
    """Each picture with its place in the folder and its maps, batches of one size at a time."""
    named = places([str(PurePosixPath(each.name.lstrip("/")).with_suffix(".png")) for each in seen])
    for start, stop in _batches([each.pixels.shape for each in seen]):
        found = []
        for method in methods:
            told = 0.0

            def moved(done: int, total: int, pictures: int = stop - start) -> None:
                nonlocal told
                advance(pictures * done / total - told)
                told = pictures * done / total

            found.append(source.explain(seen[start:stop], method, of, layer, on_progress=moved))
            moved(1, 1)
        for row in range(stop - start):
            yield seen[start + row], named[start + row], [_row(each, row) for each in found]


def _batches(shapes: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Runs of neighbours of one shape, at most `BATCH` of them."""
    start = 0
    for stop in range(1, len(shapes) + 1):
        if stop == len(shapes) or stop - start == BATCH or shapes[stop] != shapes[start]:
            yield start, stop
            start = stop


def _row(batch: Explained, row: int) -> Explained:
    """What was found of one picture of a batch."""
    one = slice(row, row + 1)
    return Explained(
        batch.map_bhw[one], batch.largest_b[one], batch.unit, batch.signed, batch.method, batch.layer,
        batch.names[one], batch.scores_b[one],
    )  # fmt: skip


def _panels(maps: Sequence[Explained]) -> list[heat_maps.Panel]:
    return [
        heat_maps.Panel(
            f"{each.method}, {short(each.layer, 24)}" if each.layer else each.method,
            each.map_bhw[0],
            each.signed,
            f"1 = {each.largest_b[0]:.3g} {each.unit}" if each.largest_b[0] > 0 else "empty",
        )
        for each in maps
    ]


def _heading(seen: Seen, maps: Sequence[Explained]) -> str:
    return f"{short(seen.name, 60)}: what speaks for {short(maps[0].names[0], 30)} (score {maps[0].scores_b[0]:+.2f})"


def _page(
    source: Source,
    tiles: Sequence[sheet.Tile],
    methods: Sequence[str],
    layer: str,
    *,
    averages: Sequence[sheet.Tile],
    warnings: Sequence[str],
) -> sheet.SheetContent:
    how = (
        "Each map is relative to its largest value, which stands below it. A score is a logit: above 0 a class of a "
        "binary or multi-label task is more probable than not. A map shows what the network looks at, not what is true."
    )
    facts = {**source.facts, "Methods": ", ".join(methods)}
    if layer:
        facts["Layer"] = layer
    kinds = list(dict.fromkeys(tile.facts.rpartition(", score")[0] for tile in tiles))
    sections = [sheet.Section("on average", len(averages), averages)] if averages else []
    for kind in kinds:
        own = [tile for tile in tiles if tile.facts.rpartition(", score")[0] == kind]
        sections.append(sheet.Section(f"what speaks for {kind}", len(own), own[: sheet.LISTED]))
    title = f"{len(tiles):,} explained picture{'' if len(tiles) == 1 else 's'}"
    return sheet.SheetContent(
        title, facts, [*warnings, how], sections, large=True, made_by="explain", brand="heat maps"
    )


def _ours(folder: Path) -> bool:
    return sheet.is_sheet(folder / SHEET, "explain")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _save(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[float], None]]:
    """A bar with the time that is left, where somebody looks."""
    columns = ("explaining", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not Console().is_terminal) as progress:
        bar = progress.add_task("explaining", total=total)
        yield lambda steps: progress.advance(bar, steps)
