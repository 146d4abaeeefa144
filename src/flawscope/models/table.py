"""Named architectures and heads as rows, to be read beside the paper or exercise that they come from.

Conv(channels, filter, stride); MaxPool(pool, stride); ResBlock(channels, stride); FC(channels), where None stands
for the number of score columns of the task. The other rows are explained in `models.rows`.
"""

from __future__ import annotations

from torch import Tensor, nn

from flawscope.errors import RecipeError, choices
from flawscope.models.rows import (
    BN,
    FC,
    AvgPool,
    Basic,
    Conv,
    DropOut,
    Flatten,
    GlobalAvgPool,
    Join,
    Keep,
    Maps,
    MaskRow,
    MaxPool,
    Point,
    ReLU,
    Res,
    Row,
    layers_of,
)

TABLE: dict[str, tuple[Row, ...]] = {
    # Reference system C, "AlexNet". Not stated there, chosen here: padding (half the filter), dropout (0.5, as
    # Krizhevsky et al. 2012). No bias before a batch norm, which would cancel it.
    "alexnet": (
        Conv(96, 11, 4), BN(), ReLU(), MaxPool(3, 2),
        Conv(192, 5, 1), BN(), ReLU(), MaxPool(3, 2),
        Conv(384, 3, 1), BN(), ReLU(),
        Conv(256, 3, 1), BN(), ReLU(),
        Conv(256, 3, 1), BN(), ReLU(), MaxPool(3, 2), Flatten(),
        DropOut(0.5), FC(4096), ReLU(),
        DropOut(0.5), FC(4096), ReLU(),
        FC(),
    ),
    # Reference system C, "ResNet18": one ResBlock a stage, so ten weight layers: not torchvision's ResNet-18.
    # Not stated there, chosen here: padding (half the filter) and no dropout.
    "resnet18": (
        Conv(64, 7, 2), BN(), ReLU(), MaxPool(3, 2),
        Res(64, 1), Res(128, 2), Res(256, 2), Res(512, 2),
        GlobalAvgPool(), FC(),
    ),
    # Reference system B's own residual network, the alternative to ResNet-34. Its rows are not published: these are
    # the stages of system C with the block of He et al. 2016.
    "resnet10": (
        Conv(64, 7, 2), BN(), ReLU(), MaxPool(3, 2),
        Basic(64, 1), Basic(128, 2), Basic(256, 2), Basic(512, 2),
        GlobalAvgPool(), FC(),
    ),
    # Reference system E, coils at 400 x 700: no padding, so that 16 * 97 * 172 = 266,944 values are flattened.
    "coil": (
        Conv(6, 5, padding=0, bias=True), ReLU(), MaxPool(2, 2, padding=0),
        Conv(16, 5, padding=0, bias=True), ReLU(), MaxPool(2, 2, padding=0), Flatten(),
        FC(120), ReLU(),
        FC(),
    ),
}  # fmt: skip

HEADS: dict[str, tuple[Row, ...]] = {
    # Reference system A, on EfficientNetV2-B2.
    "norm": (BN(), GlobalAvgPool(), BN(), DropOut(0.2), FC()),
    # Reference system D, its gate on ResNet-50 at 256 x 256.
    "gate": (AvgPool(4, 4), Flatten(), FC(256), ReLU(), DropOut(0.3), FC()),
}

MASKS: dict[str, tuple[MaskRow, ...]] = {
    # Reference system D, the ResUNet, 256 x 256 x 1 there. "Same" padding is half the filter. Not stated there, chosen
    # here: biases (everywhere, as Keras has them), how maps are doubled (each value repeated, as Keras does), and batch
    # norm's momentum and epsilon (torch's). The sigmoid of its last row is the loss's and the runtime's.
    "resunet": (
        Conv(16, 3, bias=True), ReLU(), BN(), Conv(16, 3, bias=True), ReLU(), BN(), Keep(), MaxPool(2, 2, padding=0),
        Point(32), Keep(), MaxPool(2, 2, padding=0),
        Point(64), Keep(), MaxPool(2, 2, padding=0),
        Point(128), Keep(), MaxPool(2, 2, padding=0),
        Point(256),
        Join(), Point(128),
        Join(), Point(64),
        Join(), Point(32),
        Join(), Point(16),
        Maps(),
    ),
}  # fmt: skip


class TableNet(nn.Module):
    """A network made from the rows of one entry of `TABLE`.

    Args:
        name: the entry.
        shape: channels, height and width of the input picture.
        outputs: number of score columns.

    Raises:
        RecipeError: there is no such entry, or the pictures are too small for it.

    >>> sum(p.numel() for p in TableNet("coil", (1, 400, 700), outputs=2).parameters())
    32036214
    """

    def __init__(self, name: str, shape: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        if name not in TABLE:
            raise RecipeError(f"model.name: there is no network table:{name}", choices(name, [*TABLE, *MASKS]))
        self.layers = layers_of(TABLE[name], shape, outputs, f"table:{name}")

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Logits, b x outputs."""
        out: Tensor = self.layers(x_bchw)
        return out

    def get_classifier(self) -> nn.Module:
        """The last fully connected layer, under the name that timm's models use."""
        return self.layers[-1]


class Headed(nn.Module):
    """A backbone of timm that gives maps, below a head made from the rows of one entry of `HEADS`.

    Args:
        backbone: made with `num_classes=0, global_pool=""`.
        name: the entry.
        maps: the shape of what it gives for one picture: channels, height, width.
        outputs: number of score columns.

    Raises:
        RecipeError: there is no such entry, or the backbone gives no maps.
    """

    def __init__(self, backbone: nn.Module, name: str, maps: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        if name not in HEADS:
            raise RecipeError(f"model.head: there is no head {name!r}", choices(name, ["linear", *HEADS]))
        if len(maps) != 3:
            raise RecipeError(
                f"model.head: {name} stands on maps (channels, height, width), but this backbone gives {maps}",
                "use `head: linear`, or a convolutional network",
            )
        self.backbone = backbone
        self.layers = layers_of(HEADS[name], maps, outputs, f"the head {name}")

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Logits, b x outputs."""
        out: Tensor = self.layers(self.backbone(x_bchw))
        return out

    def get_classifier(self) -> nn.Module:
        """The whole head, under the name that timm's models use."""
        return self.layers
