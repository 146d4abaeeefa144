"""Folders named like the classes: root/CLASS/x.png, or root/train/CLASS/x.png with `level: 1`."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

from flawscope.data.spec import FoldersSpec
from flawscope.data.table import Row, Table, check_parts_named, name_it, natural, published_part, walk_images
from flawscope.data.words import good_class, to_be_found
from flawscope.errors import DataError, choices
from flawscope.records import Skipped, Task

LAYOUT = """expected one folder a class, with the images in it:
  FOLDER/ok/part1.png
  FOLDER/ok/part2.png
  FOLDER/scrap/part3.png
or a table beside the images (CSV) that names image and label in each row
or masks of their flaws: FOLDER/images/part1.png and FOLDER/masks/part1.png, or a table of run-length codes (CSV)"""


def load_folders(spec: FoldersSpec, base: Path) -> Table:
    """One row an image; its class is the name of the folder `spec.level` folders below the root.

    Raises:
        DataError: the root is missing, fewer than two classes, or a class that is not among the folders.
    """
    root = base / spec.root
    if not root.is_dir():
        what = "not a folder" if root.exists() else "the folder does not exist"
        raise DataError(f"{root}: {what} (data.root)", f"{name_it('root', 'FOLDER')}\n{LAYOUT}")
    found: list[tuple[Path, str]] = []
    words: dict[Path, str] = {}
    strays: list[Skipped] = []
    bad: list[Skipped] = []
    for path in walk_images(root, frozenset(spec.ignore)):
        if spec.pattern and not fnmatch(path.name.lower(), spec.pattern.lower()):
            continue
        folders = path.relative_to(root).parts[:-1]
        where = path.relative_to(root).as_posix()
        if len(folders) <= spec.level:
            strays.append(Skipped(where, "lies in no class folder"))
            continue
        if spec.part_level is not None and len(folders) <= spec.part_level:
            bad.append(Skipped(where, "lies in no folder that names its part (data.part_level)"))
            continue
        found.append((path, folders[spec.level]))
        if spec.part_level is not None:
            words[path] = folders[spec.part_level]
    check_parts_named(words.values(), "data.part_level")
    order = sorted((path for path, _ in found), key=lambda path: natural(path.relative_to(root).as_posix()))
    position = {path: place for place, path in enumerate(order)}
    task = _task(spec, Counter(name for _, name in found), root)
    rows = []
    for path, name in found:
        id = path.relative_to(root).as_posix()
        if task.kind == "binary":
            target: tuple[float, ...] = (float(name in task.classes),)
        else:
            target = tuple(float(name == other) for other in task.classes)
        part = published_part(words[path]) if path in words else None
        rows.append(Row(id, path, target, id, position=position[path], part=part))
    return Table(
        name=root.resolve().name,
        task=task,
        rows=tuple(rows),
        bad=tuple(bad),
        strays=tuple(strays),
        source=f"class folders of {root.resolve().name}",
    )


def _task(spec: FoldersSpec, count: Counter[str], root: Path) -> Task:
    names = spec.classes or sorted(count)
    pattern = f" of the name {spec.pattern!r}" if spec.pattern else ""
    if not count:
        raise DataError(f"{root}: no images{pattern} in class folders (data.level is {spec.level})", LAYOUT)
    unlisted = sorted(set(count) - set(names))
    if unlisted:
        raise DataError(
            f"{root}: the folders {', '.join(unlisted)} are not among data.classes ({', '.join(names)})",
            "add them to data.classes, or to data.ignore",
        )
    if len(names) < 2:
        raise DataError(
            f"{root}: images{pattern} in one class folder only: {names[0]!r}",
            "a task needs images of at least two classes, each in a folder of its own; is data.level right?",
        )
    if spec.positive is not None and spec.positive not in names:
        raise DataError(f"{root}: data.positive is {spec.positive!r}, no such folder", choices(spec.positive, names))
    if len(names) > 2:
        if spec.positive is not None:
            raise DataError(
                f"{root}: data.positive is for two classes, found {len(names)}: {', '.join(names)}",
                "leave data.positive out, or put the other folders into data.ignore",
            )
        return Task("multiclass", tuple(names), negative=good_class(names) or "ok")
    positive = spec.positive or to_be_found(names)
    if positive is None:
        raise DataError(
            f"{root}: which of {names[0]!r} and {names[1]!r} is to be found cannot be told from the names",
            f"set data.positive, for example data.positive: {names[1]}",
        )
    return Task("binary", (positive,), negative=next(name for name in names if name != positive))
