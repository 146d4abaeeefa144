"""What every method must satisfy on every family of networks: size, range, batches, names, and no traces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from flawscope.errors import UserError
from flawscope.explanation.explain import FILTER_GRADIENTS, METHODS, SIGNED, explain
from flawscope.explanation.layers import layers_of
from flawscope.metadata import MetaColumn
from flawscope.models.build import Network, NetworkPlan, build
from flawscope.records import Task

COLUMNS = (MetaColumn("type", ("mono", "poly")), MetaColumn("age", mean=3.0, std=2.0))
# name, or name+head, or name+columns; the layer that is found; height and width; depth
FAMILIES: dict[str, tuple[str, tuple[int, int], int]] = {
    "table:resnet18": ("layers.7", (48, 80), 16),
    "table:coil": ("layers.4", (40, 60), 8),
    "timm:test_resnet": ("layer4", (48, 80), 8),
    "timm:test_resnet+norm": ("layers.0", (96, 64), 8),
    "timm:test_resnet+gate": ("backbone", (160, 160), 8),
    "timm:test_resnet+columns": ("layer4", (64, 96), 16),
    "timm:test_efficientnet": ("bn2", (64, 64), 8),
    "timm:test_convnext": ("stages", (64, 96), 8),
    "timm:test_vit": ("blocks.5.norm1", (160, 160), 8),
    "table:resunet": ("steps.25", (40, 70), 8),
    "smp:unet/test_resnet": ("above.decoder", (70, 40), 16),
}
MORE: dict[str, tuple[str, tuple[int, int], int]] = {
    "table:resnet10": ("layers.7", (80, 48), 8),
    "timm:mobilenetv2_050": ("bn2", (64, 96), 8),
    "timm:test_vit+columns": ("blocks.5.norm1", (160, 160), 8),
    "smp:fpn/test_efficientnet": ("above.decoder", (33, 64), 8),
    "table:alexnet": ("layers.16", (160, 128), 8),
    "timm:densenet121": ("features", (64, 96), 8),
    "timm:swin_tiny_patch4_window7_224": ("norm", (224, 224), 8),
    "timm:vit_tiny_patch16_224": ("blocks.11.norm1", (224, 224), 8),
    "smp:deeplabv3plus/test_resnet": ("above.decoder", (64, 96), 8),
    "smp:segformer/test_mambaout": ("above.decoder", (64, 64), 8),
}
EVERY = [*FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]


def made(name: str, size: tuple[int, int], depth: int) -> tuple[Network, torch.Tensor, dict[str, Any]]:
    """A network that has seen some pictures, two of them, and what else it is given."""
    torch.manual_seed(0)
    name, _, more = name.partition("+")
    columns = COLUMNS if more == "columns" else ()
    head = more if more in ("norm", "gate") else "linear"
    network = build(NetworkPlan(name, 2, 3 if depth == 16 else 1, depth, size=size, head=head, columns=columns))
    images = torch.randint(0, 2**depth, (2, network.plan.channels, *size), dtype=torch.int32)
    images = images.to(torch.uint8 if depth == 8 else torch.uint16)
    given = {"table_bm": torch.tensor([[0.0, 3.5], [1.0, 2.0]])} if columns else {}
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.1)
    with torch.no_grad():
        for _ in range(2):
            network.train()(images, *given.values())
    return network, images, given


@pytest.mark.parametrize("name", EVERY)
def test_every_method_on_every_family(name: str, traces: Any) -> None:
    wanted, size, depth = {**FAMILIES, **MORE}[name]
    network, images, given = made(name, size, depth)
    task = Task("multilabel", ("a", "b"), pixels="multilabel" if network.plan.masks else "")
    before = traces(network)
    layers = layers_of(network, images, *given.values())
    width = {each.name: each.grid.map_of(torch.empty(1, *each.shape)).shape[1] for each in layers if each.grid}
    few = min(width, key=lambda each: width[each])
    shown = 0
    for method in (*METHODS, FILTER_GRADIENTS):
        # Score-CAM needs a pass for each channel: a layer with few of them will do.
        layer = few if method == "score-cam" else None
        together = explain(network, images, task, "b", method, layer=layer, window=40, stride=40, **given)
        low = -1 if method in SIGNED else 0
        assert (together.map_bhw.shape, together.map_bhw.dtype) == ((2, *size), np.float32), method
        assert np.isfinite(together.map_bhw).all(), method
        assert low <= together.map_bhw.min() <= together.map_bhw.max() <= 1, method
        # Relative to the largest value, or empty where nothing speaks for the class.
        peak_b, largest_b = np.abs(together.map_bhw).max(axis=(1, 2)), together.largest_b
        np.testing.assert_allclose(peak_b, (largest_b > 0).astype(float), atol=1e-4, err_msg=method)
        assert together.layer == ("" if method in SIGNED else wanted) or method in ("score-cam", FILTER_GRADIENTS)
        shown += int((largest_b > 0).all())
    assert shown >= 4, "empty maps would prove nothing"
    assert traces(network) == before


@pytest.mark.parametrize(
    "name", ["table:resnet18", "timm:test_vit", "timm:test_resnet+columns", "smp:unet/test_resnet"]
)
def test_a_batch_is_its_images(name: str) -> None:
    _, size, depth = FAMILIES[name]
    network, images, given = made(name, size, depth)
    task = Task("multilabel", ("a", "b"), pixels="multilabel" if network.plan.masks else "")
    for method in ("grad-cam", "grad-cam++", "eigen-cam", "occlusion"):
        together = explain(network, images, task, None, method, window=40, stride=40, **given)
        for row in range(2):
            part = {key: value[row : row + 1] for key, value in given.items()}
            alone = explain(network, images[row : row + 1], task, None, method, window=40, stride=40, **part)
            np.testing.assert_allclose(together.map_bhw[row], alone.map_bhw[0], atol=2e-3)
            assert together.names[row] == alone.names[0]


@pytest.mark.parametrize("name", ["table:coil", "timm:test_vit", "timm:test_convnext", "smp:unet/test_resnet"])
def test_every_layer_that_is_listed_can_be_named(name: str) -> None:
    _, size, depth = FAMILIES[name]
    network, images, given = made(name, size, depth)
    task = Task("multilabel", ("a", "b"), pixels="multilabel" if network.plan.masks else "")
    with pytest.raises(UserError, match="no layer 'nonsense'") as told:
        explain(network, images, task, "a", layer="nonsense", **given)
    names = told.value.remedy.partition("Valid: ")[2].removesuffix(", and layers inside of them").split(", ")
    assert len(names) >= 2
    for each in names:
        assert explain(network, images, task, "a", layer=each, **given).map_bhw.shape == (2, *size)
