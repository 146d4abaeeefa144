"""From the `data:` part of a recipe to the one table of samples, every image proven readable."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from flawscope.data.check import Crop, check_image, check_images, skipped
from flawscope.data.class_folders import load_folders
from flawscope.data.csv_table import load_csv
from flawscope.data.elpv import load_elpv
from flawscope.data.groups import grouped
from flawscope.data.mask_values import Shades
from flawscope.data.masked import Draw, load_masked
from flawscope.data.progress import on_all_cores
from flawscope.data.settled import settle
from flawscope.data.spec import CsvSpec, DataSpec, ElpvSpec, MasksSpec
from flawscope.data.table import Row, Table
from flawscope.errors import DataError, UserError, listing
from flawscope.records import Masks, Sample, Samples, Skipped
from flawscope.wording import counted


def read(spec: DataSpec, base: Path, *, complete: bool = True, crop: Crop | None = None) -> Samples:
    """Import a data set: every image is hashed and decoded once, so that nothing fails hours later.

    `base` is the folder that relative paths count from. With `complete` every class must have samples, as training
    needs; a set that is only inspected may lack some. `crop` (left, top, right, bottom) must lie inside every picture.

    Raises:
        DataError: lists all bad rows and unreadable images (unless `spec.on_bad` is "skip"), or says what is missing.
    """
    if isinstance(spec, MasksSpec):
        table, samples, unreadable = _with_masks(spec, base)
    else:
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
        what = "bad row or unreadable image" if len(bad) == 1 else "bad rows or unreadable images"
        raise DataError(
            f"{table.name}: {len(bad):,} {what}:\n"
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
        notes=table.notes,
    )
    _check_classes(result, table, complete)
    if result.task.pixels and all(any(row.target) for row in result.rows):
        words = "every image shows a flaw: what a good one looks like cannot be told, nor how often one is rejected"
        result = replace(result, notes=(*result.notes, words))
    return result


def _with_masks(spec: MasksSpec, base: Path) -> tuple[Table, list[Sample], list[Skipped]]:
    """The table with the task that the masks pose, its samples with masks, and what cannot be used."""
    masked = load_masked(spec, base)
    table = grouped(masked.table, spec.groups)
    checks = on_all_cores(partial(_image_and_masks, draw=masked.draw), table.rows, "checking images and masks")
    usable: list[tuple[Row, str, Masks | Shades]] = []
    bad = []
    for row, (sha256, drawn) in zip(table.rows, checks, strict=True):
        if isinstance(drawn, str):
            bad.append(skipped(row, drawn))
        else:
            usable.append((row, sha256, drawn))
    if bad and (not usable or spec.on_bad == "error"):  # before more is said of masks that are half there
        return table, [], bad
    settled = settle(spec, masked, [row for row, _, _ in usable], [drawn for _, _, drawn in usable])
    samples = []
    for (row, sha256, _), masks in zip(usable, settled.masks, strict=True):
        if isinstance(masks, str):
            bad.append(skipped(row, masks))
        else:
            found = Sample(row.id, str(row.path), masks.shown, row.group, sha256, row.meta, row.part, masks)
            samples.append(found)
    return replace(table, task=settled.task), samples, bad


def _image_and_masks(row: Row, draw: Draw) -> tuple[str, Masks | Shades | str]:
    """The file's hash and what is read of its masks, or in words why it cannot be used."""
    image = check_image(row)
    if image.reason:
        return "", image.reason
    try:
        return image.sha256, draw(row.path, image.height, image.width)
    except UserError as error:
        return "", f"{error.problem}: {error.remedy}" if error.remedy else error.problem


def _check_classes(samples: Samples, table: Table, complete: bool) -> None:
    task = samples.task
    if not samples.rows:
        times = Counter(each.reason for each in samples.skipped)  # what is said of all alike comes last
        why = [f"{each.where}: {each.reason}" for each in sorted(samples.skipped, key=lambda each: times[each.reason])]
        left_out = f" ({len(why)} were skipped):\n{listing(why)}" if why else ""
        raise DataError(f"{table.name}: no sample is left{left_out}", "check the paths, the labels and data.on_bad")
    if not complete:
        return
    present_k = (samples.target_nk >= 0.5).sum(axis=0)
    leave = "leave the class out"
    lacking = [f"no image is {name!r}" for name, n in zip(task.classes, present_k, strict=True) if n == 0]
    if task.pixels:
        lacking = [f"no mask shows {name!r}" for name, n in zip(task.classes, present_k, strict=True) if n == 0]
        leave = "leave the class out of data.classes"
        others = [name for name, n in zip(task.classes, present_k, strict=True) if n]
        if task.pixels == "multilabel" and others:  # they go by name, so that the others can be named
            leave += f": --set 'data.classes={json.dumps(others)}' (rows of a table that name it must go, too)"
    elif task.kind != "multiclass":
        lacking += [
            f"every image is {name!r}" for name, n in zip(task.classes, present_k, strict=True) if n == len(samples)
        ]
    if lacking:
        needed = "images that show it" if task.pixels else "images with it and images without it"
        raise DataError(
            f"{table.name}: {'; '.join(lacking)} ({counted(len(samples), 'images')})",
            f"a class can be learnt only from {needed}: add some, or {leave}",
        )
