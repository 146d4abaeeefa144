"""Several processes, started by torchrun, train one network: each takes its share of every batch.

The first one reads, splits, writes and speaks; the others do what it tells them. In a process that was started alone
nothing of this does anything.

Gradients are added up once a step, whatever has one, in place of torch's DistributedDataParallel: that fixes at its
start which parameters learn and how often they are summed, while here a backbone thaws, a head learns alone and
batches are gathered.
"""

from __future__ import annotations

import atexit
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader

from flawscope.errors import DataError, RecipeError, UserError
from flawscope.machine import place

if TYPE_CHECKING:
    from flawscope.training.spec import TrainSpec

PATIENCE = timedelta(days=30)
"""So long a process waits for the others: the leak court of the first one may sit for hours. A process that is gone
is noticed at once."""

SEEN_AFTER = 60.0
"""Seconds until a network file system must have shown to all hosts what one of them has written."""

GONE = ("closed by peer", "connection reset", "broken pipe", "connection closed", "remote process has terminated")


def rank() -> int:
    """Which of the processes this is: 0 is the first.

    >>> rank(), world()
    (0, 1)
    """
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def by_all(lead: Callable[[], Path], help_with: Callable[..., None]) -> Path:
    """What the first process leads and the others help with: `help_with` is called with what `tell` was told.

    Args:
        lead: what the first process does, or the only one.
        help_with: what the others do each time that they are told to.

    Raises:
        UserError: whatever `lead` and `help_with` raise, or another process has gone.
    """
    join()
    try:
        if rank():
            while (told := from_first(("",)))[0] == "help":
                help_with(*told[1:])
            leave()
            return Path(told[1])
        result = lead()
        dismiss(result)
    except RuntimeError as error:
        if world() > 1 and any(words in str(error).lower() for words in GONE):
            raise UserError(
                f"another of the {world()} processes has gone",
                "see what it or torchrun says; an unfinished training goes on with --resume",
            ) from None
        raise
    return result


def join() -> None:
    """Find the other processes that torchrun has started; gloo carries what lies in memory, NCCL what lies on GPUs."""
    if place()[1] < 2 or dist.is_initialized():
        return
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(gpu())
        own = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) <= torch.cuda.device_count()
        backend = "cpu:gloo,cuda:nccl" if own and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    atexit.register(leave)


def leave() -> None:
    """Part from the other processes. Torch may abort where Python ends before that, whatever its exit code was."""
    if dist.is_initialized():
        dist.destroy_process_group()


def gpu() -> int:
    """The number of the GPU that this process takes."""
    return int(os.environ.get("LOCAL_RANK", "0")) % max(1, torch.cuda.device_count())


def tell(*words: str) -> None:
    """Let the others help: called by the first process, nothing happens in the others."""
    if world() > 1 and rank() == 0:
        from_first(("help", *words))


def dismiss(result: Path) -> None:
    """Let the others leave; from then on the first one is alone."""
    if world() > 1 and rank() == 0:
        from_first(("done", str(result)))
        leave()


@contextmanager
def first_before_others() -> Iterator[None]:
    """The first process does what is inside, then the others do. What fails in one fails in all, in its words.

    >>> with first_before_others():
    ...     raise UserError("the disk is full")
    Traceback (most recent call last):
    ...
    flawscope.errors.UserError: the disk is full
    """
    if rank():
        _all_well(None)
    problem: UserError | None = None
    try:
        yield
    except UserError as error:
        problem = error
    if not rank():
        _all_well(problem)
    _all_well(problem)


def _all_well(problem: UserError | None) -> None:
    """Wait for all; raise what is wrong in one of them."""
    for number, (host, each) in enumerate(gathered((socket.gethostname(), problem))):
        if each is not None and number:
            raise type(each)(f"process {number}, on {host}: {each.problem}", each.remedy)
        if each is not None:
            raise each


def check_seen(path: Path) -> None:
    """See that what the first process has written is there for this one.

    Raises:
        DataError: it is not, even after a while.
    """
    waiting = time.monotonic()
    while not path.exists():
        if time.monotonic() - waiting > SEEN_AFTER:
            raise DataError(
                f"{path}, which the first process has written, is not there",
                "name a run folder (-o) on a file system that all hosts share, under the same path",
            )
        time.sleep(0.2)


