"""Averaging over turns and mirrors, inside the graph: what is decided does not hang on how the part lay.

All views of a batch go through the network together; what it gives is laid back and averaged. Of logits the mean is
taken (the geometric mean of the odds), of maps (b x c x h x w) the mean of the maps turned back. See Krizhevsky et al.
2012 (section 4.1) for averaging over crops and mirrors, Wang et al. 2019 for all turns.

Letters: v views, b images, c channels, h and w rows and columns.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Over = Literal["none", "mirrors", "turns"]
View = tuple[int, bool]
"""So many quarter turns to the left, and whether left and right change places then."""

VIEWS: dict[Over, tuple[View, ...]] = {
    "none": ((0, False),),
    "mirrors": ((0, False), (0, True), (2, False), (2, True)),
    "turns": tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}
"""What is averaged over: any picture can be mirrored both ways and turned by 180 degrees, a square one by 90 too."""


def seen(x_bchw: Tensor, view: View) -> Tensor:
    """Images turned, then mirrored.

    >>> seen(torch.tensor([[[[1, 2], [3, 4]]]]), (1, False)).tolist()
    [[[[2, 4], [1, 3]]]]
    """
    turns, mirrored = view
    x_bchw = torch.rot90(x_bchw, turns, (2, 3)) if turns else x_bchw
    return torch.flip(x_bchw, (3,)) if mirrored else x_bchw


def laid_back(x_bchw: Tensor, view: View) -> Tensor:
    """What undoes `seen`.

    >>> x = torch.arange(4).view(1, 1, 2, 2)
    >>> all(torch.equal(laid_back(seen(x, view), view), x) for view in VIEWS["turns"])
    True
    """
    turns, mirrored = view
    x_bchw = torch.flip(x_bchw, (3,)) if mirrored else x_bchw
    return torch.rot90(x_bchw, -turns, (2, 3)) if turns else x_bchw


class Averaged(nn.Module):
    """A network that looks at every image in several views and gives the mean of what it says.

    Costs as many passes as there are views: 4 for mirrors, 8 for turns.

    >>> network = nn.Flatten()
    >>> Averaged(network, "turns")(torch.tensor([[[[0.0, 1.0], [2.0, 5.0]]]]))
    tensor([[2., 2., 2., 2.]])
    """

    def __init__(self, network: nn.Module, over: Over) -> None:
        super().__init__()
        self.network = network
        self.views = VIEWS[over]

    def forward(self, inputs_bchw: Tensor, table_bm: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        """The mean over the views of each output; metadata are the same in every view."""
        views_bchw = torch.cat([seen(inputs_bchw, view) for view in self.views])
        tables = () if table_bm is None else (table_bm.repeat(len(self.views), 1),)
        outputs = self.network(views_bchw, *tables)
        if isinstance(outputs, Tensor):
            return self._mean(outputs)
        return tuple(self._mean(output) for output in outputs)

    def _mean(self, output: Tensor) -> Tensor:
        output_vb = output.reshape(len(self.views), -1, *output.shape[1:])
        if output.ndim == 4:
            output_vb = torch.stack([laid_back(output_vb[v], view) for v, view in enumerate(self.views)])
        return output_vb.mean(dim=0)


def averaged(network: nn.Module, over: Over) -> nn.Module:
    """The network that is exported; as it is, where nothing is averaged."""
    return network if over == "none" else Averaged(network, over)
