"""The layers of a built network: what each gives, which of them give maps, and which one explains the answer best.

A map may lie in memory as b x c x h x w, as b x h x w x c (Swin transformers), or as tokens, b x (extra + h*w) x c
(vision transformers, whose first tokens stand for no place). `Grid` brings all of them to b x c x h x w.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from flawscope.errors import UserError
from flawscope.explanation.capture import Hook, captured, evaluating, gradient, hooked

BELOW = ("body.", "body.backbone.", "body.backbone.model.", "")
"""Begins the names of layers: a recipe's `train.unfreeze.layer` and the user leave them out."""
NO_OWN_MAP = ("pool", "identity", "dropout", "droppath", "flatten")
"""Layers whose map is that of the layer before, or a poorer one."""
LISTED = 40
Score = Callable[[Tensor], Tensor]
"""From what a network gives to one number an image."""


@dataclass(frozen=True)
class Grid:
    """How a layer's output becomes a map of h x w places."""

    kind: Literal["channels first", "channels last", "tokens"]
    height: int
    width: int
    extra: int = 0

    def map_of(self, given: Tensor) -> Tensor:
        """What the layer gives, as b x c x h x w.

        >>> Grid("tokens", 1, 2, extra=1).map_of(torch.tensor([[[9.0], [1.0], [2.0]]])).tolist()
        [[[[1.0, 2.0]]]]
        """
        if self.kind == "channels first":
            return given
        if self.kind == "tokens":
            given = given[:, self.extra :].reshape(len(given), self.height, self.width, -1)
        return given.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Layer:
    """One module of a network in the order in which they end; `grid` where it gives a map, `shape` of one image.

    `before_head` says that it is not, nor comes after, the layer that makes an answer of maps (masks).
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    grid: Grid | None
    before_head: bool = True

    @property
    def kind(self) -> str:
        """The class of the module."""
        return type(self.module).__name__

    @property
    def own(self) -> bool:
        """Whether it makes something new: pooling, dropout and the like do not."""
        return not any(word in self.kind.lower() for word in NO_OWN_MAP)

    @property
    def leaf(self) -> bool:
        """Whether it holds no other modules."""
        return next(self.module.children(), None) is None


def layers_of(network: nn.Module, *inputs: Tensor) -> list[Layer]:
    """Every module that is called for one image, in the order in which they end, under the names that users give.

    A module that is called several times stands there once, with its last call.

    Args:
        network: as `models.build` makes it, or any other module.
        inputs: what it takes: images b x c x h x w, and their metadata where it takes any. The first one is shown.

    >>> [(layer.name, layer.shape) for layer in layers_of(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()),
    ...     torch.zeros(1, 1, 5, 6))]
    [('0', (2, 3, 4)), ('1', (2, 3, 4))]
    """
    names = {module: name for name, module in network.named_modules() if name}
    outs: dict[nn.Module, tuple[int, ...]] = {}
    ended: dict[nn.Module, int] = {}
    begun: dict[nn.Module, int] = {}
    count = 0

    def begin(module: nn.Module, given: Any, out: Any) -> None:
        begun[module] = count

    def end(module: nn.Module, given: Any, out: Any) -> None:
        nonlocal count
        count += 1
        ended[module] = count
        outs[module] = tuple(out.shape) if isinstance(out, Tensor) else ()

    hooks: dict[nn.Module, Hook] = dict.fromkeys(names, end)
    with evaluating(network), hooked(hooks, dict.fromkeys(names, begin)), torch.no_grad():
        answer = network(*(each[:1] for each in inputs))
    order = sorted(ended, key=lambda module: ended[module])
    weighted = [module for module in order if any(True for _ in module.parameters(False))]
    # Where the answer is a map itself, the layer that makes it explains nothing.
    head = begun[weighted[-1]] if weighted and answer.ndim == 4 else count
    covered = covered_by(network, inputs[0])
    extra = next((int(many) for many in map(_prefix, network.modules()) if many is not None), 0)
    return [
        Layer(
            shown(names[module]),
            module,
            outs[module][1:],
            grid_of(outs[module], covered, extra),
            before_head=ended[module] <= head,
        )
        for module in order
    ]


def _prefix(module: nn.Module) -> Any:
    """How many tokens of a vision transformer stand for no place, as timm's models say."""
    return getattr(module, "num_prefix_tokens", None)


def shown(name: str) -> str:
    """The name of a layer as users see it."""
    return name.removeprefix("body.")


def without_backbone(name: str) -> str:
    """The name of a layer of a backbone without what lies around it: one name with every head.

    >>> without_backbone("backbone.model.layer4"), without_backbone("backbone")
    ('layer4', 'backbone')
    """
    return name.removeprefix("backbone.").removeprefix("model.")


