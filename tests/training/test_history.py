"""history.csv, as it is written and read."""

from __future__ import annotations

import math
from pathlib import Path

from flawscope.training.history import read_history, write_history


def test_a_training_that_an_earlier_version_began_goes_on(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "drawn_bad": 0.4}])
    first, second = read_history(tmp_path / "history.csv")
    assert (first["epoch"], first["train_loss"], second["drawn_bad"]) == (1, 0.5, 0.4)
    assert math.isnan(first["drawn_bad"]) and math.isnan(second["train_loss"])
