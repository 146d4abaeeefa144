"""`flawscope audit`: what a data set is, which of its images show the same thing, and what a random split would hide.

Nothing stops an audit but an empty folder: what is unreadable, contradictory or of one class only is described.
Letters: n images, d features, k classes, f folds.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.data import findings
from flawscope.data.census import take_census
from flawscope.data.check import Crop
from flawscope.data.groups import contradictions
from flawscope.data.linkage import spread
from flawscope.data.look import look
from flawscope.data.mask_census import mask_facts
from flawscope.data.progress import on_all_cores
from flawscope.data.read import read
from flawscope.data.spec import DataSpec
from flawscope.data.split import SplitSpec, make_folds
from flawscope.data.table import walk_images
from flawscope.data.unlabelled import read_unlabelled
from flawscope.errors import DataError, SplitError, UserError
from flawscope.evaluation.leak_probe import leak_probe
from flawscope.evaluation.sample_size import class_size
from flawscope.preprocess import Preprocess, load
from flawscope.records import BoolArray, FloatArray, Sample, Samples, Split, Twins
from flawscope.spreadsheet import safe_cell
from flawscope.steps.evaluate import source
from flawscope.steps.split import search
from flawscope.steps.workspace import Say
from flawscope.storage import check_replaceable, check_writable, new_folder, write_text

FOLDS = 5
FILE_PASSED_OVER = (
    "The group file {} (split.file) is passed over: groups are shown as the data and the pairs make them."
)
PROBE = Preprocess(size=(32, 32), channels=1)
PROBED = 6000
"""The probe looks at no more images than these, whole groups of them: more would take long and say the same."""
NOTHING_TO_COMPARE = (
    "no image shares its group with another and no pair was found, so both splits are random: there is nothing to "
    "compare"
)
SHIFT = ("shift_down", "shift_right")
COLUMNS = ("a", "b", "kind", "measure", "needed", "turn", *SHIFT, "label_a", "label_b", "published_a", "published_b")
NOTICES = 5


@dataclass(frozen=True)
class Audit:
    """The folder that was written, and all numbers of audit.json."""

    folder: Path
    document: dict[str, Any]

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.folder / "index.html"


@dataclass(frozen=True)
class _Asked:
    """What is to be audited: its samples, how it would be split, and what to tell the user."""

    samples: Samples
    split: SplitSpec
    labelled: bool = True
    said: tuple[str, ...] = ()


def audit(
    data: str | Path,
    output: str | Path | None = None,
    *,
    court: bool = False,
    images: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    say: Say = lambda words: None,
) -> Audit:
    """Describe a data set, find its images of the same thing, and write audit.json, pairs.csv and index.html.

    Args:
        data: class folders, a table of labels, a folder of pictures without any labels, a recipe, or "elpv".
        output: the folder to write; by default audits/NAME.
        court: also train two small models on a random and on a grouped split: the difference is the leak.
        images: the folder of the images of a table that does not lie beside them.
        overrides: `key=value` on top of a recipe, such as `split.largest_group=0.05`.
        overwrite: replace an audit that is there.
        say: is told in words what goes on.

    Raises:
        DataError: there is nothing that can be read.
        RecipeError: the recipe cannot be used.
        OutputError: the folder exists and is no audit or `overwrite` is off, or it cannot be written.
    """
    if overrides and not is_recipe(data):
        raise UserError(
            f"{data} is no recipe: there is nothing to set",
            f"leave --set out, or make a recipe of it (flawscope new {shlex.quote(str(data))}) and audit that",
        )
    folder = Path(output) if output else Path("audits") / _name(data)
    check_replaceable(folder, overwrite, kind="an audit", ours=lambda place: (place / "audit.json").is_file())
    check_writable(folder)  # a place that cannot be written to is noticed now and not after the long part
    if court:
        import_module("sklearn")  # missing, it is missed now and not after the long part
    asked = _read(data, images, overrides)
    samples = asked.samples
    told = _notices(asked)
    for words in told[:NOTICES]:
        say(words)
    if len(told) > NOTICES:
        say(f"... and {len(told) - NOTICES} more notices, see the page")
    twins = search(samples, folder.parent / ".cache", say)
    document = describe(asked, twins)
    if court:
        document["probe"] = _probe(samples, twins, asked)
    from flawscope.pages.audit import AuditContent, write_audit

    with new_folder(folder, overwrite=overwrite) as beside:
        write_text(beside / "audit.json", as_json(document))
        write_text(beside / "pairs.csv", as_csv(_listed(document)))
        shown = {id for ids in document["examples"].values() for id in ids}
        masks = {row.id: row.masks for row in samples.rows if row.masks is not None and row.id in shown}
        write_audit(beside, AuditContent(document, {row.id: row.path for row in samples.rows}, masks))
    return Audit(folder, document)


def describe(asked: _Asked, twins: Twins) -> dict[str, Any]:
    """All findings but the probe, as plain data."""
    samples = asked.samples
    label = samples.combination_of
    groups, group = findings.group_facts(samples, twins, asked.split.largest_group, asked.split.groups)
    members = findings.class_members(samples)
    sizes = [class_size(name, len(ids), len({group[id] for id in ids})).as_dict() for name, ids in members.items()]
    return {
        "schema": 1,
        "name": samples.name,
        "source": samples.source,
        "notices": _notices(asked),
        "labelled": asked.labelled,
        "task": {"kind": samples.task.kind, "classes": samples.task.classes, "negative": samples.task.negative},
        "n": len(samples),
        "skipped": [{"where": each.where, "reason": each.reason} for each in samples.skipped],
        "combinations": dict(Counter(label.values()).most_common()),
        "class_sizes": sizes if asked.labelled else [],
        "pictures": take_census(samples).as_dict(label),
        "masks": mask_facts(samples),
        "examples": findings.examples(samples),
        "identical": findings.copies(samples),
        "groups": groups,
        "published": findings.published_facts(samples, twins.pairs),
        "court": findings.court_facts(samples, twins),
        "probe": None,
        **source(samples),
        "review": findings.pair_rows(samples, findings.contrary(samples, twins.pairs)[0]),
        "pairs": findings.pair_rows(samples, twins.pairs),
    }


def _notices(asked: _Asked) -> list[str]:
    return [*asked.said, *asked.samples.notes, *contradictions(asked.samples)]


def _listed(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What pairs.csv lists: the pairs, and those to be reviewed that are none of them, as identical files have it."""
    pairs = document["pairs"]
    there = {(pair["a"], pair["b"]) for pair in pairs}
    return [*pairs, *(pair for pair in document["review"] if (pair["a"], pair["b"]) not in there)]


