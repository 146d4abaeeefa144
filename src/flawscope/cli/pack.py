"""`flawscope pack`: its options, and what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from flawscope.cli.terminal import numeric, say, shell, step
from flawscope.errors import UserError


def pack(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="an ONNX file")],
    preprocess: Annotated[str, typer.Option(help="0..1 | 0..255 | -1..1 | imagenet | caffe | mean=0.5:std=0.25")],
    classes: Annotated[list[str], typer.Option(help="crack,inactive: what its numbers mean, in their order")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the bundle; default: beside it")] = None,
    task: Annotated[str | None, typer.Option(help="binary | multilabel | multiclass")] = None,
    negative: Annotated[str, typer.Option(help="the good answer (not multiclass)")] = "ok",
    layout: Annotated[str | None, typer.Option(help="nchw | nhwc; default: told from the shape")] = None,
    size: Annotated[str | None, typer.Option(help="224 or 400x700 (height x width), if the model takes any")] = None,
    depth: Annotated[int, typer.Option(help="bits of the pixels: 8 or 16")] = 8,
    resize: Annotated[str, typer.Option(help="bilinear | bicubic | nearest")] = "bilinear",
    crop: Annotated[str | None, typer.Option(help="cut out first: left,top,right,bottom in pixels")] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--output-name", help="of several outputs its answers, once for each")
    ] = None,
    answers: Annotated[str | None, typer.Option(help="logits | probabilities; default: by its last step")] = None,
    threshold: Annotated[
        list[float] | None, numeric(help="once for all classes or once for each; default: 0.5")
    ] = None,
    data: Annotated[str | None, typer.Option(help="labelled images or a recipe, to fit thresholds on")] = None,
    rule: Annotated[str, typer.Option(help="with --data: best_f1 | best_accuracy")] = "best_f1",
    licence: Annotated[str, typer.Option(help="of the model; stands in the bundle")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what is there")] = False,
) -> None:
    """Make a bundle of a model that was trained elsewhere: Keras, TensorFlow, PyTorch, whatever writes ONNX."""
    names = classes if len(classes) > 1 else classes[0].split(",")
    made = step(
        "pack", model, output, preprocess=preprocess, classes=[name.strip() for name in names], task=task,
        negative=negative, layout=layout, size=_size(size), depth=depth, resize=resize, crop=_crop(crop),
        outputs=outputs or (), answers=answers, thresholds=threshold or (), data=data, rule=rule, licence=licence,
        overwrite=overwrite,
    )  # fmt: skip
    for sentence in made.sentences:
        say(sentence)
    from flawscope.bundle.verify import sealed_sentences

    for sentence in sealed_sentences(made.manifest.sealed):
        say(sentence)
    say(f"sealed, seal {made.manifest.seal}\nwrote {made.bundle}")
    say(f"next, on labelled images that it has never seen: flawscope evaluate {shell(made.bundle)} DATA")


def _size(text: str | None) -> tuple[int, int] | None:
    """Height and width.

    >>> _size("224"), _size("400x700")
    ((224, 224), (400, 700))
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)(?:\s*[x,]\s*(\d+))?", text.strip())
    if found is None:
        raise UserError(f"--size {text}: expected one or two numbers", "--size 224, or --size 400x700")
    return int(found[1]), int(found[2] or found[1])


def _crop(text: str | None) -> tuple[int, ...] | None:
    """Four numbers.

    >>> _crop("50,60,750,460")
    (50, 60, 750, 460)
    """
    if text is None:
        return None
    if re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*){3}", text) is None:
        raise UserError(f"--crop {text}: expected four numbers", "--crop 50,60,750,460: left, top, right, bottom")
    return tuple(map(int, text.split(",")))
