"""From the `data:` part of a recipe to the one table of samples, every image proven readable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flawscope.data.class_folders import load_folders
from flawscope.data.csv_table import load_csv
from flawscope.data.elpv import load_elpv
from flawscope.data.groups import grouped
from flawscope.data.progress import on_all_cores
from flawscope.data.spec import CsvSpec, DataSpec, ElpvSpec
from flawscope.data.table import Row, Table
from flawscope.errors import DataError, ImageError, listing
from flawscope.preprocess import Preprocess, open_image, prepare
from flawscope.records import Sample, Samples, Skipped
from flawscope.storage import sha256_file
from flawscope.wording import counted

Crop = tuple[int, int, int, int]
PROBE = Preprocess(size=(8, 8), channels=1)


def read(spec: DataSpec, base: Path, *, complete: bool = True, crop: Crop | None = None) -> Samples:
    """Import a data set: every image is hashed and decoded once, so that nothing fails hours later.

    `base` is the folder that relative paths count from. With `complete` every class must have samples, as training
    needs; a set that is only inspected may lack some. `crop` (left, top, right, bottom) must lie inside every picture.

    Raises:
        DataError: lists all bad rows and unreadable images (unless `spec.on_bad` is "skip"), or says what is missing.
    """
    if isinstance(spec, ElpvSpec):
        table = load_elpv(spec, base)
    elif isinstance(spec, CsvSpec):
        table = load_csv(spec, base)
    else:
        table = load_folders(spec, base)
    table = grouped(table, spec.groups)
    samples, unreadable = check_images(table.rows, crop)
    bad = (*table.bad, *unreadable)
    if bad and spec.on_bad == "error":
        raise DataError(
            f"{table.name}: {len(bad)} bad rows or unreadable images:\n"
            + listing([f"{problem.where}: {problem.reason}" for problem in bad]),
            "mend or remove them, or set data.on_bad: skip",
        )
    result = Samples(
        name=table.name,
        task=table.task,
        rows=tuple(samples),
        skipped=(*bad, *table.strays),
        grouping=table.grouping,
        source=table.source,
    )
    _check_classes(result, table, complete)
    return result


def check_images(rows: Sequence[Row], crop: Crop | None = None) -> tuple[list[Sample], list[Skipped]]:
    """Hash and decode every image: those that can be used as samples, and the others with the reason."""
    samples, unreadable = [], []
    checks = on_all_cores(partial(_check, crop=crop), rows, "checking images")
    for row, (sha256, reason) in zip(rows, checks, strict=True):
        if reason:
            unreadable.append(Skipped(row.id.encode(errors="replace").decode(), reason))
        else:
            samples.append(Sample(row.id, str(row.path), row.target, row.group, sha256, row.meta, row.part))
    return samples, unreadable


def _check(row: Row, crop: Crop | None) -> tuple[str, str]:
    """The file's hash, or the reason why it cannot be used."""
    try:
        row.id.encode()
    except UnicodeEncodeError:
        return "", "the file's name is not valid UTF-8: rename it"
    try:
        image = open_image(row.path)
        if crop is not None and (crop[2] > image.width or crop[3] > image.height):
            return "", f"{image.width} x {image.height} pixels, too small for the crop {crop}"
        prepare(image.crop((0, 0, 1, 1)), PROBE)  # the one place that knows which kinds of pixels are usable
        return sha256_file(row.path), ""
    except ImageError as error:
        return "", error.problem.removeprefix(f"{row.path}: ")
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"


def _check_classes(samples: Samples, table: Table, complete: bool) -> None:
    task = samples.task
    if not samples.rows:
        left_out = f" ({len(samples.skipped)} were skipped)" if samples.skipped else ""
        raise DataError(f"{table.name}: no sample is left{left_out}", "check the paths, the labels and data.on_bad")
    if not complete:
        return
    present_k = (samples.target_nk >= 0.5).sum(axis=0)
    lacking = [f"no image is {name!r}" for name, n in zip(task.classes, present_k, strict=True) if n == 0]
    if task.kind != "multiclass":
        lacking += [
            f"every image is {name!r}" for name, n in zip(task.classes, present_k, strict=True) if n == len(samples)
        ]
    if lacking:
        raise DataError(
            f"{table.name}: {'; '.join(lacking)} ({counted(len(samples), 'images')})",
            "a class can be learnt only from images with it and images without it: add some, or leave the class out",
        )
