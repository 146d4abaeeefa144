"""Does the escape contract keep its promise where the truth is known, and what does it cost?

    python benchmarks/contract_simulation.py [--draws 1000] [--processes 1] [--trial]

Each design of `contract_worlds.py` is drawn 1,000 times. A promise is broken where a contract says "kept" and the true
escape rate of its threshold is above what it says. At 95 % confidence that may happen in 5 % of the draws. Both ways of
counting are tried (`decide.units`), and beside them the usual mistake: every part counted as independent. The price is
the true overkill beyond that of somebody who knows the truth. The result is appended to
benchmarks/results/contract-simulation.json, unless `--trial` is given.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from flawscope.data.progress import watched
from flawscope.evaluation.contract import escape_contract
from flawscope.evaluation.intervals import wilson
from flawscope.steps.provenance import code_version, command, machine, today, versions

sys.path.append(str(Path(__file__).resolve().parent))

from contract_worlds import Design, World, draw, least_overkill, truth_of
from entries import append, draws_asked

RESULT = Path(__file__).resolve().parent / "results" / "contract-simulation.json"
CONFIDENCE, SEED = 0.95, 6
Way = Literal["groups", "effective", "independent"]
WAYS: tuple[Way, ...] = ("groups", "effective", "independent")
PREVALENCES = (0.05, 0.2, 0.5)
GROUPS = ((8, 60, 0.4), (14, 15, 0.25), (30, 10, 0.15), (8, 60, 0.05), (14, 15, 0.05), (30, 10, 0.05), (100, 5, 0.05),
          (300, 2, 0.05))  # fmt: skip
"""Number of groups, defective parts in each, and the share that may escape: few groups can prove a large one only."""
STRENGTHS: dict[World, tuple[float, ...]] = {
    "alike": (0.0, 0.1, 0.3, 0.6, 0.9),
    "tails": (0.1, 0.5),
    "mixed": (1.0, 3.0),
    "rare": (1.2, 2.0),
}
"""Correlations; of the last two, the share of bad groups as a multiple of the share that may escape."""
ALONE = (60, 164, 299, 600)
"""Numbers of defective parts that are each a group of its own."""


def designs() -> Iterator[Design]:
    """All that are drawn: parts that stand alone at each prevalence, then groups, the prevalences in turn."""
    for n in ALONE:
        for prevalence in PREVALENCES:
            for max_escape in (0.02, 0.05):
                yield Design("alike", 0.0, n, 1, False, prevalence, max_escape)
    turn = 0
    for world, strengths in STRENGTHS.items():
        for strength in strengths:
            for groups, size, most in GROUPS:
                share = strength * most if world in ("mixed", "rare") else strength
                for uneven in (False, True):
                    turn += 1
                    prevalence = PREVALENCES[turn % len(PREVALENCES)]
                    yield Design(world, round(share, 4), groups, size, uneven, prevalence, most)


def measured(design: Design, ways: Sequence[Way], draws: int) -> dict[str, Any]:
    """How often each way of counting breaks its promise in this design, and its price."""
    best = least_overkill(design)
    random = np.random.default_rng([SEED, *design.name.encode()])
    found: dict[Way, list[tuple[bool, bool, bool, float, float]]] = {way: [] for way in ways}
    for _ in range(draws):
        drawn = draw(design, random)
        for way, rows in found.items():
            alone = np.arange(len(drawn.score_n))
            contract = escape_contract(
                drawn.score_n,
                drawn.truth_n,
                alone if way == "independent" else drawn.group_n,
                max_escape=design.max_escape,
                confidence=CONFIDENCE,
                units="groups" if way == "independent" else way,
            )
            escape, overkill = truth_of(design, contract)
            broken = contract.kept and escape > design.max_escape
            rows.append((contract.kept, broken, escape > contract.bound, overkill - best, contract.effective))
    return {
        "design": design.name,
        "world": design.world,
        "strength": design.strength,
        "defective": design.groups * design.size,
        "uneven": design.uneven,
        "prevalence": design.prevalence,
        "max_escape": design.max_escape,
        "least_overkill": round(best, 4),
        **{way: _summary(rows) for way, rows in found.items()},
    }


def _summary(rows: Sequence[tuple[bool, bool, bool, float, float]]) -> dict[str, Any]:
    """Shares over the draws; the price only over the draws in which a promise is made."""
    kept, broken, bound, price, effective = (np.array(column) for column in zip(*rows, strict=True))
    share = float(broken.mean())
    return {
        "promised": round(float(kept.mean()), 4),
        "broken": [round(number, 4) for number in (share, *wilson(share, len(rows)))],
        "bound_broken": round(float(bound.mean()), 4),
        "extra_overkill": round(float(price[kept].mean()), 4) if kept.any() else None,
        "effective": round(float(effective.mean()), 1),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each world and way: the designs, in how many the promise is broken significantly too often, and the worst."""
    found: dict[str, Any] = {}
    for world in STRENGTHS:
        of_world = [row for row in rows if row["world"] == world]
        found[world] = {
            way: {
                "designs": len(of_world),
                "too_often": sum(row[way]["broken"][1] > 1 - CONFIDENCE for row in of_world),
                "worst": max(row[way]["broken"][0] for row in of_world),
                "mean": round(float(np.mean([row[way]["broken"][0] for row in of_world])), 4),
                "promised": round(float(np.mean([row[way]["promised"] for row in of_world])), 4),
            }
            for way in WAYS
        }
    return found


def main() -> None:
    """Draw all designs, and write what was found."""
    parser = draws_asked(__doc__, "design")
    parser.add_argument("--processes", type=int, default=1, help="at a time; they change no number")
    asked = parser.parse_args()
    all_of_them = list(designs())
    with ProcessPoolExecutor(asked.processes) as pool:
        found = pool.map(partial(measured, ways=WAYS, draws=asked.draws), all_of_them)
        rows = list(watched(found, len(all_of_them), "drawing"))
    for row in rows:
        words = ", ".join(f"{way} {row[way]['broken'][0]:.3f} of {row[way]['promised']:.2f}" for way in WAYS)
        print(f"{row['design']}: broken {words}")
    said = summary(rows)
    print(said)
    if not asked.trial:
        asked_for = {"confidence": CONFIDENCE, "draws": asked.draws, "seed": SEED}
        facts = {
            "command": command(),
            "date": today(),
            "code": code_version(),
            "machine": machine(),
            "versions": versions(),
        }
        append(
            RESULT, {"provenance": facts, "asked": asked_for, "summary": said, "designs": rows}, ("asked", "designs")
        )


if __name__ == "__main__":
    main()
