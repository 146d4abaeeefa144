"""flawscope: from labelled pictures of parts to an inspection decision that a quality engineer can sign for.

The public API is the steps: `flawscope.run(...)`, `flawscope.inspect(...)` and so on, each the library call behind
the command of the same name. They are loaded when first asked for, so that the light runtime never sees torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flawscope._version import __version__

if TYPE_CHECKING:
    from flawscope.steps.audit import audit
    from flawscope.steps.challenge_board import challenge_board
    from flawscope.steps.challenge_change import challenge_change
    from flawscope.steps.challenge_demo import challenge_demo
    from flawscope.steps.challenge_export import challenge_export
    from flawscope.steps.challenge_judge import challenge_judge
    from flawscope.steps.challenge_new import challenge_new
    from flawscope.steps.challenge_serve import challenge_serve
    from flawscope.steps.challenge_submit import challenge_submit
    from flawscope.steps.compare import compare
    from flawscope.steps.decide import decide
    from flawscope.steps.evaluate import evaluate
    from flawscope.steps.explain import explain
    from flawscope.steps.export import export
    from flawscope.steps.inspect import inspect
    from flawscope.steps.look import look
    from flawscope.steps.new import new
    from flawscope.steps.pack import pack
    from flawscope.steps.plan import plan
    from flawscope.steps.report import report
    from flawscope.steps.run import run
    from flawscope.steps.runs import runs
    from flawscope.steps.show import show
    from flawscope.steps.split import split
    from flawscope.steps.synth import synth
    from flawscope.steps.train import train
    from flawscope.steps.tune import tune

STEPS = (
    "audit", "challenge_board", "challenge_change", "challenge_demo", "challenge_export", "challenge_judge",
    "challenge_new", "challenge_serve", "challenge_submit", "compare", "decide", "evaluate", "explain", "export",
    "inspect", "look", "new", "pack", "plan", "report", "run", "runs", "show", "split", "synth", "train", "tune",
)  # fmt: skip
__all__ = [
    "__version__",
    "audit",
    "challenge_board",
    "challenge_change",
    "challenge_demo",
    "challenge_export",
    "challenge_judge",
    "challenge_new",
    "challenge_serve",
    "challenge_submit",
    "compare",
    "decide",
    "evaluate",
    "explain",
    "export",
    "inspect",
    "look",
    "new",
    "pack",
    "plan",
    "report",
    "run",
    "runs",
    "show",
    "split",
    "synth",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in STEPS:
        return getattr(import_module(f"flawscope.steps.{name}"), name)
    raise AttributeError(f"module 'flawscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *STEPS])
