"""How a folder of class folders is laid out: which folders name the classes, and what lies beside the images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from flawscope.data.spec import FoldersSpec
from flawscope.data.table import names_parts, walk_images
from flawscope.data.words import meaning, to_be_found

PARTITIONS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "holdout"))
BESIDE = frozenset(("mask", "masks", "ground_truth", "groundtruth", "gt", "annotations", "annotation", "segmentation"))
CONTAINERS = frozenset(("images", "image", "imgs", "img", "pictures", "bilder", "data", "dataset", "jpegimages"))
DEEPEST = 4

Guess = tuple[FoldersSpec, list[str]]


def guess_folders(root: Path) -> Guess | None:
    """The spec for a folder of class folders and what to tell the user; nothing if no folders name classes."""
    folders = {path: path.relative_to(root).parts[:-1] for path in walk_images(root)}
    said: list[str] = []
    ignore = sorted({name for parts in folders.values() for name in parts if name.casefold() in BESIDE})
    if ignore and any(not set(ignore) & set(parts) for parts in folders.values()):
        said.append(f"Folders named {', '.join(ignore)} are passed over: they seem to hold masks, not pictures.")
        folders = {path: parts for path, parts in folders.items() if not set(ignore) & set(parts)}
    else:
        ignore = []
    level = class_level(list(folders.values()))
    if level is None:
        return None
    passed = sorted({name for parts in folders.values() for name in parts[:level]})
    published = [name for name in passed if name.casefold() in PARTITIONS]
    part_level = find_part_level(folders.values(), level)
    if part_level is not None:
        said.append(
            f"Folders name a published split (data.part_level: {part_level}). It is not used: nobody has checked it "
            "for images of the same part on both sides. All images are pooled and split anew. To keep it, without the "
            "images that would leak, set split.published: keep."
        )
    elif published:
        said.append(
            f"The published split ({', '.join(published)}) is not used: nobody has checked it for images of the same "
            "part on both sides. All images are pooled and split anew."
        )
    count = Counter(parts[level] for parts in folders.values() if len(parts) > level)
    pattern, words = _without_masks([path for path, parts in folders.items() if len(parts) > level])
    if pattern:
        said.append(words)
        count = Counter(p[level] for f, p in folders.items() if len(p) > level and f.match(pattern))
    positive = None
    if len(count) == 2:
        positive, words = choose_positive(count)
        said.append(words)
    spec = FoldersSpec(
        root=root,
        level=level,
        part_level=part_level,
        pattern=pattern,
        positive=positive,
        ignore=ignore,
        classes=sorted(count),
    )
    return spec, said


def find_part_level(folders: Iterable[tuple[str, ...]], class_level: int) -> int | None:
    """The folder level that names the part of a published split for every image that has a class.

    >>> find_part_level([("train", "ok"), ("test", "ok"), ("test", "nok")], class_level=1)
    0
    >>> find_part_level([("train", "ok"), ("extra", "ok"), ("test", "nok")], class_level=1)
    """
    labelled = [parts for parts in folders if len(parts) > class_level]
    for level in range(min(map(len, labelled), default=0)):
        if level != class_level and names_parts(parts[level] for parts in labelled):
            return level
    return None


def choose_positive(count: Counter[str]) -> tuple[str, str]:
    """Which of two classes is to be found: the one whose name says so, else the rarer; and that in words."""
    names = sorted(count)
    found = to_be_found(names)
    if found is not None:
        return found, f"The class to be found is {found!r}, as its name tells (data.positive)."
    rarer = min(names, key=lambda name: count[name])
    return rarer, (
        f"The names do not tell which of {names[0]!r} and {names[1]!r} is the fault: the rarer one, {rarer!r}, is "
        "taken for the class to be found. If that is wrong, change data.positive."
    )


def class_level(folders: Sequence[tuple[str, ...]]) -> int | None:
    """The highest level whose folders look like classes."""
    for level in range(DEEPEST):
        names = {parts[level] for parts in folders if len(parts) > level}
        below = {parts[level + 1] for parts in folders if len(parts) > level + 1}
        if len(names) < 2 or all(name.casefold() in PARTITIONS | CONTAINERS for name in names):
            continue
        if not any(map(meaning, names)) and any(map(meaning, below)):
            continue
        return level
    return None


def _without_masks(paths: Sequence[Path]) -> tuple[str, str]:
    """A pattern that leaves out the masks where most pictures have a PNG of the same name beside them."""
    suffixes: defaultdict[tuple[Path, str], set[str]] = defaultdict(set)
    for path in paths:
        suffixes[path.parent, path.stem].add(path.suffix)
    pairs = Counter(tuple(sorted(found)) for found in suffixes.values())
    pair, n = pairs.most_common(1)[0] if pairs else ((), 0)
    masks = [suffix for suffix in pair if suffix.lower() == ".png"]
    if len(pair) != 2 or len(masks) != 1 or n < 0.5 * len(suffixes):
        return "", ""
    picture = next(suffix for suffix in pair if suffix not in masks)
    return f"*{picture}", (
        f"{n:,} images {picture} have a {masks[0]} of the same name beside them: taken for masks, which are not used "
        f'as pictures (data.pattern: "*{picture}").'
    )
