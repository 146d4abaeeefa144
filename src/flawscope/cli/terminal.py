"""What all commands share: the terminal, and the call of a step with its errors in words."""

from __future__ import annotations

import shlex
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from flawscope.errors import UserError
from flawscope.machine import place

BY_ALL = ("run", "train")
"""What torchrun may start as several processes; of these the first one speaks."""
NEED_TORCH = ("run", "train", "export", "tune", "look")
TORCH = ("torch", "torchvision", "timm", "lightning_fabric", "onnx", "safetensors", "optuna", "sqlalchemy", "captum")
NUMBER, PROCESSES = place()
console = Console(highlight=False, quiet=NUMBER > 0)
errors = Console(stderr=True, highlight=False, quiet=NUMBER > 0)


def step(name: str, *arguments: Any, **options: Any) -> Any:
    """Make the library call of that name, imported only now: torch takes seconds, and the runtime has none."""
    if PROCESSES > 1 and name not in BY_ALL:
        raise UserError(f"`flawscope {name}` is one process, not {PROCESSES}", "start it without torchrun")
    try:
        made = getattr(import_module(f"flawscope.steps.{name}"), name)(*arguments, **options)
    except ModuleNotFoundError as error:
        missing, typed = (error.name or "").partition(".")[0], name.replace("challenge_", "challenge ")
        wanted = _extra(name, missing)
        raise UserError(
            f"`flawscope {typed}` needs {missing}, which is not installed", f'pip install "flawscope[{wanted}]"'
        ) from None
    if NUMBER:
        raise typer.Exit
    return made


def _extra(name: str, missing: str) -> str:
    """The extra of the package that a step lacks something of."""
    if name in ("pack", "challenge_demo") and missing == "onnx":
        return "pack"
    if name in ("challenge_serve", "challenge_demo") and missing in (
        "argon2",
        "fastapi",
        "itsdangerous",
        "starlette",
        "uvicorn",
    ):
        return "site"
    if name.startswith("challenge_") and missing in ("sqlalchemy", "alembic"):
        return "challenge"
    return "train" if name in NEED_TORCH or missing in TORCH else "report"


def say(words: str) -> None:
    """Tell the user, as plain text."""
    console.print(words, markup=False, soft_wrap=True)


def number(text: str | float) -> float:
    """A number as it was typed; the parser of options that are shares or costs.

    >>> number("0.02")
    0.02

    Raises:
        BadParameter: it is none; typer names the option.
    """
    try:
        return float(text)
    except ValueError:
        hint = ": write percent as shares, 2 % is 0.02" if "%" in str(text) else ""
        raise typer.BadParameter(f"{text!r} is no number{hint}") from None


numeric = partial(typer.Option, parser=number, metavar="NUMBER")
"""An option that is a number; what is none is refused with a word on percent."""


def shell(path: Path) -> str:
    """A path as it may be typed at a shell."""
    return shlex.quote(str(path))
