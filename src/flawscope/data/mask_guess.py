"""Whether somebody's folder holds masks, in which form, and how a recipe should read them."""

from __future__ import annotations

import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flawscope.data.coco import read_coco
from flawscope.data.csv_table import ImageFinder, find_image_column
from flawscope.data.layout import BESIDE, class_level, find_part_level
from flawscope.data.mask_colours import guess_colours, in_colours
from flawscope.data.mask_files import SUFFIXES, pair_masks
from flawscope.data.mask_table import is_mask_table, read_mask_table
from flawscope.data.read import read
from flawscope.data.spec import GOOD, MasksSpec
from flawscope.data.table import walk_images
from flawscope.data.table_file import TABLE_SUFFIXES, read_table
from flawscope.data.table_guess import TO_SPLIT, group_column, too_few_groups
from flawscope.data.words import meaning
from flawscope.errors import DataError, ImageError
from flawscope.preprocess import open_image
from flawscope.records import Samples
from flawscope.wording import counted

FITTING = 0.5
"""So many of the masks must fit an image, and of the images in a folder of flawed ones show a flaw."""
LOOKED_AT = 20
"""So many pictures of a folder are looked at to see whether they are masks."""
FEW_VALUES = 16
"""A picture of no more values than these, black among them, may be a mask."""
LARGEST = 500_000_000
"""A JSON file of more bytes is not opened to see whether it is a COCO file."""


@dataclass(frozen=True)
class MaskGuess:
    """How the masks are read, what to tell the user, and the samples that come of it, bad ones left out."""

    spec: MasksSpec
    said: tuple[str, ...]
    samples: Samples


def guess_masks(place: Path, images: Path | None = None, fewest_groups: int = TO_SPLIT) -> MaskGuess | None:
    """The masks of a folder, of a table of codes or of a COCO file; nothing where there are none that can be read.

    `images` is the folder of the images, where they do not lie beside a table or COCO file. `fewest_groups`: see
    `table_guess.group_column`; for a table that says which images are of one part.
    """
    for spec, said in _guesses(place, images, fewest_groups):
        try:
            samples = _read(spec)
        except DataError:
            continue
        if not len(samples):
            continue
        notes = tuple(f"{words[:1].upper()}{words[1:]}." for words in samples.notes)
        named = _classes_by_folder(spec, samples)
        if named is not None:
            by_folder, words = named
            return MaskGuess(by_folder, (*said, words, *notes), _read(by_folder))
        named_by, more = _named(spec, samples)
        return MaskGuess(named_by, (*said, *more, *notes), samples)
    return None


def why_none(place: Path, images: Path | None = None, fewest_groups: int = TO_SPLIT) -> list[str]:
    """Where it looks as if there were masks, and none can be read: why, in words."""
    words = []
    for spec, _ in _guesses(place, images, fewest_groups):
        name = (spec.table or spec.coco or spec.masks or spec.images).name
        try:
            read(spec, Path.cwd(), complete=False)
        except DataError as error:
            first = " ".join(line.strip() for line in error.problem.splitlines()[:2])
            words.append(f"what {name} holds as masks cannot be used: {first}")
    if place.is_dir() and not words:
        named = [path.name for path in _folders(place)[1] if path.name.casefold() in BESIDE]
        words += [_why_no_pairs(place, place / name) for name in named]
    return words


def _why_no_pairs(place: Path, mask_root: Path) -> str:
    """Why no picture of a folder of masks is the mask of an image beside it."""
    masks = list(walk_images(mask_root))
    images = [path for path in walk_images(place) if not path.is_relative_to(mask_root)]
    if not masks or not images:
        return f"{mask_root.name} holds no {'picture' if images else 'mask of an image: there is none'}"
    for root in sorted({path.parents[-len(place.parts) - 1] for path in images if path.parent != place}):
        try:
            pair_masks([path for path in images if path.is_relative_to(root)], root, mask_root)
        except DataError as error:
            if "two masks" in error.problem or "two images" in error.problem:
                return error.problem
    return (
        f"{mask_root.name} holds no mask that has the name of an image: a mask is called {masks[0].name}, an image "
        f"{images[0].name} (data.suffix says what else the names of masks have)"
    )


