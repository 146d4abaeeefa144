"""Which images an epoch shows, in which order. Draws depend on seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from flawscope.records import BoolArray
from flawscope.training.spec import Sampling


class Dealt(Protocol):
    """A data set of which epochs are dealt: in order, or `shuffled` and each row as likely as `likelihood` says."""

    seed: int
    epoch: int
    shuffled: bool
    likelihood: Tensor | None

    def __len__(self) -> int:
        """How many rows."""


def draw_seed(seed: int, epoch: int, row: int, again: int = 0) -> int:
    """One 63-bit seed for one draw; -1 in place of a row is for the order, -2 for what the network draws.

    `again` counts how often the row has been drawn in this epoch before.

    >>> draw_seed(0, 1, 2) == draw_seed(0, 1, 2) != draw_seed(0, 2, 1)
    True
    """
    which = [seed, epoch, row + 2, *([again] if again else [])]
    return int(np.random.SeedSequence(which).generate_state(1, np.uint64)[0] >> 1)


class EpochSampler(Sampler[int]):
    """Each row once an epoch; or, where the rows have likelihoods, as many draws with replacement.

    A row that is drawn once more is asked for by its place plus n, plus 2 n the next time, and so on: it is the same
    row, but other random changes (see `drawn`).
    """

    def __init__(self, dataset: Dealt) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(draw_seed(self.dataset.seed, self.dataset.epoch, -1))
        if self.dataset.likelihood is not None:
            n, before = len(self), Counter[int]()
            drawn_n = torch.multinomial(self.dataset.likelihood, n, replacement=True, generator=generator)
            for place in drawn_n.tolist():
                yield place + n * before[place]
                before[place] += 1
        else:
            yield from torch.randperm(len(self), generator=generator).tolist()


def drawn(index: int, n: int) -> tuple[int, int]:
    """Which of n rows the sampler asks for, and how often it has been drawn in this epoch before.

    >>> drawn(3, 10), drawn(23, 10)
    ((3, 0), (3, 2))
    """
    again, place = divmod(index, n)
    return place, again


def likelihoods(sampling: Sampling, truth_nk: BoolArray, group_n: Sequence[str]) -> Tensor | None:
    """The probability of each row to be drawn; none where each is shown once an epoch.

    `balanced`: each combination of labels has the same share of the draws. `classes`: each class, and what shows none,
    has the same share; an image of several has its part of each. Where classes exclude each other, both are the same;
    where not, few images of a rare combination are not drawn over and over. `groups`: each group of images of the same
    thing has the same share of the draws of its combination of labels, which keeps its share of all: a thing that is
    in the data a hundred times is not learnt a hundred times as much as one that is there once.

    >>> truth_nk = np.array([[True], [False], [False], [False]])
    >>> likelihoods("balanced", truth_nk, "abbc").tolist()[0]
    0.5
    >>> likelihoods("groups", truth_nk, "abbc").tolist()
    [0.25, 0.1875, 0.1875, 0.375]
    >>> likelihoods("classes", np.array([[True, True], [True, False], [False, False]]), "abc").tolist()
    [0.5, 0.16666666666666666, 0.3333333333333333]
    """
    if sampling == "all":
        return None
    if sampling == "classes":
        shown_nc = np.column_stack([truth_nk, ~truth_nk.any(axis=1)])
        shown_nc = shown_nc[:, shown_nc.any(axis=0)]
        return torch.from_numpy((shown_nc / shown_nc.sum(axis=0)).mean(axis=1))
    _, which_n, count_c = np.unique(truth_nk, axis=0, return_inverse=True, return_counts=True)
    if sampling == "balanced":
        return torch.from_numpy(1 / (len(count_c) * count_c[which_n]))
    cell_n = list(zip(which_n.tolist(), group_n, strict=True))
    size, groups = Counter(cell_n), Counter(which for which, _ in set(cell_n))
    share_n = [count_c[which] / len(cell_n) / (groups[which] * size[which, group]) for which, group in cell_n]
    return torch.tensor(share_n, dtype=torch.float64)
