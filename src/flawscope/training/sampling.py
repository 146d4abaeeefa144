"""Which images an epoch shows, in which order. Draws depend on seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from flawscope.training.features import FeatureDataset
    from flawscope.training.input import PartDataset


def draw_seed(seed: int, epoch: int, row: int, again: int = 0) -> int:
    """One 63-bit seed for one draw; -1 in place of a row is for the order, -2 for what the network draws.

    `again` counts how often the row has been drawn in this epoch before.

    >>> draw_seed(0, 1, 2) == draw_seed(0, 1, 2) != draw_seed(0, 2, 1)
    True
    """
    which = [seed, epoch, row + 2, *([again] if again else [])]
    return int(np.random.SeedSequence(which).generate_state(1, np.uint64)[0] >> 1)


class EpochSampler(Sampler[int]):
    """Each row once an epoch; or as many draws with replacement, every combination of labels as likely.

    A row that is drawn once more is asked for by its place plus n, plus 2 n the next time, and so on: it is the same
    row, but other random changes (see `drawn`).
    """

    def __init__(self, dataset: PartDataset | FeatureDataset, *, balanced: bool = False) -> None:
        self.dataset = dataset
        self.weight_n = balancing(dataset.truth_nk) if balanced else None

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(draw_seed(self.dataset.seed, self.dataset.epoch, -1))
        if self.weight_n is not None:
            n, before = len(self), Counter[int]()
            for place in torch.multinomial(self.weight_n, n, replacement=True, generator=generator).tolist():
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


def balancing(truth_nk: Tensor) -> Tensor:
    """The probability of each row to be drawn: of each combination of labels the same in all.

    >>> balancing(torch.tensor([[1.0], [0.0], [0.0]])).tolist()
    [0.5, 0.25, 0.25]
    """
    _, which_n, count_c = torch.unique(truth_nk, dim=0, return_inverse=True, return_counts=True)
    return torch.reciprocal(len(count_c) * count_c[which_n].double())
