"""Groups and folds as a file, by the hash of each image's content: what later numbers are to be compared on.

It names no paths and holds no pictures, so it can be published beside the results: whoever has the images gets the
same folds, wherever they lie and whatever they are called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawscope.data.split_file import SCHEMA, read_hashed
from flawscope.errors import SplitError, listing
from flawscope.records import Samples, fingerprint
from flawscope.storage import write_text
from flawscope.wording import counted


@dataclass(frozen=True)
class GroupFile:
    """Group and fold of each image, by the SHA-256 of its file. `hash` is that of the whole content."""

    name: str
    note: str
    folds: int
    group: Mapping[str, str]
    fold: Mapping[str, int]
    hash: str

    def of(self, samples: Samples) -> tuple[dict[str, str], dict[str, int]]:
        """Group and fold of each sample id.

        Raises:
            SplitError: lists the images that are not in the file.
        """
        missing = [row.id for row in samples.rows if row.sha256 not in self.group]
        if missing:
            raise SplitError(
                f"{len(missing)} of {len(samples)} images are not in the group file {self.name!r}:\n{listing(missing)}",
                "take the images that the file was made for, byte for byte; or have these grouped anew: "
                "split.file=null and split.fold=0",
            )
        return (
            {row.id: self.group[row.sha256] for row in samples.rows},
            {row.id: self.fold[row.sha256] for row in samples.rows},
        )


def save_groups(
    path: str | Path,
    name: str,
    samples: Samples,
    group: Mapping[str, str],
    fold: Mapping[str, int],
    *,
    note: str = "",
) -> None:
    """Write groups and folds of samples, one line an image.

    Args:
        path: the JSON file.
        name: what the file is called in messages.
        samples: where the hashes come from.
        group: the group of each sample id.
        fold: the fold of each sample id, counted from 0.
        note: how the groups were made.

    Raises:
        SplitError: identical files, or images of one group, do not agree.
        OutputError: the place cannot be written to.
    """
    images: dict[str, list[Any]] = {}
    for row in samples.rows:
        entry = [group[row.id], fold[row.id]]
        if images.setdefault(row.sha256, entry) != entry:
            raise SplitError(
                f"{row.id} is in group {entry[0]!r}, fold {entry[1]}; an identical file is in {images[row.sha256]}",
                "identical files belong into one group",
            )
    content = {
        "schema": SCHEMA,
        "name": name,
        "note": note,
        "folds": max(fold.values()) + 1,
        "images": dict(sorted(images.items())),
    }
    _one_fold_each(images, str(path))
    head = {key: value for key, value in content.items() if key != "images"} | {"file_hash": fingerprint(content)}
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    rows = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in sorted(images.items())]
    joined_lines, joined_rows = ",\n".join(lines), ",\n".join(rows)
    write_text(path, f'{{\n{joined_lines},\n "images": {{\n{joined_rows}\n }}\n}}\n')


def load_groups(path: str | Path) -> GroupFile:
    """Read a file that `save_groups` wrote.

    Raises:
        SplitError: missing, no group file, of a newer schema, or changed since it was written.
    """
    remedy = "take the file from a backup, or leave split.file out"
    content = read_hashed(path, "group file", "images", remedy, " (split.file)")
    images = content["images"]
    _one_fold_each(images, str(path))
    return GroupFile(
        name=content["name"],
        note=content["note"],
        folds=content["folds"],
        group={key: group for key, (group, _) in images.items()},
        fold={key: fold for key, (_, fold) in images.items()},
        hash=content["file_hash"],
    )


def _one_fold_each(images: Mapping[str, Any], path: str) -> None:
    fold_of: dict[str, int] = {}
    torn = [group for group, fold in images.values() if fold_of.setdefault(group, fold) != fold]
    if torn:
        raise SplitError(
            f"{path}: {counted(len(set(torn)), 'groups', 'are')} in several folds:\n"
            + listing(list(dict.fromkeys(torn))),
            "a group belongs into one fold",
        )
