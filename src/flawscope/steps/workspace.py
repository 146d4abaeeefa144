"""The run folder: where each step finds what the one before it left.

RUN/recipe.yaml            the resolved recipe
RUN/split.json             which sample is in which part
RUN/training/              history.csv, best and last checkpoint; where asked, epochs/ with all of them
RUN/draft.flawscope        the exported graph, not decided yet
RUN/NAME.flawscope         the sealed bundle
RUN/scores/PART.csv        what the runtime said of each part
RUN/scores/PART-masks.*    of masks: where it marked flaws, and what was counted of each image
RUN/metrics.json           the numbers of the test split
RUN/report/index.html      the report
RUN/gate/                  data with masks: the run of the network that looks first, where there is one
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flawscope.data.groups import contradictions
from flawscope.data.read import read
from flawscope.data.split_file import load_split
from flawscope.errors import SHOWN, DataError, UserError
from flawscope.records import Samples, Split
from flawscope.storage import check_replaceable, writing
from flawscope.training.mask_recipe import check_masks, gate_samples, masks_without_effect
from flawscope.training.metadata import hash_of
from flawscope.training.recipe import Recipe, load_recipe
from flawscope.training.spec import without_effect

GATE = "gate"
"""The folder of the gate's run in the run of the masks."""
Say = Callable[[str], None]


def notices(samples: Samples) -> list[str]:
    """What the user must be told about data that have been read: what was left out, what contradicts itself."""
    skipped = [f"skipped {each.where}: {each.reason}" for each in samples.skipped[:SHOWN]]
    if len(samples.skipped) > SHOWN:
        skipped.append(f"... and {len(samples.skipped) - SHOWN:,} more are skipped, the report names them")
    return [
        *skipped,
        *(f"note: {words}" for words in samples.notes),
        *(f"warning: {words}" for words in contradictions(samples)),
    ]


def tell_idle(recipe: Recipe, say: Say) -> None:
    """Tell which keys of the training have been set and change nothing."""
    for words in without_effect(recipe.train):
        say(f"note: of no effect: {words}")


def _idle_of(recipe: Recipe, samples: Samples) -> list[str]:
    """The same, of keys that mean nothing where the data have masks."""
    words = masks_without_effect(recipe) if samples.task.pixels else []
    if recipe.gate is not None:
        words += [f"gate.{each}" for each in without_effect(recipe.gate.train)]
    return [f"note: of no effect: {each}" for each in words]


def samples_of(recipe: Recipe, say: Say) -> Samples:
    """Read the data of a recipe, and tell what the user must know about them.

    Raises:
        DataError: see `read`.
        RecipeError: the recipe is for data with masks and these have none, or the other way round.
    """
    samples = read(recipe.data, Path.cwd(), crop=recipe.image.crop)
    check_masks(recipe, samples.task)
    for words in [*notices(samples), *_idle_of(recipe, samples)]:
        say(words)
    return samples


