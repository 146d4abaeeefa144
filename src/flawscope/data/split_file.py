"""The split as a file: readable JSON that says who stands where, with a hash that shows damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flawscope.errors import SplitError
from flawscope.records import Split, fingerprint
from flawscope.storage import write_json

SCHEMA = 1


def save_split(split: Split, path: str | Path) -> None:
    """Write a split as JSON, whole or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "hash": split.hash,
        "seed": split.seed,
        "method": split.method,
        "checks": list(split.checks),
        "fold": split.fold,
        "folds": split.folds,
        "wanted": dict(split.wanted),
        "notes": list(split.notes),
        "samples": {name: {"part": part, "group": split.group[name]} for name, part in split.part.items()},
    }
    if split.left_out:
        content["left_out"] = {
            name: {"reason": reason, "group": split.group[name]} for name, reason in split.left_out.items()
        }
    write_json(path, {**content, "file_hash": fingerprint(content)})


def load_split(path: str | Path) -> Split:
    """Read a split that `save_split` wrote.

    Raises:
        SplitError: missing, no split file, of a newer schema, or changed since it was written.
    """
    content = read_hashed(path, "split file", "samples", "take the file from a backup, or make a new split")
    rows, out = content["samples"], content.get("left_out", {})
    return Split(
        part={name: row["part"] for name, row in rows.items()},
        group={name: row["group"] for name, row in (rows | out).items()},
        wanted=content["wanted"],
        seed=content["seed"],
        method=content["method"],
        checks=tuple(content["checks"]),
        fold=content["fold"],
        folds=content["folds"],
        notes=tuple(content["notes"]),
        left_out={name: row["reason"] for name, row in out.items()},
    )


def read_hashed(path: str | Path, kind: str, key: str, remedy: str, where: str = "") -> dict[str, Any]:
    """The content of a JSON file with a schema and a hash over the rest of it, which is `file_hash`.

    Args:
        path: the file.
        kind: what it is to be, for messages.
        key: an entry that only files of this kind have.
        remedy: what to do without the file.
        where: which setting names it, for messages.

    Raises:
        SplitError: missing, of another kind, of a newer schema, or changed since it was written.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SplitError(f"{path}: the {kind} does not exist{where}", remedy) from None
    except (OSError, ValueError) as error:
        raise SplitError(f"{path}: not a {kind} ({error})", remedy) from None
    if not isinstance(content, dict) or key not in content or not isinstance(content.get("schema"), int):
        raise SplitError(f"{path}: not a {kind}", remedy)
    if content["schema"] > SCHEMA:
        raise SplitError(
            f"{path}: written by a newer flawscope (schema {content['schema']}, this one reads up to {SCHEMA})",
            "update flawscope",
        )
    without_hash = {name: value for name, value in content.items() if name != "file_hash"}
    if content.get("file_hash") != fingerprint(without_hash):
        raise SplitError(f"{path}: the file was changed or damaged after it was written", remedy)
    return content
