"""Draw the picture of docs/escape-contract.md from invented scores: python docs/make_contract_picture.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from flawscope.evaluation.promises import Promise, fit_promises
from flawscope.pages.contracts import ContractContent, picture
from flawscope.pages.figures import png
from flawscope.records import Task
from flawscope.storage import write_bytes

TARGET = Path(__file__).parent / "images" / "escape-contract.png"
BAD, GOOD, PICTURES = 420, 600, 2
"""Defective and good pictures, and how many pictures there are of each defective casting."""


def promise(max_escape: float = 0.02) -> Promise:
    """The contract of an invented calibration part: scores of two pictures of a casting are alike."""
    random = np.random.default_rng(2)
    casting_n = np.append(np.arange(BAD) // PICTURES, BAD + np.arange(GOOD))
    bad_n = np.arange(BAD + GOOD) < BAD
    own_n, of_casting_n = random.normal(size=BAD + GOOD), random.normal(size=2 * BAD + GOOD)[casting_n]
    logit_n = -2.6 + 4.9 * bad_n + 0.8 * own_n + 0.6 * of_casting_n
    found = fit_promises(
        Task("binary", ("defective",), "good"),
        1 / (1 + np.exp(-logit_n[:, None])),
        bad_n[:, None].astype(float),
        [f"casting {number}" for number in casting_n],
        max_escape=max_escape,
    )
    return found.each[0]


def drawn() -> bytes:
    """The picture as a PNG."""
    made = promise()
    return png(picture(ContractContent({**made.contract.as_dict(), "name": made.name}, made.curve, "good")), 6.4, 4.8)


if __name__ == "__main__":
    write_bytes(TARGET, drawn())
    sys.stdout.write(f"wrote {TARGET}\n" + "\n".join(promise().words) + "\n")
    sys.stdout.write("\n".join(promise(0.005).words) + "\n")