def _read(spec: MasksSpec) -> Samples:
    return read(spec.model_copy(update={"on_bad": "skip"}), Path.cwd(), complete=False)


Guess = tuple[MasksSpec, tuple[str, ...]]


def _guesses(place: Path, images: Path | None, fewest: int) -> Iterator[Guess]:
    """The likeliest first: files that list masks, then folders of masks, then masks beside the images."""
    root = images or (place if place.is_dir() else place.parent)
    if not root.is_dir():
        return
    yield from _listed(place, root, fewest)
    if place.is_dir() and images is None:
        tables = [path for path in sorted(place.iterdir()) if path.suffix.lower() in TABLE_SUFFIXES]
        for spec, said in itertools.chain(_apart(place), _beside(place)):
            images_of = [path for path in walk_images(spec.images) if not _is_mask(path, spec.masks, spec.suffix)]
            yield _with_facts((spec, said), tables, ImageFinder(spec.images), fewest, images_of)


def _listed(place: Path, root: Path, fewest: int) -> Iterator[Guess]:
    """Tables of codes and COCO files, those that name most of the images first."""
    finder, found = ImageFinder(root), []
    files = [place] if place.is_file() else sorted(path for path in place.iterdir() if path.is_file())
    for path in files:
        named = _images_named(path, finder)
        if named:
            found.append((len(named), path, named))
    for _, path, named in sorted(found, key=lambda each: -each[0]):
        folder = Path(os.path.commonpath([image.parent for image in named]))
        key = "coco" if path.suffix.lower() == ".json" else "table"
        what = "a COCO file" if key == "coco" else "a table of run-length codes"
        said: tuple[str, ...] = (
            f"{path.name} is {what}: it names {len(named):,} images in {folder.name} (data.{key}).",
        )
        besides = [f"{other.name} ({len(names):,} images)" for _, other, names in found if other != path]
        if besides:
            said = (*said, f"Not used: {', '.join(besides)}, which could be read as masks, too.")
        spec = MasksSpec.model_validate({"images": folder, key: path})
        others = [other for other in files if other != path and other.suffix.lower() in TABLE_SUFFIXES]
        yield _with_facts((spec, said), others, finder, fewest)


def _images_named(path: Path, finder: ImageFinder) -> list[Path]:
    """The images that a table of codes or a COCO file names; none if it is neither."""
    try:
        if path.suffix.lower() in TABLE_SUFFIXES and is_mask_table(path):
            names = list(read_mask_table(path).codes)
        elif path.suffix.lower() == ".json" and path.stat().st_size <= LARGEST:
            names = list(read_coco(path).images)
        else:
            return []
    except DataError:
        return []
    return [image for image in map(finder.find, names) if isinstance(image, Path)]


def _with_facts(
    guess: Guess, tables: Sequence[Path], finder: ImageFinder, fewest: int, wanted: Sequence[Path] = ()
) -> Guess:
    """A table that says which images are of one part, where there is one; of what is not used, the columns.

    It must name all of the `wanted` images.
    """
    spec, said = guess
    unused = []
    for path in tables:
        try:
            table = read_table(path)
        except DataError:
            continue
        image = find_image_column(table, finder)
        if image is None or is_mask_table(path):
            continue
        others = [name for name in table.columns if name != image and table.columns.count(name) == 1]
        group = group_column(table, others, fewest)
        if group is not None and {*wanted} <= {*map(finder.find, table.column(image))}:
            words = (
                f"Images of the same {group!r} in {path.name} are kept on one side of every split (data.group_column)."
            )
            update = {"facts": path, "image_column": image, "group_column": group}
            return spec.model_copy(update=update), (*said, words)
        if few := too_few_groups(table, others):
            said = (*said, f"{few}: of so few no split can be made.")
        if others:
            unused.append(f"Columns of {path.name} that are not used: {', '.join(others)}.")
    return spec, (*said, *unused)


