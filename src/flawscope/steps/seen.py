"""What `explain` and `look` take: pictures as a network and as people see them. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flawscope.data.beside import beside
from flawscope.errors import DataError, ImageError, MetadataError
from flawscope.explanation.explained import Explained
from flawscope.inspection.folder import Pictures, Progress
from flawscope.preprocess import Pixels, Preprocess, open_image, prepare, viewable
from flawscope.records import Task

LONGEST = 900
"""The longer side of a picture that a map is drawn over."""


@dataclass(frozen=True)
class Seen:
    """One picture: its name, what the network takes of it, and what is drawn (the same part of it, 8 bits)."""

    name: str
    pixels: Pixels
    view: npt.NDArray[np.uint8]
    meta: Mapping[str, str | float] | None = None


class Source(Protocol):
    """What explains pictures: the network of a run (`loaded`), or a bundle (`bundle_maps`)."""

    @property
    def task(self) -> Task:
        """What is decided."""

    @property
    def spec(self) -> Preprocess:
        """How pictures are made ready."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The metadata that are taken beside a picture."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What the page of the maps says of it."""

    def methods(self, asked: str | Sequence[str] | None, layer: str | None = None) -> list[str]:
        """The methods that are asked for, each once; None: the one that is best here, of those that use the layer.

        Raises:
            UserError: it cannot give one of them.
        """

    def explain(
        self,
        seen: Sequence[Seen],
        method: str,
        of: str | None,
        layer: str | None,
        *,
        on_progress: Progress | None = None,
    ) -> Explained:
        """The maps of pictures of one size; `on_progress` is told how much of how much is done meanwhile.

        Raises:
            UserError: an unknown class or layer.
        """


def see(path: Path, name: str, spec: Preprocess, meta: Any = None) -> Seen:
    """Open a picture once, for the network and for people.

    Raises:
        ImageError: it cannot be read, or does not fit.
    """
    image = open_image(path)
    pixels = prepare(image, spec)
    part = image.crop(spec.crop) if spec.crop else image
    return Seen(name, pixels, np.asarray(viewable(part, LONGEST)), meta)


def metadata_of(
    source: Source, pictures: Pictures, root: Path, table: str | Path | None, image_column: str | None
) -> tuple[Any, ...]:
    """For each picture what a table says of it: values, or in words why there are none.

    Raises:
        MetadataError: the network takes metadata, and no table is named.
        DataError: a table is named, and the network takes none; or it does not fit.
    """
    columns = list(source.columns)
    if not columns:
        if table is not None:
            raise DataError(f"the network takes pictures alone, and nothing of {table}", "leave out --table")
        return (None,) * len(pictures)
    if table is None:
        raise MetadataError(
            f"the network also takes metadata ({', '.join(columns)})", "name a table with them: --table FILE"
        )
    return beside(table, root, pictures.paths, columns, image_column).values


def readable(source: Source, pictures: Pictures, meta: Sequence[Any]) -> tuple[list[Seen], list[str]]:
    """The pictures that can be read, and in words those that cannot.

    Raises:
        DataError: none of them can be.
    """
    seen, problems = [], []
    for path, name, values in zip(pictures.paths, pictures.names, meta, strict=True):
        try:
            if isinstance(values, str):
                raise MetadataError(f"{name}: {values}")
            seen.append(see(path, name, source.spec, values))
        except (ImageError, MetadataError) as error:
            named = name in error.problem or str(path) in error.problem
            problems.append(error.problem if named else f"{name}: {error.problem}")
    if not seen:
        raise DataError(f"none of {len(pictures)} pictures can be explained: {problems[0]}", "name other pictures")
    return seen, problems
