"""Synthetic parts with known truth, for tests, pictures in the documentation, a first try, and an exam.

`synth_coil` draws what reference system E looks at: a coil with two metal pins, straight or bent by a known angle.
`synthetic_coil.py` draws one picture, `coil_levels.py` says how hard it is.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from flawscope.data.coil_levels import LEVELS, Level
from flawscope.data.progress import watched
from flawscope.data.synthetic_coil import PIN_X, draw_coil
from flawscope.errors import DataError, choices
from flawscope.storage import new_folder

SCRAP, GOOD = "0_nio", "1_io"


def synth_coil(
    folder: str | Path,
    n: int,
    seed: int = 0,
    share_scrap: float = 0.3,
    *,
    difficulty: str = "easy",
    overwrite: bool = False,
) -> Path:
    """Draw n grey BMP pictures of coils into `folder`/0_nio (scrap) and 1_io (good), and their truth as truth.csv.

    The truth is the angle of each pin to its housing, in degrees. A scrap part has one or two bent pins:

    - easy: good pins are straight within 2 degrees, bent ones lean by 6 to 25. The part lies nearly still.
    - hard: within 1 degree, or 5 to 14. The part lies shifted and turned, in several shades, under changing light and
      focus, with dust, fibres and reflections that look like kinks.

    No angle lies between, so no label is doubtful. The pins, all that matters, lie within the crop (50, 60, 750, 460).
    The same seed gives the same pictures.

    Raises:
        DataError: n is below 2, the share does not lie between 0 and 1, or the difficulty is unknown.
        OutputError: the folder exists and `overwrite` is off, or it cannot be written.
    """
    if n < 2 or not 0 < share_scrap < 1:
        raise DataError(
            f"cannot draw {n} coils with a share of {share_scrap} scrap", "ask for 2 or more, and a share within 0 to 1"
        )
    if difficulty not in LEVELS:
        raise DataError(f"there is no difficulty {difficulty!r}", choices(difficulty, LEVELS))
    level = LEVELS[difficulty]
    scrap = min(n - 1, max(1, round(n * share_scrap)))
    is_scrap = np.random.default_rng(seed).permutation(n) < scrap
    rows = []
    with new_folder(folder, overwrite=overwrite) as beside:
        for label in (SCRAP, GOOD):
            (beside / label).mkdir()
        for index in watched(range(n), n, "drawing coils"):
            rng = np.random.default_rng([seed, index])
            label = SCRAP if is_scrap[index] else GOOD
            angles = _angles(rng, level, bent=bool(is_scrap[index]))
            name = f"{label}/coil_{index:05d}.bmp"
            draw_coil(angles, rng, level).save(beside / name)
            rows.append([name, f"{angles[0]:.2f}", f"{angles[1]:.2f}", label])
        with (beside / "truth.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["name", "left_degrees", "right_degrees", "label"])
            writer.writerows(rows)
    return Path(folder)


def _angles(rng: np.random.Generator, level: Level, bent: bool) -> tuple[float, float]:
    angles = [float(rng.uniform(-level.straight, level.straight)) for _ in PIN_X]
    if bent:
        for pin in ([0], [1], [0, 1])[int(rng.choice(3, p=[0.4, 0.4, 0.2]))]:
            angles[pin] = float(rng.uniform(*level.bent) * rng.choice([-1, 1]))
    return angles[0], angles[1]
