"""What an explanation is, whoever makes it: methods, units, and maps of pictures. Torch-free.

Letters: b images, h and w rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from flawscope.errors import UserError, choices
from flawscope.records import Task

Method = Literal["grad-cam", "grad-cam++", "score-cam", "eigen-cam", "occlusion", "integrated-gradients"]
METHODS: tuple[Method, ...] = get_args(Method)
CAM = "cam"
"""Class activation maps that a graph gives (see `graph_maps`): Grad-CAM but for its scale, without a gradient."""
FILTER_GRADIENTS = "filter-gradients"
"""What reference system E takes for Grad-CAM: known to be wrong, here to be compared with."""
UNITS = {
    "cam": "logits",
    "grad-cam": "weighted activation",
    "grad-cam++": "weighted activation",
    "score-cam": "weighted activation",
    "eigen-cam": "activation along the first singular vector",
    "occlusion": "logit lost where covered",
    "integrated-gradients": "logit added by the pixel",
    FILTER_GRADIENTS: "weighted activation, weights wrong",
}
"""What a map counts in before it is divided by its largest value."""
SIGNED = ("occlusion", "integrated-gradients")


@dataclass(frozen=True)
class Explained:
    """Maps of a batch, b x h x w float32, each relative to the largest value in it.

    They lie in 0..1; where the method keeps signs (`signed`) in -1..1: what is negative speaks against the class.
    `largest_b` is what 1 stands for, in `unit`; 0 where nothing speaks for the class, and the map is empty.
    `names` are the classes that were asked about, `scores_b` their logits (of masks their mean over the marked pixels).
    """

    map_bhw: npt.NDArray[np.float32]
    largest_b: npt.NDArray[np.float32]
    unit: str
    signed: bool
    method: str
    layer: str
    names: tuple[str, ...]
    scores_b: npt.NDArray[np.float32]


def column_of(task: Task, of: str | int, first: int = 0) -> tuple[int, int]:
    """The score column of an answer, and -1 where it speaks against the answer.

    Args:
        task: names the classes.
        of: name of a class, of the good answer of a binary task, or number of a class.
        first: the column of the first class.

    Raises:
        UserError: there is no such class.

    >>> column_of(Task("binary", ("scrap",), "good"), "good"), column_of(Task("multiclass", ("a", "b")), "b")
    ((0, -1), (1, 1))
    """
    if isinstance(of, str) and of not in (*task.classes, task.negative) and of.strip().isdecimal():
        of = int(of)
    if isinstance(of, int):
        if not 0 <= of < len(task.classes):
            numbers = ", ".join(f"{index} ({name})" for index, name in enumerate(task.classes))
            raise UserError(f"there is no class number {of}", f"Valid: {numbers}")
        return of + first, 1
    if of in task.classes:
        return task.classes.index(of) + first, 1
    if task.kind == "binary" and of == task.negative:
        return 0, -1
    valid = task.labels if task.kind == "binary" else task.classes
    raise UserError(f"there is no class {of!r}", choices(of, valid))
