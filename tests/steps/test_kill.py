"""A training that is killed, as by a power cut, and goes on."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import flawscope
from flawscope.training.checkpoint import load_checkpoint, same_weights

CHANGES = ["train.epochs=12", "train.schedule=cosine", "train.ema=0.9"]
TRAIN = "import sys, flawscope; flawscope.train(sys.argv[1], sys.argv[2], overrides=sys.argv[3:])"


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_at_a_random_moment_it_ends_as_if_it_had_not_been(finished: Any, tmp_path: Path) -> None:
    whole = flawscope.train(finished.recipe, tmp_path / "whole", overrides=CHANGES)
    history = tmp_path / "killed.partial" / "training" / "history.csv"
    log = (tmp_path / "log").open("wb")
    words = [sys.executable, "-c", TRAIN, str(finished.recipe), str(tmp_path / "killed"), *CHANGES]
    process = subprocess.Popen(words, stdout=log, stderr=log)
    waiting = time.monotonic()
    while not history.is_file():  # then at least one epoch is behind it
        assert process.poll() is None and time.monotonic() - waiting < 120, (tmp_path / "log").read_text()
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.3))  # any moment must do
    process.send_signal(signal.SIGKILL)
    process.wait()
    log.close()
    assert not list(tmp_path.glob("killed.partial/training/done.json")), "killed too late to show anything"
    again = flawscope.train(finished.recipe, tmp_path / "killed", overrides=CHANGES, resume=True)

    def told(run: Any) -> list[dict[str, str]]:
        with (run.training / "history.csv").open(encoding="utf-8", newline="") as stream:
            return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(stream)]

    assert told(again) == told(whole)
    for name in ("best", "last"):
        assert same_weights(*(load_checkpoint(run.training / name)[0] for run in (whole, again)))
    assert not (tmp_path / "killed.partial").exists()
