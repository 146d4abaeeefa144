"""`flawscope plan`: how many images are needed for a promise or an interval, and what more of them would bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flawscope.data.findings import class_members
from flawscope.data.groups import identical_groups
from flawscope.data.look import look
from flawscope.data.split import SplitSpec
from flawscope.errors import SplitError, UserError
from flawscope.evaluation.class_promise import class_promise
from flawscope.evaluation.wanted import Wanted, interval_sizes, promise_sizes
from flawscope.records import PARTS, Samples, Split, Task
from flawscope.steps.audit import is_recipe, skipping
from flawscope.steps.evaluate import source
from flawscope.steps.split import split_samples
from flawscope.steps.workspace import Say
from flawscope.storage import write_json
from flawscope.training.recipe import Recipe, load_recipe

FRACTIONS = (0.125, 0.25, 0.5, 1.0)
REPEATS = 3
NO_SPLIT = "no split can be made yet ({}): counts by the shares of the recipe, groups without the search for twins"
FORETOLD = (
    "how many images of one group are worth shows only after training, so there are two ends: each image counts, or "
    "each group (--correlation says one number); so does what a promise costs in good parts that are rejected"
)


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
    power: float = 0.8,
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
        data: a recipe, class folders, a table of labels, or "elpv"; none: counts alone.
        output: where to write the same as JSON; of a learning curve the folder, by default plans/NAME.
        max_escape: the promise: at most this share of the defective parts passes.
        confidence: of the promise, or of the interval.
        escapes: so many defective parts of the calibration part may pass.
        expected_escape: the share that truly passes, as far as is known; asks for the number with which the promise
            can be made with a probability of `power`.
        power: see there.
        groups_of: so many parts belong together and resemble each other; of `data` the groups are known.
        correlation: how much they do: 0 not at all, 1 as if they were one part.
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
    if data is None and max_escape is None and half_width is None:
        raise UserError(
            "nothing was asked",
            "name a promise (--max-escape 0.01), an interval (--measure recall --half-width 0.02), your data, or a "
            "recipe with --learning-curve",
        )
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
    spec = found.recipe.split if found else SplitSpec()
    prevalence = wanted.prevalence if wanted.prevalence or found is None else found.prevalence
    classes = None if found is None else found.classes(wanted)
    return {
        "schema": 1,
        "asked": asdict(wanted),
        "promise": promise_sizes(wanted, spec.calibration, prevalence) if wanted.max_escape else None,
        "interval": interval_sizes(wanted, spec.test, prevalence) if wanted.half_width else None,
        "data": None if found is None else found.document() | {"classes": classes},
        "notes": [] if found is None else [*found.notes, FORETOLD],
        **({} if found is None else source(found.samples)),
    }


@dataclass(frozen=True)
class _Found:
    """Data, and the split that would be made of them; none where they do not suffice for one."""

    recipe: Recipe
    samples: Samples
    split: Split | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, data: str | Path, images: str | Path | None, overrides: Sequence[str], cache: Path, say: Say) -> _Found:
        if is_recipe(data):
            recipe = load_recipe(data, overrides)
        else:
            finding = look(data, images)
            for words in finding.unused:
                say(words)
            recipe = Recipe(name="plan", data=finding.spec)
        samples = skipping(recipe.data, recipe.image.crop)
        searched = ", and looking for those of the same thing" if recipe.split.twins == "find" else ""
        say(f"splitting {len(samples):,} images as a run would{searched}")
        try:
            split = split_samples(recipe, samples, cache=cache)[0].split
        except SplitError as error:
            return cls(recipe, samples, None, (NO_SPLIT.format(error.problem),))
        return cls(recipe, samples, split, (f"split as a run would: {split.stamp}",))

    @property
    def defects(self) -> dict[str, list[str]]:
        """The sample ids of each class that is a defect."""
        return {name: ids for name, ids in class_members(self.samples).items() if name in defects_of(self.samples.task)}

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
            "shares": {str(part): share for part, share in self.recipe.split.wanted.items()},
            "parts": None if split is None else {part: len(split.ids(part)) for part in PARTS},
        }

    def classes(self, wanted: Wanted) -> list[dict[str, Any]]:
        """What each class supports."""
        group = self.split.group if self.split else identical_groups(self.samples, self.recipe.split.respected)
        part = self.split.part if self.split else {}
        calibrated = self.recipe.split.calibration
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


def defects_of(task: Task) -> tuple[str, ...]:
    """The classes whose being called good is an escape: all but the good one, where there is one.

    >>> defects_of(Task("binary", ("nok",), "ok")), defects_of(Task("multiclass", ("crack", "free"), "free"))
    (('nok',), ('crack',))
    """
    return tuple(name for name in task.classes if name != task.negative)
