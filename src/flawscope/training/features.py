"""While the backbone is frozen and the images do not change, what the head is given is computed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from flawscope.data.progress import watched
from flawscope.training.input import PartDataset, loader
from flawscope.training.processes import add_up, rank, world
from flawscope.training.sampling import drawn

if TYPE_CHECKING:
    from flawscope.models.build import Network

MOST = 2**31
"""Bytes of features from which on they are not kept: the backbone then runs in every epoch."""

BATCH = 64


class FeatureDataset(Dataset[tuple[Tensor, ...]]):
    """What the head is given for each row of a `PartDataset`, in its order, and the same metadata and targets."""

    def __init__(self, features: Tensor, images: PartDataset) -> None:
        self.features = features
        self.table = None if images.table is None else images.table[images.rows]
        self.targets = images.targets[images.rows]
        self.seed, self.epoch, self.shuffled = images.seed, images.epoch, images.shuffled
        self.likelihood = images.likelihood

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Features, metadata where there are any, and target."""
        index = drawn(index, len(self))[0]
        if self.table is not None:
            return self.features[index], self.table[index], self.targets[index]
        return self.features[index], self.targets[index]


def on_features(network: Network, images: DataLoader[Any]) -> DataLoader[Any] | None:
    """The same batches with features in place of images; none where they would change or take too much memory."""
    dataset: PartDataset = images.dataset  # type: ignore[assignment]
    if network.plan.masks or not dataset.steady or not steady(network):  # maps of features take too much memory
        return None
    found = features(network, dataset)
    if found is None:
        return None
    size: int = images.batch_sampler.batch_size  # type: ignore[union-attr]
    return loader(FeatureDataset(found, dataset), size, 0)


def steady(network: Network) -> bool:
    """Whether all below the head answers the same in every epoch: frozen, and no dropout in it."""
    of_head = set(network.head.modules())
    network.train()
    below = [module for module in network.body.modules() if module not in of_head]
    learns = {id(parameter) for parameter in network.parameters() if parameter.requires_grad}
    learns -= {id(parameter) for parameter in network.head.parameters()}
    drops = [module for module in below if isinstance(module, nn.modules.dropout._DropoutNd)]
    drops = [module for module in drops if module.training and module.p > 0]
    return not learns and not drops and not getattr(network.body, "drop_rate", 0.0)


def features(network: Network, dataset: PartDataset) -> Tensor | None:
    """What the head is given for each row; none if that is more than `MOST` bytes."""
    place = next(network.parameters()).device
    network.eval()
    kept: Tensor | None = None
    starts = range(0, len(dataset), BATCH)
    with torch.no_grad(), given_to(network.head) as given:
        for start in watched(starts, len(starts), "features of the frozen backbone"):
            if start and start // BATCH % world() != rank():
                continue  # another process's; the first batch is done by all, which shows them how large features are
            rows = range(start, min(start + BATCH, len(dataset)))
            inputs = zip(*(dataset[index][:-1] for index in rows), strict=True)
            network(*(torch.stack(each).to(place) for each in inputs))
            found = given.pop().cpu()
            if kept is None:
                if found[0].nbytes * len(dataset) > MOST:
                    return None
                kept = found.new_zeros((len(dataset), *found.shape[1:]))
            kept[rows.start : rows.stop] = found
    if kept is not None and rank():
        kept[:BATCH] = 0
    add_up([kept] if kept is not None else [])
    return kept


@contextmanager
def given_to(layer: nn.Module) -> Iterator[list[Tensor]]:
    """A list to which the first input of a layer is added each time it runs."""
    given: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        yield given
    finally:
        hook.remove()
