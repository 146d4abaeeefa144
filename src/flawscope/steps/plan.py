"""`flawscope plan`: how many images are needed for a promise or an interval, and what more of them would bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flawscope.data.findings import class_members
from flawscope.data.groups import identical_groups
from flawscope.data.look import look
from flawscope.data.spec import FoldersSpec
from flawscope.data.split import SplitSpec
from flawscope.data.table import ALONE
from flawscope.data.unlabelled import read_one_kind
from flawscope.errors import DataError, SplitError, UserError
from flawscope.evaluation.class_promise import class_promise
from flawscope.evaluation.plan_sizes import INSTEAD, Sizes, interval_sizes, no_escape_at_all, promise_sizes
from flawscope.evaluation.wanted import COUNTED, POWER, Wanted
from flawscope.records import PARTS, Samples, Split, Task
from flawscope.steps.audit import is_recipe, skipping
from flawscope.steps.metrics_document import source
from flawscope.steps.split import split_samples
from flawscope.steps.workspace import Run, Say, fold_runs
from flawscope.storage import write_json
from flawscope.training.recipe import Recipe, load_recipe
from flawscope.wording import counted, percent_up

FRACTIONS = (0.125, 0.25, 0.5, 1.0)
REPEATS = 3
NO_SPLIT = "no split can be made yet ({}): counts by the shares of the recipe, groups without the search for twins"
TWO_ENDS = (
    "how many images of one group are worth shows only after training, so there are two ends: each image counts, or "
    "each group as one, as in a contract (decide.units: groups); --correlation says one number"
)
BY_CORRELATION = (
    "images of a group are counted by the correlation that was said; a contract counts each group as one, or, by "
    "decide.units: effective, reckons with the upper limit of the correlation that it finds"
)
PRICE = "what a promise costs in good parts that are rejected shows only after training"


@dataclass(frozen=True)
class Plan:
    """What came of it, as in plan.json (of a learning curve: curve.json in the folder)."""

    document: Mapping[str, Any]
    folder: Path | None = None

    @property
    def page(self) -> Path | None:
        """The page of a learning curve."""
        return None if self.folder is None else self.folder / "index.html"


def plan(
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    max_escape: float | None = None,
    confidence: float = 0.95,
    escapes: int = 0,
    expected_escape: float | None = None,
    power: float = POWER,
    groups_of: float = 1.0,
    correlation: float | None = None,
    prevalence: float | None = None,
    measure: str | None = None,
    value: float | None = None,
    half_width: float | None = None,
    learning_curve: bool = False,
    fractions: Sequence[float] = FRACTIONS,
    repeats: int = REPEATS,
    reach: float | None = None,
    images: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    resume: bool = False,
    say: Say = lambda words: None,
) -> Plan:
    """Say how many images are needed: for a promise, for an interval, for each class of data, or by a learning curve.

    Args:
        data: a recipe, a run folder (its split), class folders, a table of labels, or "elpv"; none: counts alone.
        output: where to write the same as JSON; of a learning curve the folder, by default plans/NAME.
        max_escape: the promise: at most this share of the defective parts passes.
        confidence: of the promise, or of the interval.
        escapes: so many defective parts of the calibration part may pass.
        expected_escape: the share that truly passes, as far as is known; asks for the number with which the promise
            can be made with a probability of `power`.
        power: see there.
        groups_of: so many parts belong together and resemble each other; of `data` the groups are known.
        correlation: how much they do: 0 not at all, 1 as if they were one part; none: both ends are said.
        prevalence: the share of defective parts among those that are labelled; of `data` it is known.
        measure: the share that is to be measured, see `evaluation.wanted.COUNTED`; recall, if only a width is given.
        value: its value as far as is known.
        half_width: half of the width that its interval may have.
        learning_curve: train the recipe on ever more of its training part, and extrapolate.
        fractions: of the training part, of the learning curve.
        repeats: trainings of each fraction, each on another subset and with another seed.
        reach: the value of the recipe's watched measure that is wanted.
        images: the folder of the images of a table that does not lie beside them.
        overrides: `key=value` on top of a recipe.
        overwrite: replace a learning curve that is there.
        resume: go on with the learning curve that is there.
        say: is told in words what goes on.

    Raises:
        UserError: nothing was asked, a number means nothing, or recipe, data or place cannot be used.
    """
    if overrides and (data is None or not is_recipe(data)):
        raise UserError("--set changes a recipe, and none was named", "leave --set out, or name a recipe (.yaml)")
    wanted = Wanted(
        max_escape, confidence, escapes, expected_escape, power, groups_of, correlation, prevalence, measure, value,
        half_width,
    )  # fmt: skip
    if learning_curve:
        _check_curve(data, wanted, fractions, repeats)
        from flawscope.steps.learning_curve import measure_curve

        assert data is not None
        folder = Path(output) if output else Path("plans") / Path(data).stem
        document = measure_curve(
            data, folder, fractions, repeats, reach=reach, overrides=overrides, overwrite=overwrite, resume=resume,
            say=say,
        )  # fmt: skip
        return Plan(document, folder)
    if reach is not None or resume:
        raise UserError(f"--{'resume' if resume else 'reach'} belongs to a learning curve", "add --learning-curve")
    if data is None:
        _check_alone(wanted)
    if output is not None and Path(output).is_dir():
        raise UserError(f"{output} is a folder", "name a .json file for what was planned")
    place = Path(output).parent if output else Path("runs")
    document = _counts(wanted, data, images=images, overrides=overrides, folder=place, say=say)
    if output is not None:
        write_json(output, document)
    return Plan(document)


def _check_curve(data: str | Path | None, wanted: Wanted, fractions: Sequence[float], repeats: int) -> None:
    """Refuse what no learning curve can be made of, before anything is read."""
    if data is None or not is_recipe(data):
        raise UserError(
            "a learning curve trains a recipe, and none was named", "flawscope plan RECIPE --learning-curve"
        )
    if wanted != Wanted():
        raise UserError("a learning curve takes no promise and no interval", "plan them with a command of their own")
    wrong = [each for each in fractions if not 0 < each <= 1]
    if wrong:
        raise UserError(f"--fractions {wrong[0]:g}: expected shares of the training part, above 0 and up to 1",
                        "for example --fractions 0.125,0.25,0.5,1")  # fmt: skip
    if len(set(fractions)) != len(fractions) or len(fractions) < 2:
        raise UserError("--fractions: expected at least two different shares", "four or more allow an extrapolation")
    if repeats < 1:
        raise UserError(f"--repeats {repeats}: expected at least 1", "two or more allow an extrapolation")


def _check_alone(wanted: Wanted) -> None:
    """Refuse what says nothing without data."""
    if wanted.max_escape is None and wanted.half_width is None:
        raise UserError(
            "nothing was asked",
            "name a promise (--max-escape 0.01), an interval (--measure recall --half-width 0.02), your data, or a "
            "recipe with --learning-curve",
        )
    if wanted.max_escape is None and wanted.escapes:
        raise UserError("--escapes is part of a promise", "name the promise: --max-escape 0.01")
    if wanted.correlation is not None and wanted.groups_of == 1:
        raise UserError(
            f"--correlation {wanted.correlation:g} is that of the parts of a group, and no groups were named",
            "say how many parts belong together: --groups-of 5",
        )


def _counts(
    wanted: Wanted,
    data: str | Path | None,
    *,
    images: str | Path | None,
    overrides: Sequence[str],
    folder: Path,
    say: Say,
) -> dict[str, Any]:
    """Everything but the learning curve."""
    found = None if data is None else _Found.of(data, images, overrides, folder / ".cache", say)
    if found is not None and wanted.groups_of != 1:
        raise UserError("--groups-of: the groups of these data are known", "leave it out; --correlation is enough")
    shares = found.shares if found else SplitSpec().wanted
    prevalence = wanted.prevalence if wanted.prevalence or found is None else found.prevalence

    def promise(asked: Wanted) -> dict[str, Any]:
        sizes = found.sizes("defective parts") if found else None
        return promise_sizes(asked, shares["calibration"], prevalence, sizes)

    content: dict[str, Any] = {
        "schema": 1,
        "asked": asdict(wanted),
        "promise": None,
        "interval": None,
        "data": None,
        "notes": [],
    }
    if wanted.max_escape is not None:
        content["promise"] = promise(wanted) if wanted.max_escape else no_escape_at_all(wanted.confidence)
    if wanted.half_width:
        sizes = found.sizes(COUNTED[wanted.measure or "recall"]) if found else None
        content["interval"] = interval_sizes(wanted, shares["test"], prevalence, sizes)
    if found is None:
        return content
    content["data"] = {**found.document(), "classes": found.classes(wanted), "needed": []}
    if not any(found.defects.values()) and not wanted.max_escape:
        content["data"]["needed"] = [promise(replace(wanted, max_escape=rate)) for rate in INSTEAD]
    content["notes"] = [*found.notes, *_foretold(content["data"]["classes"], wanted)]
    return content | source(found.samples)


def _foretold(classes: Sequence[Mapping[str, Any]], wanted: Wanted) -> Iterator[str]:
    """What no plan can know of the classes that are there."""
    if any(row["groups"] < row["images"] for row in classes):
        yield TWO_ENDS if wanted.correlation is None else BY_CORRELATION
    yield from (_of_all_parts(row, wanted) for row in classes if "parts" in row["support"])
    if any(row["images"] for row in classes):
        yield PRICE


def _of_all_parts(row: Mapping[str, Any], wanted: Wanted) -> str:
    """What the groups of a class allow to be said of all its images, where they differ in size."""
    found = row["support"]["parts"]
    best = f"at best {percent_up(found['best'])}" if found["best"] < 1 else "nothing"
    said = (
        f"{row['name']}: the groups differ in size; of all images, each counted alike (decide.units: parts), they "
        f"allow {best} if none passes"
    )
    if found["lacking"]:
        return f"{said}; {counted(found['lacking'], 'groups')} more such as these would do"
    return said


@dataclass(frozen=True)
class _Found:
    """Data, and the split that would be made of them; none where they do not suffice for one or hold no defect."""

    recipe: Recipe
    samples: Samples
    split: Split | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: str | Path, images: str | Path | None, overrides: Sequence[str], cache: Path, say: Say) -> _Found:
        """Read a run with its split, or data, and split them as a run would."""
        folder = Path(data)
        if (folder / "recipe.yaml").is_file():
            run = Run.at(folder)
            say(f"reading the data of {folder}, and its split")
            notes = (f"split as the run is: {run.split.stamp}", f"groups of the run's split: {run.split.method}")
            return cls(run.recipe, run.samples, run.split, notes)
        if runs := fold_runs(folder):
            raise UserError(
                f"{data} is a cross-validation: each of its folds has its own split",
                f"name one of them: {runs[0].folder}",
            )
        found = cls(*_read(data, images, overrides, say))
        if not any(found.defects.values()):
            return found
        searched = ", and looking for those of the same thing" if found.recipe.split.twins == "find" else ""
        say(f"splitting {counted(len(found.samples), 'images')} as a run would{searched}")
        try:
            split = split_samples(found.recipe, found.samples, cache=cache, say=say)[0].split
        except SplitError as error:
            grouping = found.samples.grouping if found.recipe.split.respected == "data" else ALONE
            return replace(
                found, notes=(NO_SPLIT.format(error.problem), f"groups: {grouping}; byte-identical files joined")
            )
        notes = (f"split as a run would: {split.stamp}", f"groups of the split that a run would make: {split.method}")
        return replace(found, split=split, notes=notes)

    @property
    def shares(self) -> Mapping[str, float]:
        """Which share of the images each part is given."""
        return dict(self.recipe.split.wanted.items()) if self.split is None else self.split.wanted

    @property
    def defects(self) -> dict[str, list[str]]:
        """The sample ids of each class that is a defect."""
        return {name: ids for name, ids in class_members(self.samples).items() if name in defects_of(self.samples.task)}

    @property
    def group(self) -> Mapping[str, str]:
        """The group of each sample id: of the split, or, where there is none, without the search for twins."""
        return self.split.group if self.split else identical_groups(self.samples, self.recipe.split.respected)

    def sizes(self, of: str) -> Sizes:
        """How many of these parts stand in a group, see `evaluation.wanted.COUNTED`."""
        defective = {id for ids in self.defects.values() for id in ids}
        group = self.group
        if of == "parts":
            return Sizes.of(group.values())
        # Which parts are called defective shows only after training: they are taken for those that are.
        return Sizes.of(group[row.id] for row in self.samples.rows if (row.id in defective) == (of != "good parts"))

    @property
    def prevalence(self) -> float | None:
        """The share of images that show any defect; none where there is none."""
        shown = {id for ids in self.defects.values() for id in ids}
        return len(shown) / len(self.samples) if 0 < len(shown) < len(self.samples) else None

    def document(self) -> dict[str, Any]:
        """The data in numbers."""
        split = self.split
        return {
            "name": self.samples.name,
            "images": len(self.samples),
            "prevalence": self.prevalence,
            "stamp": None if split is None else split.stamp,
            "shares": dict(self.shares),
            "parts": None if split is None else {part: len(split.ids(part)) for part in PARTS},
        }

    def classes(self, wanted: Wanted) -> list[dict[str, Any]]:
        """What each class supports."""
        group = self.group
        part = self.split.part if self.split else {}
        calibrated = self.shares["calibration"]
        found = []
        for name, ids in self.defects.items():
            inside = [id for id in ids if part.get(id) == "calibration"]
            if self.split is None:  # the first of them stand for the share that will fall to the calibration part
                inside = ids[: round(calibrated * len(ids))]
            share = len(inside) / len(ids) if inside else calibrated
            held = [group[id] for id in inside]
            groups = len({group[id] for id in ids})
            promise = class_promise(name, len(ids), groups, held, share=share, wanted=wanted)
            found.append(promise.as_dict() | {"parts": self._parts(ids)})
        return found

    def _parts(self, ids: Sequence[str]) -> dict[str, dict[str, int]] | None:
        """How many images and groups of these stand in each part."""
        if self.split is None:
            return None
        held = {part: [id for id in ids if self.split.part.get(id) == part] for part in PARTS}
        return {
            part: {"images": len(inside), "groups": len({self.split.group[id] for id in inside})}
            for part, inside in held.items()
        }


def _read(data: str | Path, images: str | Path | None, overrides: Sequence[str], say: Say) -> tuple[Recipe, Samples]:
    """A recipe and its samples, or what can be told of data without one."""
    if is_recipe(data):
        recipe = load_recipe(data, overrides)
        return recipe, skipping(recipe.data, recipe.image.crop)
    try:
        finding = look(data, images)
    except DataError:
        samples = read_one_kind(data)
        if samples is None:
            raise
        return Recipe(name="plan", data=FoldersSpec(root=Path(data))), samples
    for words in finding.unused:
        say(words)
    recipe = Recipe(name="plan", data=finding.spec)
    return recipe, skipping(recipe.data, recipe.image.crop)


def defects_of(task: Task) -> tuple[str, ...]:
    """The classes whose being called good is an escape: all but the good one, where there is one.

    >>> defects_of(Task("binary", ("nok",), "ok")), defects_of(Task("multiclass", ("crack", "free"), "free"))
    (('nok',), ('crack',))
    """
    return tuple(name for name in task.classes if name != task.negative)
