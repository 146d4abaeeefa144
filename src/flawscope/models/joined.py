"""A head that is given the metadata of an image beside the features of its pixels.

What the network's own head does before its last fully connected layer stays as it is; that layer gives way to one
over its features and the encoded metadata together. So it stands on every family: a head of one layer, or of several
(`norm`, `gate`), which all belong to the head and learn while the backbone is frozen.

Letters: b images, m columns, e encoded values (one a number, one a category), f features, k outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flawscope.errors import RecipeError
from flawscope.metadata import MetaColumn


class Encoding(nn.Module):
    """From the table input, b x m, to what a layer can learn from, b x e: one-hot categories, normalised numbers.

    A number becomes (x - mean) / std of the training part. Nothing here is learnt, and nothing stands in checkpoints:
    the plan of the network holds the columns.

    >>> columns = [MetaColumn("type", ("mono", "poly")), MetaColumn("age", mean=10.0, std=4.0)]
    >>> Encoding(columns)(torch.tensor([[1.0, 12.0]])).tolist()
    [[0.0, 1.0, 0.5]]
    """

    def __init__(self, columns: Sequence[MetaColumn]) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.width = sum(column.width for column in columns)
        for place, column in enumerate(columns):
            # Buffers, so that they follow to the device; float32, as the table is.
            codes_1e = torch.arange(column.width, dtype=torch.float32)[None]
            self.register_buffer(f"codes_{place}", codes_1e, persistent=False)

    def forward(self, table_bm: Tensor) -> Tensor:
        """The encoded values, in the order of the columns."""
        pieces = []
        for place, column in enumerate(self.columns):
            value_b1 = table_bm[:, place : place + 1]
            if column.categories:
                pieces.append((value_b1 == self.get_buffer(f"codes_{place}")).float())
            else:
                pieces.append((value_b1 - column.mean) / column.std)
        return torch.cat(pieces, dim=1)


class JoinedHead(nn.Module):
    """Features and metadata in, logits out.

    Args:
        below: what the head does before its last layer; takes what the backbone gives.
        features: how many of them leave it.
        columns: of the table input.
        outputs: number of score columns.
    """

    def __init__(self, below: nn.Module, features: int, columns: Sequence[MetaColumn], outputs: int) -> None:
        super().__init__()
        self.below = below
        self.encoding = Encoding(columns)
        self.last = nn.Linear(features + self.encoding.width, outputs)

    def forward(self, given: Tensor, table_bm: Tensor) -> Tensor:
        """Logits, b x k."""
        feature_bf: Tensor = self.below(given)
        out: Tensor = self.last(torch.cat([feature_bf, self.encoding(table_bm)], dim=1))
        return out


def join(body: nn.Module, head: nn.Module, columns: Sequence[MetaColumn], outputs: int, name: str) -> JoinedHead:
    """Take the head out of a network, which then gives what the head was given, and make a joined one of it.

    Args:
        body: a network with its head in it.
        head: the module of it that makes the logits, at its very end.
        columns: of the table input.
        outputs: number of score columns.
        name: for errors.

    Raises:
        RecipeError: the head has no fully connected layer to be replaced.
    """
    layers = [(path, layer) for path, layer in head.named_modules() if isinstance(layer, nn.Linear)]
    place = next((path for path, layer in body.named_modules() if layer is head), "")
    if not layers or not place:
        raise RecipeError(
            f"model.metadata: {name} has no fully connected layer at its end that metadata could join",
            "choose another model.name",
        )
    path, last = layers[-1]
    below: nn.Module = nn.Identity()
    if path:
        head.set_submodule(path, nn.Identity())
        below = head
    body.set_submodule(place, nn.Identity())
    return JoinedHead(below, last.in_features, columns, outputs)
