"""Can somebody climb a board by probing it, and does the ladder stop them? Simulated attackers, known truth.

    python benchmarks/ladder_attack.py [--draws 1000] [--trial]

A public part of 320 images is drawn again and again; no image belongs to another. Two attackers may submit answers as
they like, up to 1,000 times (5 a day for 200 days), and see what the board shows:

- climber: begins with honest answers to two labels (30 % of the images show each; four of five answers are right).
  Each time it turns some answers round, drawn at random, and keeps that if the board rises. How many at a time: 1, 4,
  16 or 64; told is the one that fares best against that board. Metric: mean F1.
- voter: the attack of Blum & Hardt (2015, section 4). One label, shown by half of the images, and no knowledge at all:
  random answers are submitted, those that the board shows to be good are kept, and the last submission is their
  majority. Which are kept, those above one half or those with which the board rose: told is what fares better. Metric:
  the share of right answers.

Their answers to images of the private part are what they were at first: nothing is learnt that holds for another image.
So all that the board rises by is false. Boards: every score as it is; every score in steps of 0.01; the ladder
(`flawscope.challenge.ranking.ladder`) with several steps. Told are the means over the draws, with 95 % intervals: what
the board shows, the score that it would show without the attack, and the true score of the answers on the public part.

The result is appended to benchmarks/results/ladder-attack.json, unless `--trial` is given. Stopped, it goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flawscope.challenge.ranking import ladder
from flawscope.records import BoolArray, FloatArray

sys.path.append(str(Path(__file__).resolve().parent))

from entries import append, draws_asked, one_by_one, provenance

RESULT = Path(__file__).resolve().parent / "results" / "ladder-attack.json"
IMAGES, SHARE, RIGHT, SEED = 320, 0.3, 0.8, 9
TOLD_AFTER = (1, 10, 30, 100, 300, 1000)
AT_A_TIME = (1, 4, 16, 64)
STEPS = (0.005, 0.01, 0.02, 0.05)
BOARDS = ("every score", "every score in steps of 0.01", *(f"ladder, steps of {step:g}" for step in STEPS))
Told = dict[str, list[FloatArray]]


class Board:
    """What is shown after each submission, for all draws at once."""

    def __init__(self, kind: str, draws: int) -> None:
        self.step = float(kind.rpartition(" ")[2]) if kind.startswith("ladder") else 0.0
        self.rounded = kind == BOARDS[1]
        self.best: list[float | None] = [None] * draws

    def show(self, score_d: FloatArray) -> FloatArray:
        """The scores of the board after these."""
        if self.step:
            self.best = [ladder(old, new, self.step) for old, new in zip(self.best, score_d.tolist(), strict=True)]
            return np.array(self.best, dtype=np.float64)
        return np.round(score_d, 2) if self.rounded else score_d


def mean_f1(truth_dnk: BoolArray, said_dnk: BoolArray) -> FloatArray:
    """Mean F1 over the classes, for each draw."""
    tp_dk = (truth_dnk & said_dnk).sum(axis=1)
    both_dk = truth_dnk.sum(axis=1) + said_dnk.sum(axis=1)
    return np.asarray((2 * tp_dk / np.maximum(both_dk, 1)).mean(axis=1), dtype=np.float64)


def climb(board: Board, at_a_time: int, draws: int) -> Told:
    """The climber: what the board shows, and the true score on the public part, after so many submissions."""
    random = np.random.default_rng([SEED, 1])
    truth_dnk = random.random((draws, IMAGES, 2)) < SHARE
    said_dnk = truth_dnk ^ (random.random(truth_dnk.shape) >= RIGHT)
    begun_d = score_d = mean_f1(truth_dnk, said_dnk)
    shown_d = board.show(score_d)
    told: Told = {"shown": [], "true": [], "without": []}
    rows_d = np.arange(draws)[:, None]
    for submission in range(1, TOLD_AFTER[-1] + 1):
        if submission > 1:
            tried_dnk = said_dnk.copy()
            place_dm = random.integers(2 * IMAGES, size=(draws, at_a_time))
            tried_dnk.reshape(draws, -1)[rows_d, place_dm] ^= True
            tried_d = mean_f1(truth_dnk, tried_dnk)
            now_d = board.show(tried_d)
            kept_d = now_d > shown_d
            said_dnk[kept_d], score_d = tried_dnk[kept_d], np.where(kept_d, tried_d, score_d)
            shown_d = np.where(kept_d, now_d, shown_d)
        if submission in TOLD_AFTER:
            note(told, shown_d, score_d, begun_d)
    return told


def vote(board: Board, keep: str, draws: int) -> Told:
    """The voter: what the board shows of the majority of what was kept, after so many submissions."""
    random = np.random.default_rng([SEED, 2])
    truth_dn = random.random((draws, IMAGES)) < 0.5
    votes_dn = np.zeros((draws, IMAGES))
    before_d = np.full(draws, 0.5)
    begun_d = np.zeros(draws)
    told: Told = {"shown": [], "true": [], "without": []}
    for submission in range(1, TOLD_AFTER[-1] + 1):
        if submission in TOLD_AFTER:  # the majority is submitted in place of one more random answer
            score_d = (truth_dn == (votes_dn > 0)).mean(axis=1)
            begun_d = score_d if submission == 1 else begun_d
            best = list(board.best)
            note(told, board.show(score_d), score_d, begun_d)
            board.best = best  # as if it had been the last one: the others go on without it
        said_dn = random.random((draws, IMAGES)) < 0.5
        shown_d = board.show((truth_dn == said_dn).mean(axis=1))
        kept_d = shown_d > (0.5 if keep == "above one half" else before_d)
        before_d = shown_d
        votes_dn += np.where(kept_d[:, None], np.where(said_dn, 1, -1), 0)
    return told


def note(told: Told, shown_d: FloatArray, score_d: FloatArray, begun_d: FloatArray) -> None:
    """Write down how it stands: the scores of each draw."""
    for key, value_d in (("shown", shown_d), ("true", score_d), ("without", begun_d)):
        told[key].append(value_d)


def mean_of(value_d: npt.ArrayLike) -> list[float]:
    """Mean over the draws with its 95 % interval."""
    found_d = np.asarray(value_d, dtype=np.float64)
    half = 1.96 * float(found_d.std(ddof=1)) / len(found_d) ** 0.5
    mean = float(found_d.mean())
    return [round(number, 4) for number in (mean, mean - half, mean + half)]


def strongest(kind: str, attack: Callable[[Board, Any, int], Told], ways: Sequence[Any], draws: int) -> list[Any]:
    """For each number of submissions the way that raises the board most, and what it reaches."""
    found = {way: attack(Board(kind, draws), way, draws) for way in ways}
    rows = []
    for place, submissions in enumerate(TOLD_AFTER):
        best = max(ways, key=lambda way: float(np.mean(found[way]["shown"][place])))
        reached = {key: values[place] for key, values in found[best].items()}
        rows.append(
            {
                "submissions": submissions,
                "way": best,
                "shown": mean_of(reached["shown"]),
                "true_on_public": mean_of(reached["true"]),
                "risen_by": mean_of(np.asarray(reached["shown"]) - np.asarray(reached["without"])),
            }
        )
    return rows


def simulate(kind: str, draws: int) -> dict[str, Any]:
    """Both attackers against one board."""
    return {
        "board": kind,
        "climber": strongest(kind, climb, AT_A_TIME, draws),
        "voter": strongest(kind, vote, ("above one half", "with which the board rose"), draws),
    }


def main(words: Sequence[str]) -> None:
    """Simulate, print, and append the result."""
    asked = draws_asked(__doc__, "board").parse_args(words)
    found = one_by_one("ladder-attack", {"draws": asked.draws}, BOARDS, lambda kind: simulate(kind, asked.draws))
    for each in found:
        for attacker in ("climber", "voter"):
            rows = ", ".join(f"{row['submissions']}: {row['shown'][0]:.3f}" for row in each[attacker])
            print(f"{each['board']:32s} {attacker:8s} {rows}")
    entry = {
        **provenance(),
        "images": IMAGES,
        "draws": asked.draws,
        "seed": SEED,
        "answers": {"share_of_each_label": SHARE, "right": RIGHT},
        "boards": found,
    }
    if not asked.trial:
        append(RESULT, entry, ("code", "draws"))


if __name__ == "__main__":
    main(sys.argv[1:])
