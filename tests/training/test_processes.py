"""Two processes train as one does, at the same batches."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import flawscope
from flawscope.errors import DataError, RecipeError, UserError
from flawscope.training import processes
from flawscope.training.checkpoint import load_checkpoint, same_weights
from flawscope.training.spec import TrainSpec

SCRIPT = Path(__file__).with_name("several.py")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="torchrun with gloo is tried on Linux only")


def torchrun(*words: str | Path, folder: Path) -> subprocess.Popen[str]:
    """Start two processes."""
    path = os.pathsep.join(filter(None, [str(Path(flawscope.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.Popen(
        [*program, *map(str, words)],
        cwd=folder, env=environment, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it has said, once it has ended with this code."""
    said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


@pytest.fixture(scope="module")
def several() -> ModuleType:
    spec = importlib.util.spec_from_file_location("several", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of two processes of which one is killed; then two go on with it, train it anew, and all cases."""
    root = tmp_path_factory.mktemp("two")
    process = torchrun(SCRIPT, root, "begin", folder=root)
    waiting = time.monotonic()
    while not (root / "killed" / "history.csv").is_file():  # then at least one epoch is behind them
        assert process.poll() is None and time.monotonic() - waiting < 120, process.communicate()[0]
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.3))  # any moment must do
    os.kill(int((root / f"pid-{random.randrange(2)}").read_text()), signal.SIGKILL)
    assert "Signal 9 (SIGKILL)" in ended(process, code=1)
    assert len(history(root / "killed")) < 6, "killed too late to show anything"
    ended(torchrun(SCRIPT, root, "go on", folder=root))
    return root


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


CASES = [
    "weights and gathered gradients",
    "batch norm",
    "a last batch for one process",
    "features, then a stage more",
    "balanced and a running mean",
    "masks",
    "half precision",
]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_as_one_does(case: str, by_two: Path, several: ModuleType, tmp_path: Path) -> None:
    assert list(several.CASES) == CASES
    several.trained(tmp_path, **several.CASES[case])
    # a single pixel may fall to the other side of one half; of masks the weights tell more
    rough = {"half precision": 1e-2, "masks": 1e-3}.get(case, 1e-5)
    half = several.CASES[case].get("precision") == "bfloat16"
    one, two = history(tmp_path), history(by_two / case)
    assert len(one) == (1 if half else 3)
    for row, expected in zip(two, one, strict=True):
        assert row == pytest.approx(expected, rel=rough)
    mine, theirs = (load_checkpoint(folder / "last")[0].state_dict() for folder in (by_two / case, tmp_path))
    for name, tensor in theirs.items():
        torch.testing.assert_close(mine[name], tensor, rtol=1e-5, atol=1e-2 if half else 1e-5, msg=name)


def test_what_one_process_raises_all_raise_and_dropout_differs_between_them(
    by_two: Path, several: ModuleType, tmp_path: Path
) -> None:
    first, second = json.loads((by_two / "said.json").read_text(encoding="utf-8"))
    assert first == second, "losses and errors are the same in both"
    assert first["told"].startswith("process 1, on ")
    assert first["told"].endswith(": no such data\n  -> mount them")
    assert first["dropout"][0] == first["dropout"][1]
    alone, _ = several.trained(tmp_path, arguments={"drop_rate": 0.9}, epochs=1)
    assert alone.history[0]["train_loss"] != pytest.approx(first["dropout"][0], rel=1e-4)


def test_one_of_two_is_killed_and_both_go_on(by_two: Path) -> None:
    assert history(by_two / "killed") == history(by_two / "whole")
    for name in ("best", "last"):
        assert same_weights(*(load_checkpoint(by_two / run / name)[0] for run in ("killed", "whole")))


def test_the_command_in_two_processes_trains_once_and_speaks_once(finished: Any, tmp_path: Path) -> None:
    words = ("-m", "flawscope", "train", finished.recipe, "-o", "run")
    said = ended(torchrun(*words, folder=tmp_path))
    assert said.count("epoch 2/2") == said.count("trained in run") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cache", "run"]
    one, two = history(finished.folder / "training"), history(tmp_path / "run" / "training")
    assert [row["train_loss"] for row in two] == pytest.approx([row["train_loss"] for row in one], rel=1e-5)
    assert [row["val_loss"] for row in two] == pytest.approx([row["val_loss"] for row in one], rel=1e-4)


def test_a_bad_recipe_in_two_processes_is_said_once(finished: Any, tmp_path: Path) -> None:
    words = ("-m", "flawscope", "train", finished.recipe, "-o", "run", "--set", "train.epohcs=3")
    said = ended(torchrun(*words, folder=tmp_path), code=1)  # torchrun's own code, whatever that of its processes is
    assert said.count("error: ") == said.count("did you mean 'epochs'?") == 1
    assert "exitcode  : 2 " in said
    ours, _, theirs = said.partition("torch/distributed/elastic")
    assert "Traceback" not in ours and theirs.count("Traceback") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_folds_in_two_processes_from_recipe_to_report(finished: Any, tmp_path: Path) -> None:
    words = ("-m", "flawscope", "run", finished.recipe, "-o", "run", "--folds", "2", "--set", "train.epochs=1")
    said = ended(torchrun(*words, folder=tmp_path))
    assert said.count("sealed tiny.flawscope") == 2
    assert said.count("report  ") == 1
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_alone_nothing_of_it_happens() -> None:
    assert (processes.rank(), processes.world()) == (0, 1)
    processes.join()
    assert not torch.distributed.is_initialized()
    with pytest.raises(UserError, match=r"^once$"), processes.first_before_others():
        raise UserError("once")
    some = torch.ones(2)
    processes.add_up([some])
    assert some.tolist() == [1, 1]


def test_shares_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "world", lambda: 3)
    shares = []
    for number in range(3):
        monkeypatch.setattr(processes, "rank", lambda number=number: number)
        shares.append(list(processes.Share(range(12), 5, drop_last=False)))
    assert shares[0] == [[0, 3], [5, 8], [10, 11]]
    assert shares[1] == [[1, 4], [6, 9], [10, 11]]
    assert shares[2] == [[2], [7], [10, 11]], "the last batch is too small to be dealt: each sees all of it"
    # each adds its part of the mean of 1, 2, 3, 4 and 5
    means = [torch.tensor(value) for value in (2.5, 3.5, 3.0)]  # of 1 and 4, 2 and 5, 3
    parts = [processes.weighed(mean, n, 5) for mean, n in zip(means, (2, 2, 1), strict=True)]
    assert float(sum(parts)) == pytest.approx(3.0)
    assert float(processes.weighed(torch.tensor(3.0), 2, 2)) == pytest.approx(1.0)
    with pytest.raises(RecipeError, match="2 images in all are too few for 3 processes"):
        processes.check_shares(TrainSpec(batch_size=2))


def test_a_folder_that_another_host_does_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SEEN_AFTER", 0.1)
    processes.check_seen(tmp_path)
    with pytest.raises(DataError, match=r"which the first process has written, is not there(?s:.)*all hosts share"):
        processes.check_seen(tmp_path / "split.json")
