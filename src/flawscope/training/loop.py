"""The training loop, to be read from top to bottom. What is learnt, and how it is measured: see `objective`."""

from __future__ import annotations

import ctypes
import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning_fabric import Fabric
from timm.utils.model_ema import ModelEmaV3
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from flawscope.errors import RecipeError, UserError
from flawscope.training.checkpoint import of_epoch, save_checkpoint
from flawscope.training.features import on_features
from flawscope.training.history import FILE, write_history
from flawscope.training.joint_norm import join_batch_norms
from flawscope.training.optimisation import make_optimiser, make_schedule, parameter_groups
from flawscope.training.processes import (
    add_up,
    check_shares,
    first_before_others,
    from_first,
    gpu,
    once,
    over_all,
    rank,
    sizes,
    spread,
    weighed,
    world,
)
from flawscope.training.sampling import draw_seed
from flawscope.training.state import load_state, save_state

if TYPE_CHECKING:
    from flawscope.models.build import Network
    from flawscope.training.objective import Objective
    from flawscope.training.sampling import Dealt
    from flawscope.training.spec import TrainSpec

STATE = "state.safetensors"
EPOCH = -2
"""In place of a row, for the seed of what is drawn inside the network."""

M_MMAP_MAX, M_TRIM_THRESHOLD = -4, -1


@dataclass
class Live:
    """What stands after each step; `row` is the new row of the history where an epoch has ended, else empty."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    watched: str = ""
    row: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Fit:
    """What came of a training: the history, one row an epoch, and the epoch that is kept (counting from 1)."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = math.nan
    best_rank: tuple[float, float] = (math.inf, math.inf)

    @classmethod
    def again(cls, facts: dict[str, Any]) -> Fit:
        """What had come of it when the state was saved."""
        rank = facts.pop("best_rank")
        return cls(**facts, best_rank=(rank[0], rank[1]))

    def improved(self, epoch: int, measured: dict[str, float], spec: TrainSpec) -> bool:
        """Whether this epoch is to be kept: the best so far, or any where the last is kept; it is remembered then."""
        loss, value = measured["val_loss"], measured[f"val_{spec.watch}"]
        if not math.isfinite(loss):
            raise UserError(f"the validation loss is {loss} in epoch {epoch}", "lower train.rate")
        rank = (loss if spec.watch == "loss" else -value, loss)
        if rank >= self.best_rank and spec.keep == "best":
            return False
        self.best_epoch, self.best_value, self.best_rank = epoch, value, rank
        return True

    def words(self, spec: TrainSpec) -> str:
        """The watched measure, and the best so far unless the last is kept."""
        if not self.history:
            return ""
        now = f"val_{spec.watch} {self.history[-1][f'val_{spec.watch}']:.4f}"
        return now if spec.keep == "last" else f"{now}, best {self.best_value:.4f} ({self.best_epoch})"


