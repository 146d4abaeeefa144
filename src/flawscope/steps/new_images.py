"""Labelled images that are new to a bundle: read, told apart from what it has learnt from, and grouped.

Two things make a number on new images too good: images of what the bundle has learnt from, and many images of one thing
that count as many. Identical files are always found, by their hashes in the bundle. Images of the same thing are found
by the leak court (`flawscope.data.court`): among the new ones in any case, and between them and what the bundle has
learnt from where its run is at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from flawscope.bundle.archive import Contents
from flawscope.bundle.manifest import Column
from flawscope.data.findings import contrary
from flawscope.data.groups import identical_groups
from flawscope.data.linkage import link_samples
from flawscope.data.look import look
from flawscope.data.read import read
from flawscope.data.spec import CsvSpec, DataSpec, FoldersSpec
from flawscope.data.split import SplitSpec
from flawscope.errors import DataError, UserError, choices
from flawscope.metadata import known as value_of
from flawscope.records import NOT_CHECKED, Pair, Samples, Task
from flawscope.steps.new_groups import NOTHING_SAID, SaidGroups
from flawscope.wording import counted

if TYPE_CHECKING:
    from flawscope.steps.workspace import Run

Search = Literal["find", "identical"]
"""As `split.twins` of a recipe: whether images of the same thing are searched for, or identical files only."""
SEEN = ("train", "validation", "calibration")
NOT_ASKED = f"{NOT_CHECKED}: images of the same thing were not searched for (--twins identical), only identical files"
NO_COURT = (
    f"{NOT_CHECKED}: images of the same thing were not searched for, only identical files: the search is not installed "
    'here (pip install "flawscope[report]")'
)
NO_RUN = (
    f"{NOT_CHECKED} against what the bundle has learnt from: only identical files were found, as its run is not at "
    "hand (--known RUN names it)"
)


@dataclass(frozen=True)
class NewImages:
    """Images that are new to a bundle and the group of each id; what was left out, and what was searched for."""

    samples: Samples
    group: Mapping[str, str]
    left_out: tuple[str, ...]
    checked: tuple[str, ...]


def new_images(
    data: str | Path,
    bundle: Path,
    contents: Contents,
    task: Task,
    columns: Sequence[Column] = (),
    *,
    parts: Sequence[str] = SEEN,
    known: str | Path | None = None,
    twins: Search = "find",
    groups: SaidGroups = NOTHING_SAID,
    remedy: str = "evaluate on images that it has never seen",
) -> NewImages:
    """Labelled images in the bundle's words, without those of these parts of it.

    Args:
        data: a recipe, class folders, a table of labels, or "elpv".
        bundle: its file: a run that it lies in is taken as `known`.
        contents: of the bundle.
        task: of the bundle.
        columns: the metadata that it takes.
        parts: of the bundle's data that are not new to it.
        known: the bundle's run folder, whose images are compared with these.
        twins: "find", or "identical" files only.
        groups: what is said of images of one part; else the data say it, or the recipe of the bundle's run.
        remedy: what to do if none is left.

    Raises:
        DataError: they cannot be used, or none is left; the images of `known` are not there any more.
        UserError: `known` is not the bundle's run, or `twins` is neither of both.
    """
    if twins not in get_args(Search):
        raise UserError(f"--twins {twins!r}", choices(twins, get_args(Search)))
    if known is not None and twins == "identical":
        raise UserError("--known and --twins identical contradict each other", "leave one of them out")
    read_in, unused = labelled(data, task, [column.name for column in columns], groups)
    read_in, by = groups.by_name(read_in, _patterns(bundle, contents, known))
    samples, unused = renamed(read_in, task), (*unused, *by)
    check_metadata(samples, columns)
    fresh, left_out = unseen(samples, contents.evidence.get("provenance", {}).get("contents", {}), parts, remedy)
    if twins == "identical":
        return NewImages(fresh, identical_groups(fresh), left_out, (*unused, NOT_ASKED))
    try:
        from flawscope.data.court.verdict import METHOD, find_twins
    except ModuleNotFoundError:
        if known is not None:
            raise
        return NewImages(fresh, identical_groups(fresh), left_out, (*unused, NO_COURT))
    run, against = _known_run(bundle, contents, known), NO_RUN
    if run is not None:
        fresh, more, against = _without_twins(fresh, run, parts, remedy)
        left_out = (*left_out, *more)
    found = find_twins(fresh)
    linked = link_samples(fresh, found, SplitSpec().largest_group)
    among = f"leak checked among these images: {METHOD}; {_pairs(fresh, found.pairs)}"
    note = (f"leak check: {found.facts['note']}",) if found.facts.get("note") else ()
    cut = (linked.words,) if linked.cut else ()
    return NewImages(fresh, linked.group, left_out, (*unused, among, *cut, *note, against))


def _pairs(samples: Samples, pairs: Sequence[Pair]) -> str:
    """What was found among new images, in words."""
    if not pairs:
        return "no two of them show the same thing"
    images = len({id for pair in pairs for id in (pair.a, pair.b)})
    words = f"{images:,} of {len(samples):,} show the same thing as another one, and those that do count together"
    wrong = contrary(samples, pairs)[1]
    pairs_of = "a pair" if wrong == 1 else f"{wrong:,} pairs"
    return words + (f"; {pairs_of} of them with different labels: see flawscope audit" if wrong else "")


def run_of(folder: str | Path, contents: Contents, remedy: str) -> Run:
    """The run in a folder, which the bundle comes from.

    Raises:
        UserError: there is none, or the bundle comes from another one.
    """
    from flawscope.steps.workspace import Run

    run = Run.at(folder)
    if run.split.hash != contents.manifest.hashes.split:
        raise UserError(f"{folder} is not the run that the bundle comes from", remedy)
    return run


def _known_run(bundle: Path, contents: Contents, known: str | Path | None) -> Run | None:
    """The run that is named; or, if it can be read, the one in whose folder the bundle lies.

    Raises:
        UserError: another run is named.
        DataError: the images of the named one are not what they were. Of one that is not named nothing is asked.
    """
    place = bundle.absolute().parent if known is None else Path(known)
    if known is None and not ((place / "recipe.yaml").is_file() and (place / "split.json").is_file()):
        return None
    try:
        run = run_of(place, contents, "name its run, or leave --known out")
        len(run.samples)  # reads them: they are there, and those that it was made with
    except UserError:
        if known is not None:
            raise
        return None
    return run


def _patterns(bundle: Path, contents: Contents, known: str | Path | None) -> tuple[str, ...]:
    """The pattern that the recipe of the bundle groups by, where its run is at hand and recipes can be read."""
    try:
        run = run_of(bundle.absolute().parent if known is None else known, contents, "")
        pattern = run.recipe.data.groups.pattern
    except (UserError, ModuleNotFoundError):  # what is wrong with a run that is named is said where its images are read
        return ()
    return () if pattern is None else (pattern,)


def _without_twins(fresh: Samples, run: Run, parts: Sequence[str], remedy: str) -> tuple[Samples, tuple[str, ...], str]:
    """The images that show nothing that these parts of the run show; how many were left out, and what was compared.

    Raises:
        DataError: none is left, or the images of the run are not there any more.
    """
    from flawscope.data.court.proof import Prover
    from flawscope.data.court.verdict import METHOD

    part_of = {name: part for name, part in run.split.part.items() if part in parts}
    learnt = run.samples.select(part_of)
    rows = [replace(row, id=f"known/{row.id}", group=f"known/{row.group}") for row in learnt.rows]
    rows += [replace(row, id=f"new/{row.id}", group=f"new/{row.group}") for row in fresh.rows]
    both = Samples(fresh.name, fresh.task, tuple(rows))
    side_n = np.repeat([0, 1], [len(learnt), len(fresh)])
    twin: dict[str, str] = {}
    for pair in Prover.of(both).across(side_n).pairs:
        a, b = sorted((pair.a, pair.b))  # known before new
        twin.setdefault(b.removeprefix("new/"), part_of[a.removeprefix("known/")])
    against = (
        f"leak checked against the {', '.join(parts)} parts of its run: {METHOD}, {counted(len(learnt), 'images')}"
    )
    left_out = []
    for part in parts:
        count = sum(found == part for found in twin.values())
        if count:
            images = counted(count, "images")
            left_out.append(f"{images} left out: an image of the same thing is in the bundle's {part} part")
    if len(twin) == len(fresh):
        raise DataError(
            f"all {len(fresh)} images show what images that the bundle was made with show: a number on them would say "
            "nothing",
            remedy,
        )
    return fresh.select(row.id for row in fresh.rows if row.id not in twin), tuple(left_out), against


def check_metadata(samples: Samples, columns: Sequence[Column]) -> None:
    """See that labelled data bring the columns that a bundle takes beside the picture.

    Raises:
        DataError: one of them is known of no image.
    """
    for column in columns:
        if all(value_of(row.meta, column.name) is None for row in samples.rows):
            raise DataError(
                f"the bundle also takes metadata, and the data bring no {column.words()}",
                "name a table with this column beside image and label, or a recipe of such a table",
            )


def labelled(
    data: str | Path, task: Task, columns: Sequence[str] = (), groups: SaidGroups = NOTHING_SAID
) -> tuple[Samples, tuple[str, ...]]:
    """Labelled samples from a recipe, class folders, a table, or the word elpv; and what is there and is not used.

    Of a table these columns are read as metadata, whether a recipe names them or not. Folders named as the bundle's own
    answers are taken as such: some may be missing, as where all parts are good.
    """
    path = Path(data)
    if path.suffix.lower() in (".yaml", ".yml"):
        from flawscope.training.recipe import load_recipe

        spec = with_columns(groups.column_in(load_recipe(path).data), columns)
        return read(spec, Path.cwd(), complete=False), ()
    folders = {each.name for each in path.iterdir() if each.is_dir()} if path.is_dir() else set()
    if folders & set(task.labels) and folders <= set(task.labels) and task.kind != "multilabel":
        positive = task.classes[0] if task.kind == "binary" else None
        folder = FoldersSpec(root=path, classes=list(task.labels), positive=positive)
        return read(groups.column_in(folder), Path.cwd(), complete=False), ()
    finding = look(data, masks=bool(task.pixels), fewest_groups=1)
    spec = with_columns(groups.column_in(finding.spec), columns)
    return read(spec, Path.cwd(), complete=False), finding.unused


def with_columns(spec: DataSpec, columns: Sequence[str]) -> DataSpec:
    """The same data, with these columns of a table as metadata; a column that was guessed to be a label is none."""
    if not isinstance(spec, CsvSpec) or not columns:
        return spec
    labels = [name for name in spec.label_columns if name not in columns]
    return spec.model_copy(
        update={
            "meta_columns": list(dict.fromkeys([*spec.meta_columns, *columns])),
            "label_columns": labels or spec.label_columns,
        }
    )


def renamed(samples: Samples, task: Task) -> Samples:
    """The samples with the bundle's order of classes. Masks stay where the bundle makes some.

    Raises:
        DataError: a label that the bundle does not know, another kind of task, or no masks for a bundle of masks.
    """
    if samples.task == task:
        return samples
    if task.pixels or samples.task.pixels:
        return _renamed_masks(samples, task)
    mine, theirs = set(task.classes) | {task.negative}, {samples.task.describe(row.target) for row in samples.rows}
    if task.kind == "multilabel":
        mine, theirs = set(task.classes), set(samples.task.classes)
    fits = theirs == mine if task.kind == "multilabel" else theirs <= mine
    if (samples.task.kind == "multilabel") != (task.kind == "multilabel") or not fits:
        raise DataError(
            f"the data are {samples.task.kind} with the labels {', '.join(sorted(theirs))}; "
            f"the bundle is {task.kind} and knows {', '.join(sorted(mine))}",
            "name the folders or labels as the bundle does",
        )
    if task.kind == "multilabel":
        order = [samples.task.classes.index(name) for name in task.classes]
        rows = tuple(replace(row, target=tuple(row.target[c] for c in order)) for row in samples.rows)
    else:
        words = [samples.task.describe(row.target) for row in samples.rows]
        rows = tuple(
            replace(row, target=tuple(float(name == word) for name in task.classes))
            for row, word in zip(samples.rows, words, strict=True)
        )
    return Samples(samples.name, task, rows, samples.skipped, samples.grouping, samples.source)


def _renamed_masks(samples: Samples, task: Task) -> Samples:
    """The same of samples with masks, which may lack some of the bundle's classes."""
    theirs = samples.task.classes
    if not (task.pixels and samples.task.pixels) or not set(theirs) <= set(task.classes):
        have, make = (
            f"masks of {', '.join(each.classes)}" if each.pixels else "no masks" for each in (samples.task, task)
        )
        raise DataError(
            f"the data have {have}; the bundle makes {make}",
            f"name the classes as the bundle does, in a recipe (`flawscope new`), by data.classes, data.colours "
            f"or data.flaw, here {', '.join(task.classes)}"
            if task.pixels and samples.task.pixels
            else "give data with masks to a bundle that makes masks, and others to one that makes none",
        )
    rows = []
    for row in samples.rows:
        assert row.masks is not None
        code_of = dict(zip(theirs, row.masks.codes, strict=True))
        masks = replace(row.masks, codes=tuple(code_of.get(name, "") for name in task.classes))
        rows.append(replace(row, target=masks.shown, masks=masks))
    return replace(samples, task=task, rows=tuple(rows))


def unseen(
    samples: Samples, contents: Mapping[str, Sequence[str]], parts: Sequence[str], remedy: str
) -> tuple[Samples, tuple[str, ...]]:
    """The samples whose files are in none of these parts of the bundle's data, and how many were left out.

    Raises:
        DataError: none is left.
    """
    seen = {part: set(contents.get(part, ())) for part in parts}
    fresh = [row.id for row in samples.rows if not any(row.sha256 in hashes for hashes in seen.values())]
    left_out = []
    for part, hashes in seen.items():
        count = sum(row.sha256 in hashes for row in samples.rows)
        if count:
            left_out.append(f"{counted(count, 'images')} left out: the bundle's {part} part holds the same files")
    if not fresh:
        raise DataError(
            f"all {len(samples)} images were used to make the bundle: a number on them would say nothing", remedy
        )
    return samples.select(fresh), tuple(left_out)