def as_json(document: dict[str, Any]) -> str:
    """The document as JSON, readable, with one line for each pair: there may be very many.

    >>> as_json({"n": 2, "pairs": []})
    '{\\n "n": 2,\\n "pairs": []\\n}\\n'
    """
    head = json.dumps({**document, "pairs": []}, indent=1, ensure_ascii=False, allow_nan=False)
    lines = ",\n".join(json.dumps(pair, ensure_ascii=False, allow_nan=False) for pair in document["pairs"])
    start, _, end = head.rpartition("[]")
    return f"{start}[{chr(10) + lines + chr(10) if lines else ''}]{end}\n"


def as_csv(pairs: Sequence[dict[str, Any]]) -> str:
    """The pairs as a table for a spreadsheet."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for pair in pairs:
        cells = {**pair, **dict(zip(SHIFT, pair["shift"], strict=True))}
        writer.writerow({key: safe_cell(cell) for key, cell in cells.items()})
    return stream.getvalue()


def is_recipe(data: str | Path) -> bool:
    """Whether the name is that of a recipe."""
    return Path(data).suffix.lower() in (".yaml", ".yml")


def _name(data: str | Path) -> str:
    """The name of the audit's folder.

    >>> _name("recipes/parts.yaml"), _name("elpv")
    ('parts', 'elpv')
    """
    path = Path(data)
    return path.stem if path.is_file() or is_recipe(path) else (path.name or path.resolve().name or "data")


def _read(data: str | Path, images: str | Path | None, overrides: Sequence[str]) -> _Asked:
    """The samples of whatever was named. A folder whose labels cannot be told is read without labels."""
    if is_recipe(data):
        from flawscope.training.recipe import load_recipe

        recipe = load_recipe(data, overrides)
        said = (FILE_PASSED_OVER.format(recipe.split.file),) if recipe.split.file is not None else ()
        return _Asked(skipping(recipe.data, recipe.image.crop), recipe.split, said=said)
    try:
        found = look(data, images)
        return _Asked(skipping(found.spec), SplitSpec(), said=found.unused)
    except DataError as error:
        if not Path(data).is_dir() or next(walk_images(Path(data)), None) is None:
            raise
        first, *others = error.problem.removeprefix(f"{data}: ").splitlines()
        details = f" ({'; '.join(line.strip() for line in others)})" if others else ""
        words = f"The pictures are audited without labels: {first}{details}."
        return _Asked(read_unlabelled(data), SplitSpec(), labelled=False, said=(words,))


def skipping(spec: DataSpec, crop: Crop | None = None) -> Samples:
    """The samples of any data that can be read: what cannot be used is left out, and classes may be missing."""
    return read(spec.model_copy(update={"on_bad": "skip"}), Path.cwd(), complete=False, crop=crop)


def _probe(samples: Samples, twins: Twins, asked: _Asked) -> dict[str, Any]:
    """The leak in numbers, or the reason why it cannot be measured."""
    if not asked.labelled:
        return {"reason": "without labels nothing can be learnt"}
    try:
        spec = asked.split.model_copy(update={"published": "ignore", "file": None, "fold": 0})
        folds = make_folds(samples, spec, FOLDS, twins)
        group = folds[0].group
        if not twins.pairs and len(set(group.values())) == len(samples):
            return {"reason": NOTHING_TO_COMPARE}
        rows = _some(samples, group)
        place = {row.id: i for i, row in enumerate(rows)}
        fold_n = _fold_numbers(folds, place)
        probe = leak_probe(
            _features(rows),
            samples.select(place).target_nk,
            samples.task.kind,
            fold_n,
            [group[id] for id in place],
            _random_folds(samples.select(place)),
            seed=asked.split.seed,
            train_allowed_nf=_allowed(samples, twins, place, fold_n),
        )
    except (SplitError, DataError) as error:
        return {"reason": error.problem}
    found = probe.as_dict()
    if len(rows) < len(samples):
        found["notes"] = [f"{len(rows)} of {len(samples)} images were used, whole groups of them", *found["notes"]]
    return found


def _some(samples: Samples, group: Any) -> list[Sample]:
    """All samples, or about `PROBED` of them in whole groups, drawn with a fixed seed."""
    if len(samples) <= PROBED:
        return list(samples.rows)
    size = Counter(group[row.id] for row in samples.rows)
    names = sorted(size)
    chosen, total = set(), 0
    for index in np.random.default_rng(0).permutation(len(names)):
        if total + size[names[index]] <= PROBED:
            chosen.add(names[index])
            total += size[names[index]]
    return [row for row in samples.rows if group[row.id] in chosen]


def _fold_numbers(folds: Sequence[Split], place: dict[str, int]) -> Any:
    fold_n = np.full(len(place), -1, dtype=np.int64)
    for number, split in enumerate(folds):
        for id in split.ids("test"):
            if id in place:
                fold_n[place[id]] = number
    assert (fold_n >= 0).all(), "each sample is in the test part of one fold"
    return fold_n


def _random_folds(samples: Samples) -> Any:
    """What most people do: shuffle the images of each label and deal them out one by one."""
    random = np.random.default_rng(0)
    words_n = np.array(samples.combinations())
    fold_n = np.empty(len(samples), dtype=np.int64)
    dealt = 0
    for words in sorted(set(words_n)):
        index = random.permutation(np.flatnonzero(words_n == words))
        fold_n[index] = (dealt + np.arange(len(index))) % FOLDS
        dealt += len(index)
    return fold_n


def _allowed(samples: Samples, twins: Twins, place: dict[str, int], fold_n: Any) -> BoolArray:
    """Which images may be trained on when a fold is tested: none that makes a pair with one of the fold; n x f."""
    allowed_nf = np.ones((len(place), FOLDS), dtype=np.bool_)
    for _, *sides in spread(samples, twins.pairs):
        a, b = (np.array([place[row.id] for row in side if row.id in place], np.int64) for side in sides)
        for these, others in ((a, b), (b, a)):
            allowed_nf[np.ix_(these, np.unique(fold_n[others]))] = False
    return allowed_nf


def _features(rows: Sequence[Sample]) -> FloatArray:
    """The grey pixels of each picture, made small: n x d, 0 to 1."""
    pixels = on_all_cores(partial(load, spec=PROBE), [row.path for row in rows], "reading for the probe")
    return np.array([each.ravel() / 255 for each in pixels], dtype=np.float64)