def fit(
    network: Network,
    objective: Objective,
    spec: TrainSpec,
    *,
    train: DataLoader[Any],
    validation: DataLoader[Any],
    folder: Path,
    show: Callable[[Live], None] = lambda live: None,
) -> Fit:
    """Train; leave the best and the last checkpoint (each, where asked) and `history.csv` in `folder`.

    Where `state` stands there, it goes on.

    The best epoch is the one with the best watched measure on the validation split; a tie goes to the lower loss, then
    to the earlier epoch. Where the last is to be kept, that counts as the best. Of several processes all train, and the
    first one writes and shows.

    Raises:
        UserError: the loss is no longer a number.
    """
    keep_memory()
    check_shares(spec)
    learner = Learner.of(network, spec, len(train))
    objective.loss.to(learner.fabric.device)
    state, steps = folder / STATE, len(train)
    begun = from_first(state.is_file())
    with first_before_others():
        result = Fit.again(load_state(state, learner)) if begun else Fit()
    done = len(result.history)
    images = learner.on_device(train, validation)
    features = [] if spec.thawed(done + 1) else learner.on_features(train, validation)

    for epoch in range(done + 1, spec.epochs + 1):
        if spec.patience and epoch - 1 - result.best_epoch >= spec.patience:
            break
        started = time.perf_counter()
        rate = learner.rate
        if spec.unfreeze is not None and spec.thawed(epoch):
            network.learn_from(spec.unfreeze.layer)
        learner.head_alone = bool(features) and not spec.thawed(epoch)
        train, validation = features if learner.head_alone else images

        def live(step: int, mean: float, epoch: int = epoch, **ended: Mapping[str, float]) -> None:
            if rank() == 0:
                show(Live(epoch, spec.epochs, step, steps, mean, result.words(spec), **ended))

        learnt = train_epoch(learner, objective, train, epoch, live)
        measured = from_first(validate(learner.validated, objective, validation))
        row = {"epoch": epoch, "rate": rate, **learnt, **measured}
        result.history.append(row | {"seconds": time.perf_counter() - started})
        if rank() == 0:
            write_history(folder / FILE, result.history)
        better = result.improved(epoch, measured, spec)
        if rank() == 0:
            for name in ("last", *["best"] * better, *[of_epoch(epoch)] * spec.every_epoch):
                save_checkpoint(folder / name, learner.kept, epoch=epoch, measures=measured)
            save_state(state, learner, **asdict(result))
        live(steps, learnt["train_loss"], row=result.history[-1])
    return result


