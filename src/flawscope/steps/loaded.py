"""What `explain` and `look` share: the trained network of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawscope.bundle.archive import read_bundle
from flawscope.errors import UserError, choices
from flawscope.explanation.default import ALIGNED, LAYER, LAYERED, METHOD
from flawscope.explanation.explain import explain as explained_by
from flawscope.explanation.explained import METHODS, Explained
from flawscope.explanation.inputs import inputs_of
from flawscope.inspection.folder import Progress
from flawscope.metadata import encode_all
from flawscope.models.build import Network
from flawscope.preprocess import Preprocess
from flawscope.records import Task
from flawscope.steps.seen import Seen, see
from flawscope.steps.workspace import Run
from flawscope.training.checkpoint import load_checkpoint


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
                f"{path} is a file: `flawscope {step}` needs torch and the run folder that a bundle was made in",
                "name the folder that `flawscope run` or `train` made",
            )
        if not (path / "recipe.yaml").is_file() and (path / "fold-0" / "recipe.yaml").is_file():
            raise UserError(f"{path} holds the runs of several folds", f"name one of them: {path / 'fold-0'}")
        there = Run.at(path)
        network, _ = load_checkpoint(there.training / "best")
        return cls(there, network, task_of(there), there.recipe.image)

    @property
    def columns(self) -> tuple[str, ...]:
        """The metadata that the network takes beside a picture."""
        return tuple(column.name for column in self.network.plan.columns)

    @property
    def facts(self) -> Mapping[str, str]:
        """What the page of the maps says of it."""
        return {"Run": self.run.folder.name, "Network": self.network.plan.name}

    def methods(self, asked: str | Sequence[str] | None, layer: str | None = None) -> list[str]:
        """The methods that are asked for, each once; None: `default.METHOD`, or of a layer `default.LAYERED`.

        Raises:
            UserError: there is none of that name.
        """
        return checked((LAYERED if layer else METHOD,) if asked is None else asked, METHODS)

    def explain(
        self,
        seen: Sequence[Seen],
        method: str,
        of: str | None,
        layer: str | None,
        *,
        aligned: bool = ALIGNED,
        smooth: float | None = None,
        on_progress: Progress | None = None,
    ) -> Explained:
        """The maps of pictures of one size; `on_progress` is told how many passes of how many are done.

        Raises:
            UserError: an unknown class or layer.
        """
        images, *table = self.inputs(seen)
        beside = table[0] if table else None
        return explained_by(
            self.network, images, self.task, of, method,
            layer=layer or LAYER, table_bm=beside, aligned=aligned, smooth=smooth, on_progress=on_progress,
        )  # fmt: skip

    def inputs(self, seen: Sequence[Seen]) -> tuple[Any, ...]:
        """Pictures of one size as the network takes them, with their metadata.

        Raises:
            MetadataError: a value is missing or unknown.
        """
        columns = self.network.plan.columns
        table_bm = encode_all([each.meta or {} for each in seen], columns) if columns else None
        return inputs_of(self.network, np.stack([each.pixels for each in seen]), table_bm)

    def see(self, path: Path, name: str, meta: Any = None) -> Seen:
        """Open a picture once, for the network and for people; see `seen.see`."""
        return see(path, name, self.spec, meta)


def checked(given: str | Sequence[str], valid: Sequence[str]) -> list[str]:
    """The methods that are asked for, each once.

    Raises:
        UserError: there is none of that name.

    >>> checked(["b", "b"], ["a", "b"]), checked(["all"], ["a", "b"])
    (['b'], ['a', 'b'])
    """
    asked = [given] if isinstance(given, str) else list(given)
    if asked == ["all"]:
        return list(valid)
    for name in asked:
        if name not in valid:
            raise UserError(f"there is no method {name!r}", choices(name, (*valid, "all")))
    if not asked:
        raise UserError("no method is named", f"one or several of {', '.join(valid)}")
    return list(dict.fromkeys(asked))


def task_of(run: Run) -> Task:
    """What a run decides: from its bundle, or while there is none from its data."""
    for path in (run.bundle, run.draft):
        if path.is_file():
            return read_bundle(path).manifest.sealed.task.task()
    return run.samples.task
