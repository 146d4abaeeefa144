"""Images with masks: which images there are, where the masks of each are, and what is known of them beside.

Nothing is decoded here. `draw` reads the masks of one image, when the image itself is checked; `flawscope.data.settled`
says what they mean once all have been read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from flawscope.data.beside import beside
from flawscope.data.coco import coco_masks, read_coco
from flawscope.data.csv_table import ImageFinder
from flawscope.data.mask_files import named_like_masks, pair_masks
from flawscope.data.mask_table import read_mask_table, table_masks
from flawscope.data.mask_values import Colours, Shades, Values, read_shades
from flawscope.data.spec import GOOD, MasksSpec
from flawscope.data.table import (
    ALONE,
    Row,
    Table,
    check_parts_named,
    name_it,
    natural,
    published_part,
    walk_images,
)
from flawscope.errors import DataError, listing
from flawscope.masks import masks_of
from flawscope.metadata import missing, number
from flawscope.preprocess import IMAGE_SUFFIXES
from flawscope.records import BoolArray, Masks, Skipped, Task
from flawscope.wording import counted

Draw = Callable[[Path, int, int], Masks | Shades]
"""The masks of an image of this height and width."""
_OF_COLUMNS = ("group_column", "part_column", "meta_columns")
UNSETTLED = Task("multilabel", ("flaw",))
"""Stands for the task until all masks have been read."""


@dataclass(frozen=True)
class Masked:
    """The rows of all images, how the masks of each are read, and the classes where they are known beforehand.

    `folder` names the class folder of each row, where folders name classes.
    """

    table: Table
    draw: Draw
    classes: tuple[str, ...] | None
    folder: Mapping[str, str]


@dataclass(frozen=True)
class _Source:
    """One form of masks, joined to the images: `without` have none, `strays` fit no image."""

    what: str
    draw: Draw
    without: Sequence[Path]
    strays: Sequence[Skipped]
    named: int
    """How many masks, or images that a file names, there are."""
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def load_masked(spec: MasksSpec, base: Path) -> Masked:
    """Find images and masks, and join them.

    Raises:
        DataError: folders or files are missing or empty; images without masks and masks without images (unless
            `spec.on_bad` is "skip"): lists them.
    """
    root = base / spec.images
    every = _pictures_below(spec, base, root)
    images = _asked_for(spec, every, root)
    if spec.table is not None:
        source = _codes(spec, base / spec.table, every, root)
    elif spec.coco is not None:
        source = _coco(spec, base / spec.coco, every, root)
    else:
        source = _pictures(spec, base, every, root)
    good = spec.without == "good" or (spec.without is None and spec.table is not None)
    without = set(source.without).intersection(images)
    notes = list(source.notes)
    if without and good:
        _refuse_masks_taken_for_good(images, without)
        notes.append(f"{len(without):,} of {len(images):,} images have no mask in {source.what}: taken for good")
    lacking = [
        Skipped(_id(path, root), f"has no mask in {source.what}") for path in images if path in without and not good
    ]
    if spec.on_bad == "error":
        _refuse(spec, source, len(images), lacking, root)
    kept = [path for path in images if good or path not in without]
    table, folder, more = _table(spec, base, root, kept)
    return Masked(
        table=Table(
            name=_name(root),
            task=UNSETTLED,
            rows=table.rows,
            bad=(*lacking, *source.strays, *table.bad),
            strays=table.strays,
            grouping=table.grouping,
            source=f"masks of {source.what}",
            notes=(*notes, *more),
        ),
        draw=source.draw,
        classes=source.classes,
        folder=folder,
    )


def _refuse(spec: MasksSpec, source: _Source, n: int, lacking: Sequence[Skipped], root: Path) -> None:
    """Raise for images without masks and for masks without images."""
    if source.strays:
        raise DataError(
            f"{source.what}: {len(source.strays):,} of {source.named:,} masks fit no image of {root}:\n"
            + listing([f"{each.where}: {each.reason}" for each in source.strays]),
            "name the folder that they were made for (data.images), or set data.on_bad: skip to leave them out",
        )
    if lacking:
        raise DataError(
            f"{len(lacking):,} of {n:,} images have no mask in {source.what}:\n"
            + listing([each.where for each in lacking]),
            "in the recipe (`flawscope new` writes one) set data.without: good if that means that they have no flaw, "
            "or data.on_bad: skip to leave them out",
        )


def _refuse_masks_taken_for_good(images: Sequence[Path], without: set[Path]) -> None:
    """Raise where a mask would count as an image without a flaw, because its name ends otherwise than was said.

    Raises:
        DataError: there is such a one.
    """
    odd = {path: of for path, of in named_like_masks(images).items() if path in without}
    if odd:
        raise DataError(
            f"{counted(len(odd), 'images', 'are')} named like a mask of another, and would be taken for good:\n"
            + listing([f"{path}: a mask of {of.name}?" for path, of in odd.items()]),
            "if they are masks, say what their names end in (data.suffix), or move them to a folder of their own "
            "(data.masks); if they are images, give them other names",
        )


def _name(root: Path) -> str:
    """What the data are called: the folder of the images, or what holds it where it is called images or the like."""
    resolved = root.resolve()
    plain = resolved.name.casefold() in ("images", "image", "imgs", "img", "train_images")
    return (resolved.parent.name if plain else resolved.name) or "images"


def _id(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _pictures_below(spec: MasksSpec, base: Path, root: Path) -> list[Path]:
    """All pictures that are no masks."""
    if not root.is_dir():
        what = "not a folder" if root.exists() else "the folder does not exist"
        raise DataError(f"{root}: {what} (data.images)", name_it("images", "FOLDER"))
    apart = _mask_root(spec, base, root)
    beside_them = spec.table is None and spec.coco is None and apart is None
    suffix = spec.suffix.casefold()

    def is_mask(path: Path) -> bool:
        if apart is not None:
            return path.is_relative_to(apart)
        return beside_them and (path.stem.casefold().endswith(suffix) if suffix else path.suffix.lower() == ".png")

    every = list(walk_images(root))
    images = [path for path in every if not is_mask(path)]
    if not images:
        remedy = f"expected files such as {' '.join(IMAGE_SUFFIXES)}"
        if every:
            remedy = (
                "where masks lie beside the images a PNG is taken for a mask: name the folder of the masks "
                "(data.masks), or what their names end in (data.suffix)"
            )
            mask, image = next(iter(named_like_masks(every).items()), (None, None))
            if mask and image:
                remedy += f": with {mask.stem[len(image.stem) :]!r}, {mask.name} would be the mask of {image.name}"
        raise DataError(f"{root}: no images below this folder", remedy)
    return images


def _asked_for(spec: MasksSpec, images: Sequence[Path], root: Path) -> list[Path]:
    """Those of the images that `pattern` and `ignore` leave."""
    ignore = set(spec.ignore)
    left = [
        path
        for path in images
        if not (spec.pattern and not fnmatch(path.name.lower(), spec.pattern.lower()))
        and not ignore.intersection(path.relative_to(root).parts[:-1])
    ]
    if not left:
        asked = f" of the name {spec.pattern!r}" if spec.pattern else ""
        raise DataError(f"{root}: no images{asked} below this folder", "change data.pattern or data.ignore")
    return left


def _mask_root(spec: MasksSpec, base: Path, root: Path) -> Path | None:
    """The folder of the masks, where it is another one than that of the images."""
    if spec.masks is None or (base / spec.masks).resolve() == root.resolve():
        return None
    return base / spec.masks


def _codes(spec: MasksSpec, path: Path, images: Sequence[Path], root: Path) -> _Source:
    table = read_mask_table(path, spec.classes)
    where = {
        name: min((code.where for codes in of.values() for code in codes), default=path.name)
        for name, of in table.codes.items()
    }
    called, strays = match_names(table.codes, where, images, root)

    def draw(image: Path, height: int, width: int) -> Masks:
        return _masks(spec, table.classes, table_masks(table, called.get(image, ""), height, width))

    without = [image for image in images if image not in called]
    return _Source(path.name, draw, without, strays, len(table.codes), table.classes, table.notes)


def _coco(spec: MasksSpec, path: Path, images: Sequence[Path], root: Path) -> _Source:
    coco = read_coco(path, spec.classes)
    called, strays = match_names(coco.images, dict.fromkeys(coco.images, path.name), images, root)

    def draw(image: Path, height: int, width: int) -> Masks:
        if image not in called:
            return Masks(height, width, ("",) * len(coco.classes))
        return _masks(spec, coco.classes, coco_masks(coco, called[image], height, width))

    without = [image for image in images if image not in called]
    return _Source(path.name, draw, without, strays, len(coco.images), coco.classes)


def _pictures(spec: MasksSpec, base: Path, images: Sequence[Path], root: Path) -> _Source:
    apart = _mask_root(spec, base, root)
    found = pair_masks(images, root, apart, spec.suffix)
    values = asked_values(spec)
    colours = Colours(tuple(spec.of_colours.values()), (spec.colours or {}).get(spec.negative or GOOD))

    def draw(image: Path, height: int, width: int) -> Shades:
        mask = found.masks.get(image)
        if mask is None:
            return Shades(None, height, width, {0: height * width})
        return read_shades(mask, height, width, values, colours)

    strays = [Skipped(_id(path, apart or root), "a mask that has the name of no image") for path in found.strays]
    what = "pictures beside the images" if apart is None else f"the folder {apart.name}"
    return _Source(what, draw, found.without, strays, len(found.masks) + len(strays))


def asked_values(spec: MasksSpec) -> Values:
    """What the values of mask pictures mean, as far as the recipe says it."""
    if spec.values == "auto" and (spec.flaw is not None or spec.level is not None):
        return "binary"
    return "index" if spec.values == "auto" and (spec.colours or len(spec.classes or ()) > 1) else spec.values


def _masks(spec: MasksSpec, classes: Sequence[str], mask_khw: BoolArray) -> Masks:
    if spec.pixels == "multiclass":
        twice_hw = mask_khw.sum(axis=0) > 1
        if twice_hw.any():
            both = [name for name, mask_hw in zip(classes, mask_khw, strict=True) if mask_hw[twice_hw].any()]
            raise DataError(
                f"{', '.join(both)} overlap in {int(twice_hw.sum()):,} pixels", "set data.pixels: multilabel"
            )
    return masks_of(mask_khw)


def match_names(
    names: Iterable[str], where: Mapping[str, str], images: Sequence[Path], root: Path
) -> tuple[dict[Path, str], list[Skipped]]:
    """Which name of a file means which image; and the names that mean none. An image may have got another suffix.

    Args:
        names: as the file has them.
        where: of each name, where it stands, in words.
        images: those that can be meant, below `root`.
    """
    finder, there = ImageFinder(root), set(images)
    called: dict[Path, str] = {}
    strays = []
    for name in names:
        image = finder.find(name)
        if isinstance(image, str) and name.lower().endswith(IMAGE_SUFFIXES):
            other = finder.find(PurePosixPath(name).with_suffix("").as_posix())
            image = other if isinstance(other, Path) else image
        if isinstance(image, str) or image not in there:
            image = image if isinstance(image, str) else "is no image"
            strays.append(Skipped(where[name], image if name in image else f"{name}: {image}"))
        elif image in called:
            strays.append(Skipped(where[name], f"{name} and {called[image]} are one image, {_id(image, root)}"))
        else:
            called[image] = name
    return called, strays


def _table(
    spec: MasksSpec, base: Path, root: Path, images: Sequence[Path]
) -> tuple[Table, dict[str, str], tuple[str, ...]]:
    """The rows with what folders and a table of facts say, the class folder of each, and what is to be known."""
    facts, notes = _facts(spec, base, root, images)
    names = [_id(path, root) for path in images]
    position = {name: place for place, name in enumerate(sorted(names, key=natural))}
    by, numeric = spec.grouped_by, _numeric(spec, facts)
    rows, bad, strays = [], [], []
    words: list[str] = []
    folder: dict[str, str] = {}
    for path, name, known in zip(images, names, facts, strict=True):
        folders = PurePosixPath(name).parts[:-1]
        lacking = known if isinstance(known, str) else _lacking(spec, known, folders)
        if spec.level is not None and len(folders) <= spec.level:
            strays.append(Skipped(name, "lies in no class folder (data.level)"))
        elif lacking or isinstance(known, str):
            bad.append(Skipped(name, lacking))
        else:
            word = folders[spec.part_level] if spec.part_level is not None else known.get(spec.part_column or "", "")
            words += [word] if word else []
            meta = {key: _meta(known[key], key in numeric) for key in spec.meta_columns if not missing(known[key])}
            group = known[by] if by else name
            rows.append(Row(name, path, (), group, meta, position[name], published_part(word) if word else None))
            if spec.level is not None:
                folder[name] = folders[spec.level]
    check_parts_named(words, "data.part_level" if spec.part_level is not None else "data.part_column")
    grouping = f"the column {by!r} of {spec.facts.name}" if by and spec.facts else ALONE
    return Table(root.name, UNSETTLED, tuple(rows), tuple(bad), tuple(strays), grouping), folder, notes


def _lacking(spec: MasksSpec, known: Mapping[str, str], folders: Sequence[str]) -> str:
    """What must be known of an image and is not, in words."""
    if spec.part_level is not None and len(folders) <= spec.part_level:
        return "lies in no folder that names its part (data.part_level)"
    empty = [name for name in (spec.grouped_by, spec.part_column) if name and missing(known[name])]
    return f"{' and '.join(empty)} {'are' if len(empty) > 1 else 'is'} empty in the table of facts" if empty else ""


def _facts(
    spec: MasksSpec, base: Path, root: Path, images: Sequence[Path]
) -> tuple[Sequence[Mapping[str, str] | str], tuple[str, ...]]:
    """What the table of facts says of each image, or in words why nothing; and what else is to be known."""
    columns = list(dict.fromkeys(filter(None, (spec.grouped_by, spec.part_column, *spec.meta_columns))))
    if spec.facts is None or not columns:
        return [{} for _ in images], ()
    found = beside(
        base / spec.facts,
        root,
        images,
        columns,
        spec.image_column,
        wanted_by=", ".join(f"data.{key}" for key in _OF_COLUMNS if getattr(spec, key)) or "data.groups.column",
        option="data.image_column",
    )
    texts = [
        known if isinstance(known, str) else {key: str(cell) for key, cell in known.items()} for known in found.values
    ]
    return texts, found.notes


def _numeric(spec: MasksSpec, facts: Sequence[Mapping[str, str] | str]) -> set[str]:
    """The columns of metadata that hold numbers only."""
    known = [each for each in facts if not isinstance(each, str)]
    return {
        key for key in spec.meta_columns if all(missing(each[key]) or number(each[key]) is not None for each in known)
    }


def _meta(cell: str, numeric: bool) -> str | float:
    value = number(cell) if numeric else None
    return cell if value is None else value