def covered_by(network: nn.Module, images_bchw: Tensor) -> tuple[int, int]:
    """Height and width that maps stand for: those of the image, padded where the network pads it (masks).

    >>> covered_by(nn.Identity(), torch.zeros(1, 1, 5, 6))
    (5, 6)
    """
    multiple = int(getattr(getattr(network, "body", network), "multiple", 1))
    height, width = (-(-int(side) // multiple) * multiple for side in images_bchw.shape[-2:])
    return height, width


def grid_of(shape: tuple[int, ...], image: tuple[int, int], extra: int = 0) -> Grid | None:
    """How one image's output of this shape is a map of the image; None if it is none, or of one place only.

    Of four dimensions, those two are height and width whose ratio is nearest to the image's.

    >>> grid_of((1, 8, 6, 12), (60, 120)), grid_of((1, 6, 12, 8), (60, 120)).kind
    (Grid(kind='channels first', height=6, width=12, extra=0), 'channels last')
    >>> grid_of((1, 19, 64), (60, 120), extra=1).width
    6
    """
    if shape[:1] != (1,):  # windows of an image, stacked
        return None
    if len(shape) == 4:
        wanted = math.log(image[0] / image[1])
        sides = {"channels first": shape[2:], "channels last": shape[1:3]}
        fits = {kind: abs(math.log(h / w) - wanted) for kind, (h, w) in sides.items() if h and w}
        # A network with a map of one row only has no other layout; the usual one wins where both fit alike.
        kind = min(fits, key=lambda each: round(fits[each], 3)) if fits else "channels first"
        height, width = sides[kind]
        if height * width > 1 and height <= image[0] and width <= image[1]:
            return Grid("channels last" if kind == "channels last" else "channels first", height, width)
    if len(shape) == 3:
        places = shape[1] - extra
        for height in range(1, places + 1):
            if places > 1 and places % height == 0 and height * image[1] == (places // height) * image[0]:
                return Grid("tokens", height, places // height, extra)
    return None


def find_layer(layers: list[Layer], name: str) -> Layer:
    """The layer of a name that gives maps; what is before `body.` or `backbone.` may be left out.

    Raises:
        UserError: there is none of this name, or it gives no map.
    """
    by_name = {layer.name: layer for layer in layers}
    maps = [without_backbone(layer.name) for layer in with_maps(layers) if layer.own]
    for below in BELOW:
        found = by_name.get(shown(f"{below}{name}"))
        if found is not None and found.grid is not None:
            return found
        if found is not None:
            size = " x ".join(map(str, found.shape)) or "no single output"
            raise UserError(f"layer {name} gives no map of places ({size})", listed(name, maps))
    raise UserError(f"the network has no layer {name!r}", listed(name, maps))


def with_maps(layers: Iterable[Layer]) -> list[Layer]:
    """The layers that give maps."""
    return [layer for layer in layers if layer.grid is not None]


def listed(name: str, names: list[str]) -> str:
    """The remedy for a layer that is not there: the nearest one, and a list; of deep networks its outer layers.

    >>> listed("layer5", ["layer3", "layer4"])
    "did you mean 'layer4'? Valid: layer3, layer4"
    """
    depths = (max((each.count(".") for each in names), default=0), 2, 1, 0)
    outer = [[each for each in names if each.count(".") <= depth] for depth in depths]
    few = next((each for each in outer if 0 < len(each) <= LISTED), names[:LISTED])
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    start = f"did you mean {near[0]!r}? " if near else ""
    return f"{start}Valid: {', '.join(few)}{', and layers inside of them' if len(few) < len(names) else ''}"


def chosen_layer(
    network: nn.Module, layers: list[Layer], inputs: tuple[Tensor, ...], score: Score, name: str | None = None
) -> Layer:
    """The layer of a name; `/16`: the last one whose places are at most 16 pixels wide; without a name the last one.

    Deep layers know best what is there, finer ones where it is.

    Raises:
        UserError: there is none.
    """
    stride = re.fullmatch(r"/([0-9]{1,4})", name or "")
    if stride is None:
        return find_layer(layers, name) if name else last_layer(network, layers, inputs, score)
    most, sides = int(stride[1]), covered_by(network, inputs[0])
    fine = [layer for layer in with_maps(layers) if layer.grid and round(max(widths(layer.grid, sides))) <= most]
    if not fine:
        least = min((round(max(widths(layer.grid, sides))) for layer in layers if layer.grid), default=0)
        raise UserError(
            f"the network has no layer whose places are at most {most} pixels wide", f"the finest one: /{least}"
        )
    return last_layer(network, fine, inputs, score)


def widths(grid: Grid, sides: tuple[int, int]) -> tuple[float, float]:
    """How high and wide one place of a map is, in pixels of an image of this height and width.

    >>> widths(Grid("channels first", 7, 14), (224, 224))
    (32.0, 16.0)
    """
    return sides[0] / grid.height, sides[1] / grid.width


def last_layer(network: nn.Module, layers: list[Layer], inputs: tuple[Tensor, ...], score: Score) -> Layer:
    """The last layer before the head that gives a map on which the answer depends.

    In a vision transformer with a class token the other tokens of the last block go nowhere: then it is the layer
    before its attention. Pooling, dropout and the like have no map of their own, and the inside of attention is none.

    Args:
        network: see `layers_of`.
        layers: of it.
        inputs: of it.
        score: from what the network gives to one number an image.

    Raises:
        UserError: no layer gives such a map.
    """
    attention = tuple(f"{layer.name}." for layer in layers if "attention" in layer.kind.lower())
    for layer in reversed(with_maps(layers)):
        if layer.before_head and layer.own and not layer.name.startswith(attention):
            with evaluating(network), captured({layer.name: layer.module}) as found, torch.enable_grad():
                slope = gradient(score(network(*inputs)), found[layer.name])
            assert layer.grid is not None
            if float(layer.grid.map_of(slope).abs().max()) > 0:
                return layer
    raise UserError(
        "the network has no layer before its head that gives a map on which the answer depends",
        "use the method occlusion or integrated-gradients, which need none",
    )
