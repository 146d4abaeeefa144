"""From the recipe's words to a network that takes integer images and gives logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

from flawscope.errors import RecipeError, WeightsError, choices, reason
from flawscope.metadata import MetaColumn
from flawscope.models.joined import JoinedHead, join
from flawscope.models.masks import MaskNet, decoded, makes_masks
from flawscope.models.pretrained import building, check_held, known, source
from flawscope.models.table import MASKS, TABLE, Headed, TableNet

HALF = 0.5
LINEAR = "linear"
"""The head that a network comes with: pooling and one fully connected layer."""
BELOW_HEAD = ("", "backbone.", "backbone.model.")
"""Begins the names of a timm backbone's layers: alone, under another head (`Headed`), under a decoder (`Decoded`)."""
Made = tuple[nn.Module, tuple[float, ...], tuple[float, ...]]
"""A network, and the mean and standard deviation of the pictures that its backbone has learnt from."""


@dataclass(frozen=True)
class NetworkPlan:
    """All that is needed to build the same network again; stands in every checkpoint.

    `size` is height and width of the pictures: networks that flatten a map are made for one size. `mean` and `std`
    hold one value a channel, for pixels scaled to 0..1. None: the backbone's own where it has pretrained weights, else
    0.5. With `columns` the network has a second input, the metadata of each image.
    """

    name: str
    outputs: int
    channels: int = 3
    depth: int = 8
    size: tuple[int, int] = (224, 224)
    head: str = LINEAR
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: str = "none"
    freeze: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    columns: tuple[MetaColumn, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture."""
        return (self.channels, *self.size)

    @property
    def masks(self) -> bool:
        """Whether it gives a map of logits for each score column, as high and wide as the picture."""
        return makes_masks(self.name)


class Network(nn.Module):
    """Integer images in, logits out; normalisation is inside, so that no runtime can forget it.

    `inputs_bchw` holds uint8 or uint16 values; logits are b x outputs, float32, of networks that make masks b x outputs
    x h x w. A network whose plan names m columns also takes `table_bm`, float32: see `flawscope.metadata.encode`.
    Its head is then taken out of the body.
    """

    mean_1c11: Tensor
    std_1c11: Tensor

    def __init__(self, body: nn.Module, plan: NetworkPlan, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.body = body
        self.plan = plan
        self.highest = float(2**plan.depth - 1)
        self.normalise(mean, std)
        self.joined: JoinedHead | None = None
        if plan.columns:
            self.joined = join(body, self.head, plan.columns, plan.outputs, plan.name)
        if self.joined is not None or (plan.name.startswith("timm:") and plan.head == LINEAR):
            self._start_undecided()
        if plan.freeze:
            self.learn_from(None)

    def forward(self, inputs_bchw: Tensor, table_bm: Tensor | None = None) -> Tensor:
        """Logits of integer images, and of their metadata where the network takes them."""
        x_bchw = (inputs_bchw.float() / self.highest - self.mean_1c11) / self.std_1c11
        out: Tensor = self.body(x_bchw)
        if self.joined is not None:
            if table_bm is None:
                raise ValueError(f"{self.plan.name} also takes a table of {len(self.plan.columns)} columns")
            out = self.joined(out, table_bm)
        return out

    def normalise(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """What is subtracted from pixels scaled to 0..1, and what divides them: a number a channel, in checkpoints."""
        self.register_buffer("mean_1c11", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std_1c11", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    @property
    def head(self) -> nn.Module:
        """The layer or layers that make the logits."""
        if self.joined is not None:
            return self.joined
        find = getattr(self.body, "get_classifier", None)
        classifier = find() if callable(find) else None
        if not isinstance(classifier, nn.Module):
            raise RecipeError(f"model.name: {self.plan.name} has no single head that gives logits", "choose another")
        return classifier

    def _start_undecided(self) -> None:
        """Let the head begin near zero: pooled features of some backbones are so large that a usual one shouts.

        Networks and heads that are prescribed row by row keep the first weights of their rows: with plain SGD a last
        layer near zero holds back all that lie before it.
        """
        layers = [layer for layer in self.head.modules() if isinstance(layer, nn.Linear)]
        for layer in layers[-1:]:
            nn.init.normal_(layer.weight, std=0.001)
            nn.init.zeros_(layer.bias)

    def expect(self, share_k: Sequence[float], *, exclusive: bool) -> None:
        """Let maps begin near the share of pixels of each class, not near one half (Lin et al. 2017, section 4.1).

        `exclusive`: classes exclude each other; the first map is then that of the background.
        """
        biases = [each.bias for each in self.head.modules() if isinstance(each, nn.Conv2d) and each.bias is not None]
        share = torch.tensor(share_k, dtype=torch.float32).clamp(1e-4, 1 - 1e-4)
        logit = torch.cat([(1 - share.sum()).clamp(min=1e-4)[None], share]).log() if exclusive else share.logit()
        for bias in biases[-1:]:
            bias.data.copy_(logit)

    @property
    def layers(self) -> list[str]:
        """The names of the layers that have weights, from the input on: their places are the numbers of the layers."""
        named = [*self.body.named_modules()]
        if self.joined is not None:
            named += self.joined.named_modules(prefix="joined")
        return [name for name, module in named if any(True for _ in module.parameters(False))]

    def learn_from(self, layer: str | int | None) -> None:
        """Freeze what lies below a layer: it is neither changed by the optimiser, nor do its statistics move.

        Args:
            layer: name of a layer or stage ("blocks.4", "layer3"), or the number of a layer, negative ones from the
                end; None: the head alone learns.

        Raises:
            RecipeError: there is no such layer.
        """
        names = self.layers
        start = len(names) if layer is None else self.place_of(layer)
        place = {name: index for index, name in enumerate(names)}
        for name, parameter in self.body.named_parameters():
            parameter.requires_grad_(place[name.rpartition(".")[0]] >= start)
        for parameter in self.head.parameters():
            parameter.requires_grad_(True)

    def place_of(self, layer: str | int) -> int:
        """The number of a layer, or of the first one of a stage.

        Raises:
            RecipeError: there is none of this name or number.
        """
        names = self.layers
        if isinstance(layer, int):
            if not -len(names) <= layer < len(names):
                raise RecipeError(
                    f"train.unfreeze.layer: {self.plan.name} has {len(names)} layers with weights, there is no layer "
                    f"{layer}",
                    f"0 ({names[0]}) to {len(names) - 1} ({names[-1]}), or a name",
                )
            return layer % len(names)
        asked = tuple(f"{below}{layer}." for below in BELOW_HEAD)  # one name with every head
        inside = [index for index, name in enumerate(names) if f"{name}.".startswith(asked)]
        if not inside:
            plain = [name.removeprefix("backbone.").removeprefix("model.") for name in names]
            stages = dict.fromkeys(".".join(name.split(".")[:depth]) for name in plain for depth in (1, 2))
            raise RecipeError(
                f"train.unfreeze.layer: {self.plan.name} has no layer or stage {layer!r}", choices(layer, stages)
            )
        return inside[0]

    def train(self, mode: bool = True) -> Network:
        """As in torch, but what is frozen stays in eval mode: its batch-norm statistics do not move."""
        super().train(mode)
        for module in self.body.modules() if mode else ():
            own = list(module.parameters())
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()
        return self


def build(plan: NetworkPlan, *, pretrained: bool = True) -> Network:
    """Build a network: `timm:<name>` with keyword arguments, `table:<name>` from `models.table`, or
    `smp:<decoder>/<name>`, a decoder of segmentation_models_pytorch on a backbone of timm, which makes masks.

    Args:
        plan: what to build.
        pretrained: False leaves out the weights (a checkpoint brings its own).

    Raises:
        RecipeError: an unknown family, name or argument.
        WeightsError: weights cannot be downloaded or read, or do not fit.

    >>> build(NetworkPlan("table:resnet18", outputs=1, channels=1))(torch.zeros(2, 1, 32, 32).byte()).shape
    torch.Size([2, 1])
    """
    family, _, name = plan.name.partition(":")
    weights = plan.weights if pretrained else "none"
    if (family == "table" or plan.masks) and plan.head != LINEAR:
        raise RecipeError(f"model.head: {plan.name} has its own head, got {plan.head!r}", "use `head: linear`")
    if plan.masks and plan.columns:
        raise RecipeError(f"model.metadata: {plan.name} makes masks and takes no metadata", "leave metadata out")
    if family == "timm":
        body, mean, std = _timm(name, plan, weights)
    elif family == "smp":
        body, mean, std = decoded(name, plan.channels, plan.outputs, plan.arguments, weights)
    elif family == "table":
        body, mean, std = _table(name, plan, weights)
    else:
        names = [f"table:{entry}" for entry in (*TABLE, *MASKS)]
        names += ["timm:mobilenetv2_100", "timm:resnet34", "smp:unet/resnet34"]
        raise RecipeError(f"model.name: {plan.name!r} names no family of networks", choices(plan.name, names))
    return Network(body, plan, _values("mean", plan.mean, mean, plan), _values("std", plan.std, std, plan))


def check_forward(network: Network, shape: tuple[int, int, int], *, masks: bool = False) -> None:
    """Let a network see two empty images of a shape (c, h, w), so that what cannot work is known at once.

    Raises:
        RecipeError: it cannot take images of that size, or does not give one logit a class, or a map of them where
            `masks` are wanted.
    """
    if network.plan.masks != masks:
        raise RecipeError(
            f"model.name: {network.plan.name} makes {'masks' if network.plan.masks else 'no masks'}, this task wants "
            f"{'masks' if masks else 'one score a class'}",
            "choose another model.name",
        )
    wanted = (2, network.plan.outputs, *(shape[1:] if masks else ()))
    tables = [torch.zeros(2, len(network.plan.columns))] if network.plan.columns else []
    images = torch.zeros((2, *shape), dtype=torch.uint8)
    found = tuple(_given(network.eval(), images, network.plan.name, *tables).shape)
    if found != wanted:
        raise RecipeError(f"{network.plan.name} gives {found} for 2 images, expected {wanted}", "choose another model")


def _given(network: nn.Module, images_bchw: Tensor, name: str, *tables: Tensor) -> Tensor:
    """What a network makes of images; that it cannot take them is the recipe's fault."""
    try:
        with torch.no_grad():
            out: Tensor = network(images_bchw, *tables)
    except Exception as error:
        size = " x ".join(map(str, images_bchw.shape[1:]))
        raise RecipeError(
            f"{name} cannot take images of {size}: {reason(error)}",
            "change image.size, image.channels or model.arguments, or choose another model.name",
        ) from error
    return out


def _values(key: str, asked: tuple[float, ...] | None, own: tuple[float, ...], plan: NetworkPlan) -> tuple[float, ...]:
    """One number a channel: the recipe's, the backbone's (averaged for grey), or one half."""
    if asked is not None:
        if len(asked) not in (1, plan.channels):
            raise RecipeError(f"model.{key}: expected 1 or {plan.channels} numbers, got {len(asked)}", "one a channel")
        return asked if len(asked) == plan.channels else asked * plan.channels
    if plan.weights == "none" or not own:
        return (HALF,) * plan.channels
    return own if len(own) == plan.channels else (sum(own) / len(own),) * plan.channels


def _table(name: str, plan: NetworkPlan, weights: str) -> Made:
    if plan.arguments:
        raise RecipeError(
            f"model.arguments: networks of the table take none, got {dict(plan.arguments)}", "remove them"
        )
    if weights != "none":
        raise WeightsError(f"model.weights: there are no weights for {plan.name}", "use `weights: none`")
    if plan.masks:
        return MaskNet(name, plan.channels, plan.outputs), (), ()
    return TableNet(name, plan.shape, plan.outputs), (), ()


def _timm(name: str, plan: NetworkPlan, weights: str) -> Made:
    known(name)
    options: dict[str, Any] = {"num_classes": plan.outputs}
    if plan.head != LINEAR:
        options = {"num_classes": 0, "global_pool": ""}
    options |= source(weights)
    with building(name, plan.arguments, weights):
        body = timm.create_model(
            name,
            pretrained=weights != "none",
            in_chans=plan.channels,
            **options,
            **plan.arguments,
        )
    check_held(body, name, weights)
    cfg = cast(Mapping[str, Any], body.pretrained_cfg)
    if plan.head != LINEAR:
        maps = _given(body.eval(), torch.zeros(1, *plan.shape), plan.name)
        body = Headed(body, plan.head, tuple(maps.shape[1:]), plan.outputs)
    return body, tuple(cfg.get("mean") or ()), tuple(cfg.get("std") or ())
