"""What `explain` and `look` share: the trained network of a run, and pictures as it and as people see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.bundle.archive import read_bundle
from flawscope.data.beside import beside
from flawscope.errors import DataError, ImageError, MetadataError, UserError
from flawscope.explanation.inputs import inputs_of
from flawscope.inspection.folder import Pictures
from flawscope.metadata import encode_all
from flawscope.models.build import Network
from flawscope.preprocess import Pixels, Preprocess, open_image, prepare, viewable
from flawscope.records import Task
from flawscope.steps.workspace import Run
from flawscope.training.checkpoint import load_checkpoint

LONGEST = 900
"""The longer side of a picture that a map is drawn over."""


@dataclass(frozen=True)
class Seen:
    """One picture: its name, what the network takes of it, and what is drawn (the same part of it, 8 bits)."""

    name: str
    pixels: Pixels
    view: npt.NDArray[np.uint8]
    meta: Mapping[str, str | float] | None = None


@dataclass(frozen=True)
class Loaded:
    """The trained network of a run, what it is asked, and how pictures are made ready for it."""

    run: Run
    network: Network
    task: Task
    spec: Preprocess

    @classmethod
    def of(cls, run: str | Path, step: str) -> Loaded:
        """The best checkpoint of a run.

        Raises:
            UserError: a bundle, no run folder, the folder of several folds, or one that is not trained yet.
        """
        path = Path(run)
        if path.is_file():
            raise UserError(
                f"{path} is a file: `flawscope {step}` needs torch and the run folder that a bundle was made in; to "
                "do without, with the bundle alone, comes next",
                "name the folder that `flawscope run` or `train` made",
            )
        if not (path / "recipe.yaml").is_file() and (path / "fold-0" / "recipe.yaml").is_file():
            raise UserError(f"{path} holds the runs of several folds", f"name one of them: {path / 'fold-0'}")
        there = Run.at(path)
        network, _ = load_checkpoint(there.training / "best")
        return cls(there, network, task_of(there), there.recipe.image)

    def see(self, path: Path, name: str, meta: Any = None) -> Seen:
        """Open a picture once, for the network and for people.

        Raises:
            ImageError: it cannot be read, or does not fit.
        """
        image = open_image(path)
        pixels = prepare(image, self.spec)
        part = image.crop(self.spec.crop) if self.spec.crop else image
        return Seen(name, pixels, np.asarray(viewable(part, LONGEST)), meta)

    def inputs(self, seen: Sequence[Seen]) -> tuple[Any, ...]:
        """Pictures of one size as the network takes them, with their metadata.

        Raises:
            MetadataError: a value is missing or unknown.
        """
        columns = self.network.plan.columns
        table_bm = encode_all([each.meta or {} for each in seen], columns) if columns else None
        return inputs_of(self.network, np.stack([each.pixels for each in seen]), table_bm)


def task_of(run: Run) -> Task:
    """What a run decides: from its bundle, or while there is none from its data."""
    for path in (run.bundle, run.draft):
        if path.is_file():
            return read_bundle(path).manifest.sealed.task.task()
    return run.samples.task


def metadata_of(
    loaded: Loaded, pictures: Pictures, root: Path, table: str | Path | None, image_column: str | None
) -> tuple[Any, ...]:
    """For each picture what a table says of it: values, or in words why there are none.

    Raises:
        MetadataError: the network takes metadata, and no table is named.
        DataError: a table is named, and the network takes none; or it does not fit.
    """
    columns = [column.name for column in loaded.network.plan.columns]
    if not columns:
        if table is not None:
            raise DataError(f"the network takes pictures alone, and nothing of {table}", "leave out --table")
        return (None,) * len(pictures)
    if table is None:
        raise MetadataError(
            f"the network also takes metadata ({', '.join(columns)})", "name a table with them: --table FILE"
        )
    return beside(table, root, pictures.paths, columns, image_column).values


def readable(loaded: Loaded, pictures: Pictures, meta: Sequence[Any]) -> tuple[list[Seen], list[str]]:
    """The pictures that can be read, and in words those that cannot.

    Raises:
        DataError: none of them can be.
    """
    seen, problems = [], []
    for path, name, values in zip(pictures.paths, pictures.names, meta, strict=True):
        try:
            if isinstance(values, str):
                raise MetadataError(f"{name}: {values}")
            seen.append(loaded.see(path, name, values))
        except (ImageError, MetadataError) as error:
            problems.append(error.problem)
    if not seen:
        raise DataError(f"none of {len(pictures)} pictures can be explained: {problems[0]}", "name other pictures")
    return seen, problems