def _apart(place: Path) -> Iterator[Guess]:
    """Folders of masks, by name or by what they hold, each with the folder beside it whose images fit it best."""
    folders, masks = _folders(place)
    for mask_root in masks:
        best = max(
            (
                (_fitting(root, mask_root, suffix), -place, root, suffix)
                for place, root in enumerate([path for path in folders if path not in masks])
                for suffix in _suffixes(mask_root)
            ),
            key=lambda each: each[:2],
            default=None,
        )
        if best and best[0] >= FITTING:
            _, _, root, suffix = best
            spec = MasksSpec(images=root, masks=mask_root, suffix=suffix)
            said = [f"The pictures in {mask_root.name} are the masks of those in {root.name} (data.masks)."]
            unused = [path.name for path in folders if path not in masks and path != root]
            if unused:
                said.append(f"Other folders are not used: {', '.join(unused)}; pictures in them are not used, either.")
            yield _for_pictures(spec, said)


def _folders(place: Path) -> tuple[list[Path], list[Path]]:
    """The folders of a folder; and those of masks: whose name says so, or, where none does, that hold few values."""
    folders = [path for path in sorted(place.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    named = [path for path in folders if path.name.casefold() in BESIDE]
    return folders, named or [path for path in folders if len(folders) > 1 and _of_few_values(path)]


def _of_few_values(folder: Path) -> bool:
    """Whether the first pictures of a folder hold few values each, black among them, as masks do and photos do not."""
    some = list(itertools.islice(walk_images(folder), LOOKED_AT))
    for path in some:
        try:
            values = np.unique(np.asarray(open_image(path).convert("L")))
        except ImageError:
            return False
        if values[0] != 0 or len(values) > FEW_VALUES:
            return False
    return bool(some)


def _beside(place: Path) -> Iterator[Guess]:
    """Masks among the images: PNG of the same name, or told by the end of the name."""
    for suffix in _suffixes(place):
        if _fitting(place, None, suffix) >= FITTING:
            how = f"of the same name with {suffix} (data.suffix)" if suffix else "of the same name, as PNG"
            spec = MasksSpec(images=place, suffix=suffix)
            yield _for_pictures(spec, [f"Masks lie beside the images, {how}."])


def _suffixes(folder: Path) -> list[str]:
    """What the names of masks may end in: what some name in the folder does end in."""
    stems = [path.stem.casefold() for path in walk_images(folder)]
    return [suffix for suffix in SUFFIXES if any(stem.endswith(suffix) for stem in stems)]


def _fitting(root: Path, mask_root: Path | None, suffix: str) -> float:
    """The share of the masks that fit an image, or of the images that have one: the smaller of both beside them."""
    images = [path for path in walk_images(root) if not _is_mask(path, mask_root, suffix)]
    try:
        pairs = pair_masks(images, root, mask_root, suffix)
    except DataError:
        return 0.0
    of_masks = len(pairs.masks) / (len(pairs.masks) + len(pairs.strays))
    return of_masks if mask_root is not None else min(of_masks, len(pairs.masks) / len(images))


def _is_mask(path: Path, mask_root: Path | None, suffix: str) -> bool:
    if mask_root is not None:
        return False
    return path.stem.casefold().endswith(suffix) if suffix else path.suffix.lower() == ".png"


def _for_pictures(spec: MasksSpec, said: list[str]) -> Guess:
    """With what folders tell of parts, and of images without masks."""
    root = spec.images
    images = [path for path in walk_images(root) if not _is_mask(path, spec.masks, spec.suffix)]
    pairs = pair_masks(images, root, spec.masks, spec.suffix)
    spec, said = _in_colours(spec, list(pairs.masks.values()), said)
    without = pairs.without
    places = {path.relative_to(root).parts[:-1] for path in without}
    if without and all(any(meaning(name) == "good" for name in parts) for parts in places):
        spec = spec.model_copy(update={"without": "good"})
        said.append("Images in folders of good parts have no mask: they have no flaw (data.without: good).")
    elif without:
        said.append(
            f"{counted(len(without), 'images', 'have')} no mask. If that means that they have no flaw, set "
            "data.without: good."
        )
    folders = [path.relative_to(root).parts[:-1] for path in images]
    part_level = find_part_level(folders, class_level=-1)
    if part_level is not None:
        spec = spec.model_copy(update={"part_level": part_level})
        said.append(
            f"Folders name a published split (data.part_level: {part_level}). It is not used: nobody has checked it "
            "for images of the same part on both sides. All images are pooled and split anew. To keep it, without the "
            "images that would leak, set split.published: keep."
        )
    return spec, tuple(said)


def _in_colours(spec: MasksSpec, masks: Sequence[Path], said: list[str]) -> tuple[MasksSpec, list[str]]:
    """With a name for each colour, where the masks are in colours and none is said."""
    if not in_colours(masks):
        return spec, said
    colours = guess_colours(masks, spec.negative or GOOD)
    if colours is None:
        return spec, said
    named = ", ".join(f"{name} {list(colour)}" for name, colour in colours.items())
    words = f"The colours of the masks stand for classes: {named}. Give them names in data.colours."
    return spec.model_copy(update={"colours": colours}), [*said, words]


def _named(spec: MasksSpec, samples: Samples) -> Guess:
    """The classes by name, so that other images of the same kind, which may lack one, are read alike."""
    classes = samples.task.classes
    if spec.table is not None or spec.coco is not None:
        seen_k = (samples.target_nk >= 0.5).sum(axis=0)
        unseen = [name for name, n in zip(classes, seen_k, strict=True) if n == 0]
        said = (f"No mask shows {', '.join(unseen)}: left out of data.classes.",) if unseen else ()
        return spec.model_copy(update={"classes": [name for name in classes if name not in unseen]}), said
    if samples.task.pixels == "multilabel":
        return spec, (f"Bright means flawed; what is marked is called {classes[0]!r} (data.flaw).",)
    if spec.colours is not None:
        return spec, ()
    values = f"The values of the masks stand for classes: {', '.join(classes)}."
    if classes != tuple(str(value) for value in range(1, len(classes) + 1)):
        return spec, (values,)
    return spec.model_copy(update={"classes": list(classes)}), (f"{values} Give them names in data.classes.",)


def _classes_by_folder(spec: MasksSpec, samples: Samples) -> tuple[MasksSpec, str] | None:
    """Whether folders name the flaw of binary masks: one holds good images only, and the others flawed ones."""
    if spec.table is not None or spec.coco is not None or len(samples.task.classes) > 1:
        return None
    folders = {row.id: tuple(row.id.split("/")[:-1]) for row in samples.rows}
    level = class_level(list(folders.values()))
    if level is None or level == spec.part_level:
        return None
    size: Counter[str] = Counter()
    flawed: defaultdict[str, int] = defaultdict(int)
    for row in samples.rows:
        if len(folders[row.id]) > level:
            size[folders[row.id][level]] += 1
            flawed[folders[row.id][level]] += any(row.target)
    good = [name for name in size if not flawed[name]]
    if len(good) > 1 or len(size) - len(good) < 1 or not _all_flawed(size, flawed, good):
        return None
    update: dict[str, object] = {"level": level, "classes": sorted(set(size) - set(good))}
    if good and meaning(good[0]) != "good":
        update["negative"] = good[0]
    names = ", ".join(sorted(set(size) - set(good)))
    words = f"Folders name the flaw (data.level: {level}): {names}. For one class of flaws set data.flaw: flaw."
    return spec.model_copy(update=update), words


def _all_flawed(size: Mapping[str, int], flawed: Mapping[str, int], good: Sequence[str]) -> bool:
    return all(flawed[name] >= FITTING * n for name, n in size.items() if name not in good)
