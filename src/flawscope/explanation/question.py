"""Which answer is asked about: the class, by name or number, and the one number an image that a map explains.

Letters: b images, k score columns, h and w rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from flawscope.explanation.explained import column_of
from flawscope.records import Task


@dataclass(frozen=True)
class Question:
    """One answer an image: `column_b` of the logits, times `sign_b`; `names` says how each is called.

    The score is that logit. Of a binary task the other answer is the logit with its sign turned. Of a network that
    makes masks it is the mean logit of the class over `marked_bhw`.
    """

    names: tuple[str, ...]
    column_b: Tensor
    sign_b: Tensor
    marked_bhw: Tensor | None = None

    def score(self, logits: Tensor, column_b: Tensor, sign_b: Tensor, marked_bhw: Tensor | None = None) -> Tensor:
        """One number an image, where the parts of the question have been repeated or cut as the images have."""
        own = logits[torch.arange(len(logits), device=logits.device), column_b]
        if own.ndim > 1:
            assert marked_bhw is not None
            own = (own * marked_bhw).sum(dim=(1, 2)) / marked_bhw.sum(dim=(1, 2))
        return own * sign_b

    def __call__(self, logits: Tensor) -> Tensor:
        """One number an image of the whole batch."""
        return self.score(logits, *self.parts)

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """What `score` takes beside the logits, one row an image."""
        return (self.column_b, self.sign_b, *(() if self.marked_bhw is None else (self.marked_bhw,)))

    def repeated(self, row: int, times: int) -> tuple[Tensor, ...]:
        """The parts of one image, for so many pictures made of it."""
        return tuple(part[row : row + 1].expand(times, *part.shape[1:]) for part in self.parts)


def ask(task: Task, logits: Tensor, of: str | int | None = None, marked_bhw: Tensor | None = None) -> Question:
    """The question about a class of each image.

    Args:
        task: names the classes.
        logits: b x k, or b x k x h x w of a network that makes masks.
        of: name of a class, of the good answer of a binary task, or number of a score column; None: of each image
            the answer with the highest score.
        marked_bhw: of masks, the pixels that are meant; None: those that the network marks, and where it marks none
            of the class, all of them.

    Raises:
        UserError: there is no such class.

    >>> question = ask(Task("binary", ("scrap",), "good"), torch.tensor([[3.0], [-2.0]]))
    >>> question.names, question(torch.tensor([[3.0], [-2.0]])).tolist()
    (('scrap', 'good'), [3.0, 2.0])
    """
    first = 1 if task.pixels == "multiclass" else 0  # column 0 is the background
    top = torch.arange(len(logits), device=logits.device)
    if of is not None:
        column, sign = column_of(task, of, first)
        column_b, sign_b = torch.full_like(top, column), torch.full_like(top, sign)
    elif task.kind == "binary":
        flat_b = logits.flatten(1).amax(dim=1)
        column_b, sign_b = torch.zeros_like(top), torch.where(flat_b > 0, 1, -1)
    else:
        column_b = logits.flatten(2).amax(dim=2)[:, first:].argmax(dim=1) if logits.ndim == 4 else logits.argmax(dim=1)
        column_b, sign_b = column_b + (first if logits.ndim == 4 else 0), torch.ones_like(top)
    names = tuple(
        task.negative if sign < 0 else task.classes[column - first]
        for column, sign in zip(column_b.tolist(), sign_b.tolist(), strict=True)
    )
    if logits.ndim == 4:
        marked_bhw = _marked(task, logits, column_b) if marked_bhw is None else marked_bhw.to(logits)
        marked_bhw = torch.where(marked_bhw.sum(dim=(1, 2), keepdim=True) > 0, marked_bhw, 1.0)
    return Question(names, column_b, sign_b.to(logits.dtype), marked_bhw if logits.ndim == 4 else None)


def _marked(task: Task, logits: Tensor, column_b: Tensor) -> Tensor:
    """1 where the network marks the class: it wins there, or its probability is above one half."""
    if task.pixels == "multiclass":
        return (logits.argmax(dim=1) == column_b[:, None, None]).to(logits.dtype)
    return (logits[torch.arange(len(logits), device=logits.device), column_b] > 0).to(logits.dtype)
