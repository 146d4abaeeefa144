"""Networks that draw: a map of logits for each score column, as high and wide as the picture.

Masks of several labels pass a sigmoid, masks of classes that exclude each other a softmax; both are the business of
the loss and of the runtime. Pictures of any size are taken: they are padded on the right and at the bottom by
repeating the border until every step down divides them, and the maps are cropped again.

Tensors are b x c x h x w.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from flawscope.errors import RecipeError, choices
from flawscope.models.pretrained import building, check_held, known, source
from flawscope.models.rows import Join, Keep, MaxPool, Shape, begin, layer_of
from flawscope.models.table import MASKS

FAMILY = "smp"
"""Decoders of segmentation_models_pytorch on backbones of timm: `smp:<decoder>/<backbone>`."""
OURS = (
    "encoder_name",
    "encoder_weights",
    "in_channels",
    "classes",
    "activation",
    "aux_params",
    "pretrained_cfg_overlay",
)
"""Arguments that the plan of the network sets."""


def makes_masks(name: str) -> bool:
    """Whether a network of this name gives maps of logits instead of one logit a score column.

    >>> makes_masks("smp:unet/resnet34"), makes_masks("table:resunet"), makes_masks("table:resnet18")
    (True, True, False)
    """
    family, _, rest = name.partition(":")
    return family == FAMILY or (family == "table" and rest in MASKS)


def padded(x_bchw: Tensor, multiple: int) -> Tensor:
    """Images whose height and width are multiples of a number; what comes in repeats the right and the lower border.

    >>> padded(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 2)
    tensor([[[[1., 2., 3., 3.],
              [1., 2., 3., 3.]]]])
    """
    below, right = (-side % multiple for side in x_bchw.shape[-2:])
    return functional.pad(x_bchw, (0, right, 0, below), mode="replicate") if below or right else x_bchw


class MaskNet(nn.Module):
    """A network made from the rows of one entry of `MASKS`; convolutions begin as in He et al. 2015 (fan-in).

    Args:
        name: the entry.
        channels: of the picture.
        outputs: number of score columns.

    >>> sum(p.numel() for p in MaskNet("resunet", channels=1, outputs=4).parameters())
    1205892
    """

    def __init__(self, name: str, channels: int, outputs: int) -> None:
        super().__init__()
        self.rows = MASKS[name]
        self.multiple = 2 ** sum(isinstance(row, MaxPool) for row in self.rows)
        # The channels are the same for every size: this one goes through all steps down.
        shape: Shape = (channels, self.multiple, self.multiple)
        kept: list[Shape] = []
        self.steps = nn.ModuleList()
        for row in self.rows:
            if isinstance(row, Keep):
                kept.append(shape)
                layer: nn.Module = nn.Identity()
            elif isinstance(row, Join):
                layer, shape = nn.Upsample(scale_factor=2), (shape[0] + kept.pop()[0], 2 * shape[1], 2 * shape[2])
            else:
                layer, shape = layer_of(row, shape, outputs)
            self.steps.append(layer)
        begin(self, "fan_in")

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Logits, b x outputs x h x w."""
        height, width = x_bchw.shape[-2:]
        kept: list[Tensor] = []
        x_bchw = padded(x_bchw, self.multiple)
        for row, step in zip(self.rows, self.steps, strict=True):
            x_bchw = step(x_bchw)
            if isinstance(row, Keep):
                kept.append(x_bchw)
            elif isinstance(row, Join):
                x_bchw = torch.cat([x_bchw, kept.pop()], dim=1)
        return x_bchw[..., :height, :width]

    def get_classifier(self) -> nn.Module:
        """The last convolution, under the name that timm's models use."""
        return self.steps[-1]


class Decoder(nn.Module):
    """From the maps of a backbone to logits: a decoder of segmentation_models_pytorch and its last convolution."""

    def __init__(self, decoder: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder
        self.last = last

    def forward(self, maps: Any) -> Tensor:
        """Logits of the maps of all stages; backbones of vision transformers give their extra tokens as well."""
        logit_bkhw: Tensor = self.last(self.decoder(*maps) if isinstance(maps, tuple) else self.decoder(maps))
        return logit_bkhw


class Decoded(nn.Module):
    """A backbone of timm below a decoder of segmentation_models_pytorch.

    With a frozen backbone all of the decoder learns: it is what the head is for other networks. `steps_more` is how
    often the decoder halves the last maps of the backbone.
    """

    def __init__(self, model: nn.Module, steps_more: int = 0) -> None:
        super().__init__()
        self.backbone = cast(nn.Module, model.encoder)
        self.above = Decoder(cast(nn.Module, model.decoder), cast(nn.Module, model.segmentation_head))
        self.multiple = int(cast(int, self.backbone.output_stride)) << steps_more

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Logits, b x outputs x h x w."""
        height, width = x_bchw.shape[-2:]
        logit_bkhw: Tensor = self.above(self.backbone(padded(x_bchw, self.multiple)))
        return logit_bkhw[..., :height, :width]

    def get_classifier(self) -> nn.Module:
        """The whole decoder, under the name that timm's models use."""
        return self.above


def decoded(
    name: str, channels: int, outputs: int, arguments: Mapping[str, Any], weights: str
) -> tuple[nn.Module, tuple[float, ...], tuple[float, ...]]:
    """Build `smp:<decoder>/<backbone>`; give it with the backbone's own mean and standard deviation.

    Args:
        name: of decoder and backbone, "unet/resnet34".
        channels: of the picture.
        outputs: number of score columns.
        arguments: of the decoder's class in segmentation_models_pytorch; what it does not know is told to timm.
        weights: of the backbone: `none`, `imagenet`, or a local file.

    Raises:
        RecipeError: an unknown decoder, backbone or argument, or two that do not go together.
        WeightsError: weights cannot be downloaded or read, or do not fit.

    >>> net, _, _ = decoded("unet/test_resnet", channels=1, outputs=2, arguments={}, weights="none")
    >>> net(torch.zeros(1, 1, 40, 50)).shape
    torch.Size([1, 2, 40, 50])
    """
    import segmentation_models_pytorch as smp  # takes seconds to import, and few need it

    decoder, _, backbone = name.partition("/")
    if decoder not in smp.MODEL_ARCHITECTURES_MAPPING or not backbone:
        examples = [f"{FAMILY}:{each}/{backbone or 'resnet34'}" for each in smp.MODEL_ARCHITECTURES_MAPPING]
        raise RecipeError(
            f"model.name: {FAMILY}:{name} is no decoder on a backbone of timm", choices(f"{FAMILY}:{name}", examples)
        )
    if taken := [key for key in OURS if key in arguments]:
        raise RecipeError(f"model.arguments: {taken[0]} is set by flawscope itself", "remove it")
    known(backbone)
    options = source(weights)
    with building(f"{FAMILY}:{name}", arguments, weights), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints for writers of code
        model = smp.create_model(
            decoder,
            f"tu-{backbone}",
            encoder_weights=None if weights == "none" else True,
            in_channels=channels,
            classes=outputs,
            **options,
            **arguments,
        )
    cfg = cast(Mapping[str, Any], model.encoder.model.pretrained_cfg)
    check_held(model.encoder, backbone, weights)
    # The decoder of DPT goes one step further down than its backbone.
    made = Decoded(model, steps_more=1 if decoder == "dpt" else 0)
    return made, tuple(cfg.get("mean") or ()), tuple(cfg.get("std") or ())
