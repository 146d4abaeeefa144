"""The part of a written recipe that only data with masks have: tiles, a network that draws, how masks are learnt."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from flawscope.data.look import Finding, size_hint
from flawscope.data.spec import GOOD, MasksSpec
from flawscope.errors import DataError, listing
from flawscope.wording import counted

IMAGE = """\
image:
  # Height and width in pixels of the tile that the network sees. Pictures keep their size: larger ones are looked at in
  # overlapping tiles, smaller ones are padded.
  size: [{height}, {width}]
  resize: none
  # 1: grey, 3: colour.
  channels: {channels}
  # Bits of each value: 8 or 16.
  depth: {depth}
"""
LEARNING = """\
model:
  # table:resunet is small and learns from scratch; smp:unet/NAME puts a decoder on any timm network, for example
  # smp:unet/mobilenetv2_100, smp:fpn/resnet34, smp:deeplabv3plus/resnet34.
  name: {model}
  # Pretrained weights make networks of timm better: `imagenet` downloads them, or name a .safetensors file.
  weights: {weights}

masks:
  # What is made small: bce_dice, focal_tversky, dice, ... focal_tversky where flaws are small and missing one is worse.
  loss: bce_dice
{pieces}
train:
  epochs: {epochs}
  batch_size: {batch}
  # The learning rate at its peak. If the loss jumps about, divide it by 3.
  rate: {rate}
  augment:
    # Leave out what would turn a good part into a bad one, or what never happens at your line.
    flip_horizontal: true
    flip_vertical: true
    quarter_turns: false
    rotate: 5
    brightness: 0.2
"""
PIECES = """\
  # Learnt from are pieces of the pictures, half of them laid over a flaw where there is one.
  pieces: {{size: [{height}, {width}], flawed: 0.5}}
"""
GATE = """
# Where most images are good, a gate saves time: it decides first, on smaller pictures, and flaws are looked for only
# where its answer is not good. To have one, take away the marks; docs/masks.md explains it.
# gate:
#   image: {{size: [{gate_height}, {gate_width}], channels: {channels}, depth: {depth}}}
#   model: {{name: "{gate_model}", weights: {weights}}}
#   train: {{epochs: 20, batch_size: 16, rate: {gate_rate}, watch: auroc}}
#   decide: {{max_escape: 0.05}}
"""
WHOLE, TILE = 512, 256
"""Pictures of one size up to this side are learnt from whole; of others, pieces of this side at most."""
PIXELS = 16 * TILE * TILE
"""So many pixels a batch are learnt from, or two pictures."""
STEPS_WANTED = 3000
GATE_SIDE = 640
"""The longer side of what a gate sees: half of it hides small flaws, twice as much takes four times as long."""


def gate(finding: Finding) -> str:
    """The template of a gate, in comments; nothing where no image is good, as there is nothing to let pass."""
    assert isinstance(finding.spec, MasksSpec)
    return GATE if finding.counts.get(finding.spec.negative or GOOD) else ""


def mask_values(finding: Finding, n: int, share: float, *, pretrained: bool) -> dict[str, Any]:
    """What the templates are filled with; `n` pictures there are, of which `share` is learnt from."""
    height, width = tile(finding)
    gate_height, gate_width = size_hint(finding.sizes, GATE_SIDE)
    batch = max(2, min(32, PIXELS // (height * width)))
    steps = max(1, round(n * share / batch))
    return {
        "height": height,
        "width": width,
        "model": "smp:unet/mobilenetv2_100" if pretrained else "table:resunet",
        "pieces": "" if _whole(finding) else PIECES.format(height=height, width=width),
        "batch": batch,
        "epochs": min(60, max(12, round(STEPS_WANTED / steps))),
        "rate": "0.0005" if pretrained else "0.001",
        "gate_height": gate_height,
        "gate_width": gate_width,
        "gate_model": "timm:mobilenetv2_100" if pretrained else "table:resnet18",
        "gate_rate": "0.0003" if pretrained else "0.001",
    }


def check_marks(finding: Finding, place: str | Path) -> None:
    """Refuse masks of which none that can be used marks anything: nothing could be learnt from them.

    Raises:
        DataError: none does; tells what cannot be used.
    """
    assert isinstance(finding.spec, MasksSpec)
    if set(finding.counts) <= {finding.spec.negative or GOOD}:
        unusable = [words for words in finding.sentences if words.startswith("Cannot be used")]
        raise DataError(
            f"{place}: no mask marks anything in the {counted(sum(finding.counts.values()), 'images')} that can be used"
            + (f"\n{listing(unusable)}" if unusable else ""),
            "are these the masks, bright or in colours where a flaw is? Mend those that cannot be used. If all images "
            "are good, add flawed ones with their masks",
        )


def tile(finding: Finding) -> tuple[int, int]:
    """Height and width of the tile: the picture where all are of one moderate size, else a square that most hold.

    The square is a multiple of 32, as networks halve their maps five times.
    """
    if _whole(finding):
        ((width, height),) = finding.sizes
        return height, width
    shorter = statistics.median(min(size) for size, n in finding.sizes.items() for _ in range(n))
    side = min(TILE, max(64, 32 * int(shorter // 32)))
    return side, side


def _whole(finding: Finding) -> bool:
    return len(finding.sizes) == 1 and max(next(iter(finding.sizes))) <= WHOLE
