"""Inspects the pictures of a folder, one prediction each, in the order of their names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flawscope.bundle.runtime import Known, Runtime
from flawscope.errors import DataError
from flawscope.preprocess import IMAGE_SUFFIXES
from flawscope.records import Prediction, Samples

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and the number of all."""


@dataclass(frozen=True)
class Pictures:
    """Picture files and the names that they have in the results; `ignored` counts files that are not pictures.

    `metadata` holds what is known of each beside its pixels, or in words why nothing is; none where nobody has asked.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    ignored: int = 0
    metadata: tuple[Known, ...] | None = None

    @classmethod
    def of(cls, samples: Samples) -> Pictures:
        """Those of samples, by their ids, with their metadata."""
        rows = samples.rows
        paths, names = tuple(Path(row.path) for row in rows), tuple(row.id for row in rows)
        return cls(paths, names, metadata=tuple(row.meta for row in rows))

    def __len__(self) -> int:
        return len(self.paths)


def find_pictures(source: str | Path | Sequence[str | Path]) -> Pictures:
    """The pictures of a folder and the folders in it, a single file, or a list of files.

    Of a folder, files with one of `IMAGE_SUFFIXES` in any case are taken, sorted by their name relative to it; hidden
    files and folders (.name) are passed over, links to folders are not followed. Files that are named one by one are
    taken whatever they are called, and keep their name.

    Raises:
        DataError: the source does not exist, a folder cannot be read, or there is no picture in it.
    """
    if not isinstance(source, str | Path):
        if not source:
            raise DataError("the list of pictures is empty", "name at least one file")
        return Pictures(tuple(Path(each) for each in source), tuple(str(each) for each in source))
    root = Path(source)
    if root.is_file():
        return Pictures((root,), (root.name,))
    if not root.is_dir():
        raise DataError(f"{root} does not exist", "name a folder of pictures, or one picture")
    names, ignored = [], 0
    for name in _files(root):
        if name.lower().endswith(IMAGE_SUFFIXES):
            names.append(name)
        else:
            ignored += 1
    if not names:
        raise DataError(
            f"{root} holds no pictures ({ignored} other files)", f"pictures end in {', '.join(IMAGE_SUFFIXES)}"
        )
    names.sort()
    return Pictures(tuple(root / name for name in names), tuple(names), ignored)


def inspect_folder(
    runtime: Runtime,
    source: str | Path | Sequence[str | Path] | Pictures,
    on_progress: Progress | None = None,
) -> Iterator[Prediction]:
    """Answer for each picture, named relative to the folder; a picture that cannot be read is an answer with an error.

    Raises:
        DataError: see `find_pictures`.
        MetadataError: the bundle takes metadata, and the pictures come without.
        BundleError: the bundle is a draft.
    """
    pictures = source if isinstance(source, Pictures) else find_pictures(source)
    return _named(pictures, runtime.predict(pictures.paths, pictures.metadata), on_progress)


def _named(pictures: Pictures, predictions: Iterator[Prediction], on_progress: Progress | None) -> Iterator[Prediction]:
    for done, (name, prediction) in enumerate(zip(pictures.names, predictions, strict=True), start=1):
        yield replace(prediction, name=name)
        if on_progress:
            on_progress(done, len(pictures))


def _files(root: Path) -> Iterator[str]:
    """Names of the files below `root`, relative to it, with forward slashes."""

    def refuse(error: OSError) -> None:
        # Left out in silence, its pictures would count as inspected.
        raise DataError(f"{error.filename} cannot be read: {error.strerror}", "check that you may read it")

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()
