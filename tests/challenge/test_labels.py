"""Labels as a table and back; a part that has changed is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flawscope.challenge.labels import (
    Labels,
    as_csv,
    labels_hash,
    part_hash,
    read_labels,
    read_part,
    read_part_labels,
    write_labels,
)
from flawscope.challenge.spec import Challenge, hidden
from flawscope.errors import DataError
from flawscope.records import Task

TASKS = (
    Task("binary", ("bad",)), Task("multilabel", ("crack", "in;active")), Task("multiclass", ("ok", "crack", "hole")),
)  # fmt: skip


def some(task: Task, n: int = 5) -> Labels:
    k = len(task.classes)
    truth_nk = np.arange(n)[:, None] % k == np.arange(k)
    if task.kind == "binary":
        truth_nk[::2] = False
    return Labels(tuple(f"{i:05d}.png" for i in range(n)), tuple(f"g{i // 2}" for i in range(n)), truth_nk)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_there_and_back(tmp_path: Path, task: Task) -> None:
    labels = some(task)
    write_labels(tmp_path, labels, task)
    found = read_labels(tmp_path / "labels.csv", task)
    assert (found.files, found.groups) == (labels.files, labels.groups)
    assert (found.truth_nk == labels.truth_nk).all()


def test_classes_that_exclude_each_other_stand_in_one_column() -> None:
    assert as_csv(some(TASKS[2], 2), TASKS[2]) == "file;group;class\n00000.png;g0;ok\n00001.png;g0;crack\n"


@pytest.mark.parametrize(
    "text",
    ["", "file;bad\na;1\n", "file;group;bad\na;g\n", "file;group;bad\na;g;2\n", "file;group;bad\na;g;1\na;g;1\n"],
)
def test_tables_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"labels\.csv"):
        read_labels(tmp_path / "labels.csv", TASKS[0])


def part_of(folder: Path, make_challenge: Callable[..., Challenge], **hashed: str) -> tuple[Challenge, Labels]:
    """A public part of five images, its whole hash and what `hashed` says in the challenge."""
    labels = some(TASKS[1])
    place = hidden(folder, "public")
    (place / "images").mkdir(parents=True)
    images = [place / "images" / file for file in labels.files]
    for number, image in enumerate(images):
        image.write_bytes(bytes([number]))
    facts = {"images": 5, "groups": 3, "hash": part_hash(labels, images), **hashed}
    parts = dict.fromkeys(("training", "public", "private"), facts)
    challenge = make_challenge(classes=["crack", "in;active"], parts=parts)
    write_labels(place, labels, challenge.task)
    return challenge, labels


def test_a_part_that_has_changed_is_refused(tmp_path: Path, make_challenge: Callable[..., Challenge]) -> None:
    challenge, labels = part_of(tmp_path, make_challenge)
    place = hidden(tmp_path, "public")
    images = [place / "images" / file for file in labels.files]
    assert read_part(tmp_path, challenge, "public").images == tuple(images)
    images[0].write_bytes(b"another")
    with pytest.raises(DataError, match="is not what the challenge was made with"):
        read_part(tmp_path, challenge, "public")
    images[0].unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_part(tmp_path, challenge, "public")
    images[0].write_bytes(bytes([0]))
    write_labels(place, replace(labels, truth_nk=~labels.truth_nk), challenge.task)
    with pytest.raises(DataError, match="an image or a label has changed"):
        read_part(tmp_path, challenge, "public")


def test_labels_are_checked_by_a_hash_of_their_own(tmp_path: Path, make_challenge: Callable[..., Challenge]) -> None:
    challenge, labels = part_of(tmp_path, make_challenge, labels_hash=labels_hash(some(TASKS[1])))
    place = hidden(tmp_path, "public")
    for image in (place / "images").iterdir():
        image.unlink()  # no image is read
    assert (read_part_labels(tmp_path, challenge, "public").truth_nk == labels.truth_nk).all()
    for changed in (
        replace(labels, truth_nk=~labels.truth_nk),
        replace(labels, groups=("x", *labels.groups[1:])),
        replace(labels, files=("x.png", *labels.files[1:])),
    ):
        write_labels(place, changed, challenge.task)
        with pytest.raises(DataError, match="a label has changed"):
            read_part_labels(tmp_path, challenge, "public")


def test_without_that_hash_the_whole_part_is_checked(tmp_path: Path, make_challenge: Callable[..., Challenge]) -> None:
    challenge, labels = part_of(tmp_path, make_challenge)
    assert (read_part_labels(tmp_path, challenge, "public").truth_nk == labels.truth_nk).all()
    (hidden(tmp_path, "public") / "images" / labels.files[0]).write_bytes(b"another")
    with pytest.raises(DataError, match="an image or a label has changed"):
        read_part_labels(tmp_path, challenge, "public")