@dataclass
class Run:
    """One run folder, and what has been read from it. `cache` holds decoded images and may be shared by runs.

    With `tensorboard` its training writes event files as well.
    """

    folder: Path
    cache: Path
    tensorboard: bool = False

    @classmethod
    def at(cls, folder: str | Path | Run) -> Run:
        """The run in a folder that exists.

        Raises:
            UserError: there is none.
        """
        if isinstance(folder, Run):
            return folder
        path = Path(folder)
        if not (path / "recipe.yaml").is_file():
            raise UserError(
                f"{path} is not a run folder: it holds no recipe.yaml",
                "name a folder that `flawscope run` or `train` made",
            )
        top = path.parent if cls(path, path).is_gate else path
        top = top.parent.parent if top.name.startswith("fold-") else top.parent
        return cls(path, top / ".cache")

    @cached_property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return load_recipe(self.folder / "recipe.yaml")

    @cached_property
    def samples(self) -> Samples:
        """All samples of the recipe, read and checked anew.

        Raises:
            DataError: they are not those that the run was made with.
        """
        samples = read(self.recipe.data, self.folder, crop=self.recipe.image.crop)
        if self.is_gate:
            samples = gate_samples(samples)
        self.check_data(samples)
        return samples

    @property
    def is_gate(self) -> bool:
        """Whether this is the gate of the run in the folder above."""
        return self.folder.name == GATE and (self.folder.parent / "recipe.yaml").is_file()

    @cached_property
    def gate(self) -> Run | None:
        """The run of the gate, where the recipe has one."""
        if self.recipe.gate is None:
            return None
        gate = Run(self.folder / GATE, self.cache, self.tensorboard)
        gate.samples = gate_samples(self.samples)
        return gate

    @property
    def untrained(self) -> list[Run]:
        """What is still to be trained: the gate first, which takes less time, then this run."""
        return [each for each in (self.gate, self) if each is not None and not each.trained.is_file()]

    def check_data(self, samples: Samples) -> None:
        """Refuse samples that are not those that the run was made with.

        Raises:
            DataError: images, labels, or the metadata that are learnt from have changed.
        """
        facts = read_json(self.folder / "data.json")
        same_metadata = facts.get("metadata", "") == hash_of(self.recipe.model.metadata, samples)
        if facts["hash"] != samples.hash or not same_metadata:
            raise DataError(
                f"the data of {self.folder} have changed since it was made (now {len(samples)} images)",
                "restore them, or run the recipe anew",
            )

    @cached_property
    def split(self) -> Split:
        """The split of this run."""
        return load_split(self.folder / "split.json")

    def part(self, name: Any) -> Samples:
        """The samples of one part of the split."""
        return self.samples.select(self.split.ids(name))

    @property
    def training(self) -> Path:
        """History and checkpoints."""
        return self.folder / "training"

    @property
    def trained(self) -> Path:
        """Is there once the training has ended: the best epoch, and how many there were."""
        return self.training / "done.json"

    @property
    def draft(self) -> Path:
        """The exported, undecided bundle."""
        return self.folder / "draft.flawscope"

    @property
    def bundle(self) -> Path:
        """The sealed bundle."""
        return self.folder / f"{self.recipe.name}.flawscope"

    @property
    def metrics(self) -> Path:
        """The numbers of the test split."""
        return self.folder / "metrics.json"

    def scores(self, part: str) -> Path:
        """What the runtime said of one part."""
        return self.folder / "scores" / f"{part}.csv"

    def masks(self, part: str) -> Path:
        """Where flaws were marked in one part, and what was counted of them; the endings are added."""
        return self.folder / "scores" / f"{part}-masks"

    def need(self, path: Path, step: str) -> Path:
        """A file that an earlier step must have left.

        Raises:
            UserError: it is missing; the step that makes it is named.
        """
        if not path.is_file():
            raise UserError(f"{path} is missing", f"run `flawscope {step} {self.folder}` first")
        return path


def read_json(path: Path) -> Any:
    """Plain data from a JSON file that a step wrote.

    Raises:
        DataError: missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", "make it again") from None


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, or the runs of a cross-validation."""
    return all((folder / name).is_file() for name in ("recipe.yaml", "split.json")) or bool(fold_runs(folder))


def fold_runs(folder: Path) -> list[Run]:
    """The runs of a cross-validation's folder, in order; none if it is not one."""
    places = [place for place in folder.glob("fold-*") if (place / "recipe.yaml").is_file()]
    places = [place for place in places if place.name.removeprefix("fold-").isdecimal()]
    return [Run.at(place) for place in sorted(places, key=lambda place: int(place.name.removeprefix("fold-")))]


@contextmanager
def working_folder(target: Path, *, overwrite: bool, resume: bool) -> Iterator[Path]:
    """`target`.partial, which takes the place of `target` when the block ends well, and stays for --resume if not.

    Raises:
        OutputError: the target exists and may not be replaced, or the place cannot be written to.
    """
    check_replaceable(target, overwrite, kind="a run folder", ours=is_run)
    partial = target.absolute().with_name(f"{target.absolute().name}.partial")
    with writing(target):
        if partial.exists() and not resume:
            worthless = not any(partial.glob("**/training/best.safetensors"))
            remedy = "go on in it with --resume, or begin anew with --overwrite"
            check_replaceable(partial, overwrite or worthless, remedy, kind="a run folder", ours=is_run)
            shutil.rmtree(partial)
        partial.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
        except BaseException:
            with suppress(OSError):
                partial.rmdir()  # only where nothing has come of it
            raise
        old = partial.with_name(f"{target.absolute().name}.old")
        if target.exists():
            target.replace(old)
        partial.replace(target)
        shutil.rmtree(old, ignore_errors=True)