def train_epoch(
    learner: Learner, objective: Objective, batches: DataLoader[Any], epoch: int, live: Callable[[int, float], None]
) -> dict[str, float]:
    """All batches once; mean loss and what is counted of their images, changed at random as they are learnt.

    Raises:
        UserError: the loss is no longer a number.
    """
    spec = learner.spec
    dataset: Dealt = batches.dataset  # type: ignore[assignment]
    dataset.epoch = epoch
    learner.network.train()
    # dropout: what it draws depends on nothing else, and differs between processes
    torch.manual_seed(draw_seed(spec.seed, epoch, EPOCH) + rank())
    total, seen, counts = 0.0, 0, None
    for step, ((*inputs, target), n) in enumerate(zip(batches, sizes(batches), strict=True), start=1):
        logit = learner.model(*inputs)
        batch_counts = once(objective.counts(logit, target), n)
        counts = batch_counts if counts is None else counts + batch_counts
        batch_loss = weighed(objective.loss(logit, target), len(target), n)
        together = min(spec.accumulate, len(batches) - (step - 1) // spec.accumulate * spec.accumulate)
        learner.fabric.backward(batch_loss / together)
        if step % spec.accumulate == 0 or step == len(batches):
            learner.step()
        value = over_all(batch_loss)
        if not math.isfinite(value):
            raise UserError(f"the loss is {value} in epoch {epoch}", "lower train.rate")
        total, seen = total + value * n, seen + n
        live(step, total / seen)
    assert counts is not None
    add_up([counts])
    return {"train_loss": total / seen, **objective.learnt(counts, seen)}


@dataclass
class Learner:
    """What changes while a network is trained.

    `whole` and `head` are the network and its head as Fabric has set them up; with `head_alone` batches hold features.
    """

    spec: TrainSpec
    fabric: Fabric
    network: Network
    whole: Any
    head: Any
    optimiser: Any
    schedule: LRScheduler
    average: ModelEmaV3 | None
    head_alone: bool = False

    @classmethod
    def of(cls, network: Network, spec: TrainSpec, batches: int) -> Learner:
        """Everything at its beginning; so many batches are an epoch."""
        fabric = Fabric(accelerator=spec.device, devices=devices(spec), precision=precision(spec))
        spread(network)
        join_batch_norms(network, gpu=fabric.device.type == "cuda")
        optimiser = make_optimiser(parameter_groups(network, spec), spec)
        schedule = make_schedule(optimiser, spec, -(-batches // spec.accumulate))
        whole, set_up = fabric.setup(network.to(memory_format=torch.channels_last), optimiser)
        head = fabric.setup_module(network.head)
        average = ModelEmaV3(network, spec.ema) if spec.ema else None
        return cls(spec, fabric, network, whole, head, set_up, schedule, average)

    @property
    def model(self) -> Any:
        """What is given the batches."""
        return self.head if self.head_alone else self.whole

    def on_device(self, *loaders: DataLoader[Any]) -> list[Any]:
        """The same batches, brought to this device."""
        return [self.fabric.setup_dataloaders(each, use_distributed_sampler=False) for each in loaders]

    def on_features(self, *loaders: DataLoader[Any]) -> list[Any]:
        """The same batches with what the head is given, on this device; none where that changes with the epoch."""
        found = []
        for each in loaders:
            made = on_features(self.network, each)
            if made is None:
                return []
            found.append(made)
        return self.on_device(*found)

    @property
    def plain_optimiser(self) -> torch.optim.Optimizer:
        """The optimiser without what Fabric puts around it."""
        inner: torch.optim.Optimizer = self.optimiser.optimizer
        return inner

    @property
    def rate(self) -> float:
        """The learning rate of the head."""
        return float(self.optimiser.param_groups[0]["lr"])

    @property
    def kept(self) -> Network:
        """The network, or the running mean of its weights."""
        return self.network if self.average is None else self.average.module

    @property
    def validated(self) -> Any:
        """The same, or its head, to be run on this device."""
        if self.average is None:
            return self.model
        return self.kept.head if self.head_alone else self.kept

    def step(self) -> None:
        """Change the weights by the gradients that have been gathered, in all processes."""
        learning = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        add_up([parameter.grad for parameter in learning if parameter.grad is not None])
        if self.spec.clip:
            self.fabric.clip_gradients(self.model, self.optimiser, max_norm=self.spec.clip, error_if_nonfinite=False)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.schedule.step()
        if self.average is not None:
            self.average.update(self.network)


def begin(spec: TrainSpec) -> None:
    """Seed the draws of the weights, and see that the device is there.

    Raises:
        RecipeError: cuda was asked for, and there is none.
    """
    if spec.device == "cuda" and not torch.cuda.is_available():
        raise RecipeError("train.device: cuda was asked for, but there is none", "use auto or cpu")
    torch.manual_seed(spec.seed)


def devices(spec: TrainSpec) -> int | list[int]:
    """One; of several processes each takes a GPU of its own, in Fabric's words."""
    return [gpu()] if world() > 1 and spec.device != "cpu" and torch.cuda.is_available() else 1


def precision(spec: TrainSpec) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
    """In which numbers most of the network is computed while it is trained, in Fabric's words.

    Raises:
        RecipeError: float16 on the CPU.
    """
    gpu = spec.device != "cpu" and torch.cuda.is_available()
    if spec.precision == "float16":
        if not gpu:
            raise RecipeError("train.precision: float16 needs a GPU", "use auto, float32 or bfloat16")
        return "16-mixed"
    half = spec.precision == "bfloat16" or (spec.precision == "auto" and gpu and torch.cuda.is_bf16_supported())
    return "bf16-mixed" if half else "32-true"


def validate(model: Any, objective: Objective, batches: DataLoader[Any]) -> dict[str, float]:
    """Loss and measures of the torch model on the validation split: for choosing the epoch, never reported."""
    model.eval()
    measures = objective.measures()
    with torch.no_grad():
        for (*inputs, target), n in zip(batches, sizes(batches), strict=True):
            measures.add(model(*inputs), target, n)
    return measures.result()


def keep_memory() -> None:
    """Tell glibc to keep freed memory: CPU training is 1.3 to 1.5 times faster. Elsewhere nothing happens."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(M_MMAP_MAX, 0)
            libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