def check_shares(spec: TrainSpec) -> None:
    """See that each process has something to do.

    Raises:
        RecipeError: a batch has fewer images than there are processes.
    """
    if spec.batch_size < world():
        raise RecipeError(
            f"train.batch_size: {spec.batch_size} images in all are too few for {world()} processes",
            "start fewer processes, or raise train.batch_size",
        )


def from_first(value: Any) -> Any:
    """The first process's value, in all of them.

    >>> from_first(3)
    3
    """
    told = [value]
    if world() > 1:
        dist.broadcast_object_list(told)
    return told[0]


def gathered(value: Any) -> list[Any]:
    """The value of each process, the first one's first.

    >>> gathered(3)
    [3]
    """
    found: list[Any] = [value] * world()
    if world() > 1:
        dist.all_gather_object(found, value)
    return found


def add_up(tensors: Sequence[Tensor]) -> None:
    """Put in place of each tensor its sum over all processes: one message for all of a kind."""
    if world() == 1:
        return
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        some = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.reshape(-1) for tensor in some])
        dist.all_reduce(flat)
        for tensor, total in zip(some, torch.split(flat, [tensor.numel() for tensor in some]), strict=True):
            tensor.copy_(total.view(tensor.shape))


def spread(module: torch.nn.Module) -> None:
    """Give all processes the first one's parameters and buffers."""
    if world() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)


def summed(part: Tensor) -> Tensor:
    """The sum over all processes, through which gradients flow: each gets the slopes of the losses of all.

    >>> summed(torch.tensor([0.5]))
    tensor([0.5000])
    """
    if world() == 1:
        return part
    from torch.distributed.nn.functional import all_reduce

    total: Tensor = all_reduce(part)  # type: ignore[no-untyped-call]
    return total


class Share(BatchSampler):
    """Of each batch what this process is dealt: every so manieth row. Of fewer rows than processes each gets all."""

    def __iter__(self) -> Iterator[list[int]]:
        for batch in super().__iter__():
            yield batch if len(batch) < world() else batch[rank() :: world()]


def sizes(batches: DataLoader[Any]) -> list[int]:
    """How many images each batch holds, over all processes.

    >>> sizes(DataLoader(range(10), batch_size=4)), sizes(DataLoader(range(10), batch_size=4, drop_last=True))
    ([4, 4, 2], [4, 4])
    """
    most, n = batches.batch_sampler.batch_size, len(batches.dataset)  # type: ignore[union-attr, arg-type]
    return [min(most, n - start) for start in range(0, n, most)][: len(batches)]


def weighed(mean_loss: Tensor, n: int, whole: int) -> Tensor:
    """What the mean loss of this process's n images adds to the mean over the whole batch.

    >>> weighed(torch.tensor(3.0), 4, 4)
    tensor(3.)
    """
    if world() == 1:
        return mean_loss
    return mean_loss * (n / whole if whole >= world() else 1 / world())


def once(counts: Tensor, whole: int) -> Tensor:
    """What this process adds to the counts of a whole batch; of fewer rows than processes only the first one counts.

    >>> once(torch.tensor([3]), 1)
    tensor([3])
    """
    return counts if whole >= world() or rank() == 0 else torch.zeros_like(counts)


def over_all(part: Tensor) -> float:
    """The sum of what each process adds.

    >>> over_all(torch.tensor(0.5))
    0.5
    """
    total = part.detach().clone()
    if world() > 1:
        dist.all_reduce(total)
    return float(total)


def whole_batch(share_bk: Tensor, whole: int) -> Tensor:
    """The rows of all processes in the order in which they were dealt.

    >>> whole_batch(torch.arange(3)[:, None], 3).tolist()
    [[0], [1], [2]]
    """
    if world() == 1 or whole < world():
        return share_bk
    shares = gathered(share_bk.cpu())
    found = share_bk.new_empty((whole, *share_bk.shape[1:]))
    for number, each in enumerate(shares):
        found[number :: world()] = each.to(found.device)
    return found
