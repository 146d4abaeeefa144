"""Event files for TensorBoard beside the history of a training: to be watched while it runs, never read by a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from flawscope.errors import UserError
from flawscope.training.history import FILE, read_history

if TYPE_CHECKING:
    from flawscope.training.loop import Live

FOLDER = "tensorboard"
NOT_LOGGED = ("epoch", "seconds")
PARTS = {"train": "training", "val": "validation"}


def check_board() -> None:
    """See that TensorBoard is there, before anything long begins.

    Raises:
        UserError: it is not installed.
    """
    if find_spec("tensorboard") is None:
        raise UserError(
            "--tensorboard needs the package tensorboard, which is not installed",
            'pip install "flawscope[tensorboard]", or leave --tensorboard out',
        )


@contextmanager
def board(training: Path) -> Iterator[Callable[[Live], None]]:
    """What is called with each step of a training, and logs the row of each epoch that ends.

    The event files stand in `training`/tensorboard. A training that goes on gets another file there, which TensorBoard
    shows as one curve; epochs that ended before anything was logged are logged first, from history.csv. Nothing is
    drawn at random and nothing handed back, so the training is the same as without.

    Raises:
        UserError: TensorBoard is not installed.
    """
    check_board()
    from torch.utils.tensorboard import SummaryWriter

    folder, history = training / FOLDER, training / FILE
    before = read_history(history) if history.is_file() and not folder.is_dir() else []
    with SummaryWriter(str(folder)) as writer:

        def log(row: Mapping[str, float]) -> None:
            for column, value in row.items():
                if column not in NOT_LOGGED:
                    writer.add_scalar(tag(column), value, int(row["epoch"]))
            writer.flush()

        for row in before:
            log(row)
        yield lambda live: log(live.row) if live.row else None


def tag(column: str) -> str:
    """The name of a column of the history in TensorBoard: curves of one measure stand together.

    >>> tag("train_loss"), tag("val_average_precision"), tag("rate")
    ('loss/training', 'average_precision/validation', 'rate')
    """
    part, _, measure = column.partition("_")
    return f"{measure}/{PARTS[part]}" if part in PARTS and measure else column
