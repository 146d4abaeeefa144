"""Does the escape contract keep its promise where the truth is known, and what does it cost?

    python benchmarks/contract_simulation.py [--draws 1000] [--processes 1] [--worlds tied ...] [--trial]

Each design of `contract_worlds.py` is drawn 1,000 times. A promise is broken where a contract says "kept" and the true
escape rate of its threshold is above what it says. At 95 % confidence that may happen in 5 % of the draws. All ways of
counting are tried (`decide.units`), and beside them the usual mistake: every part counted as independent. `groups`
promises of a part of a group taken at random, the others of all parts; of `groups` it is told as well how often the
share of all parts is above what was promised. `parts` trusts that no group can hold more than the largest that was
drawn: told is in how many draws that is so, and how often the promise is broken there. The price is the true overkill
beyond that of somebody who knows the truth. The result is appended to benchmarks/results/contract-simulation.json,
unless `--trial` is given; `--worlds` draws some worlds only, in an entry that names them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from flawscope.data.progress import watched
from flawscope.evaluation.contract import Contract, escape_contract
from flawscope.evaluation.intervals import wilson
from flawscope.steps.provenance import code_version, command, machine, today, versions

sys.path.append(str(Path(__file__).resolve().parent))

from contract_worlds import LARGE, Design, World, draw, largest, least_overkill, truth_of
from entries import append, draws_asked

RESULT = Path(__file__).resolve().parent / "results" / "contract-simulation.json"
CONFIDENCE, SEED = 0.95, 6
Way = Literal["groups", "parts", "effective", "independent"]
WAYS: tuple[Way, ...] = ("groups", "parts", "effective", "independent")
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
LARGE_WORSE: dict[World, tuple[tuple[float, ...], tuple[tuple[int, int, float], ...]]] = {
    "larger": ((0.3, 0.8), ((100, 5, 0.2), (300, 5, 0.1), (300, 2, 0.05), (600, 5, 0.05))),
    "lots": ((0.06, 0.02), ((100, 2, 0.05), (300, 2, 0.05), (300, 2, 0.2), (600, 2, 0.1))),
    "giants": ((1.2, 2.0), ((100, 2, 0.05), (200, 2, 0.2), (300, 2, 0.2), (600, 2, 0.1))),
}
"""Where large groups are worse: strengths (of giants as a multiple of the share of all parts that may escape), and
groups as above. `parts` takes many groups. Of uneven ones twice the share may escape."""
TIED = ((100, 1, 0.1), (60, 1, 0.1), (164, 1, 0.05), (600, 1, 0.05), (100, 5, 0.1), (300, 2, 0.05))
"""Groups of the world with ties, as above, each with 5 and with 20 different scores."""
WORLDS: tuple[World, ...] = (*STRENGTHS, *LARGE_WORSE, "tied")
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
    for world, (strengths, of_groups) in LARGE_WORSE.items():
        for strength in strengths:
            for groups, size, most in of_groups:
                for uneven in (False, True) if world == "larger" else (False,):
                    turn += 1
                    share = _share_of_giants(strength * most) if world == "giants" else strength
                    may = min(2 * most, 0.4) if uneven else most
                    yield Design(world, round(share, 4), groups, size, uneven, PREVALENCES[1 + turn % 2], may)
    yield from _tied_designs()


def _tied_designs() -> Iterator[Design]:
    for values in (5.0, 20.0):
        for at, (groups, size, most) in enumerate(TIED):
            yield Design("tied", values, groups, size, False, PREVALENCES[at % len(PREVALENCES)], most)


def _share_of_giants(rate: float) -> float:
    """Of how many groups must be giants, half of which pass, so that this share of all parts passes with them?"""
    return rate / (LARGE / 2 - rate * (LARGE - 1))


def measured(design: Design, ways: Sequence[Way], draws: int) -> dict[str, Any]:
    """How often each way of counting breaks its promise in this design, and its price."""
    best = {"groups": least_overkill(design, "of_groups")}
    least = least_overkill(design)
    random = np.random.default_rng([SEED, *design.name.encode()])
    found: dict[Way, list[Outcome]] = {way: [] for way in ways}
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
            rates, overkill = truth_of(design, contract)
            rows.append(
                Outcome(
                    contract,
                    rates.of_groups if way == "groups" else rates.of_parts,
                    rates.of_parts,
                    overkill - best.get(way, least),
                    largest(design) <= contract.largest,
                )
            )
    return {
        "design": design.name,
        "world": design.world,
        "strength": design.strength,
        "defective": design.groups * design.size,
        "uneven": design.uneven,
        "prevalence": design.prevalence,
        "max_escape": design.max_escape,
        "least_overkill": round(least, 4),
        **{way: _summary(way, rows) for way, rows in found.items()},
    }


class Outcome(NamedTuple):
    """A contract, the true rate of its kind and that of all parts, its price, and whether no group can be larger."""

    contract: Contract
    rate: float
    rate_of_parts: float
    price: float
    trusted: bool

    @property
    def broken(self) -> bool:
        """Whether the promise is made and does not hold."""
        return self.contract.kept and self.rate > self.contract.max_escape


def _summary(way: Way, rows: Sequence[Outcome]) -> dict[str, Any]:
    """Shares over the draws; the price only over the draws in which a promise is made."""
    kept = [row for row in rows if row.contract.kept]
    found = {
        "promised": round(len(kept) / len(rows), 4),
        "broken": _share([row.broken for row in rows]),
        "bound_broken": _share([row.rate > row.contract.bound for row in rows])[0],
        "extra_overkill": round(float(np.mean([row.price for row in kept])), 4) if kept else None,
        "effective": round(float(np.mean([row.contract.effective for row in rows])), 1),
    }
    if way == "groups":
        above = [row.contract.kept and row.rate_of_parts > row.contract.max_escape for row in rows]
        found["parts_above"] = _share(above)
    if way == "parts":
        found["trusted"] = _share([row.trusted for row in rows])[0]
        found["broken_though_trusted"] = _share([row.broken and row.trusted for row in rows])
    return found


def _share(times: Sequence[bool]) -> list[float]:
    """How often, and its interval."""
    share = float(np.mean(times))
    return [round(number, 4) for number in (share, *wilson(share, len(times)))]


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each world and way: the designs, in how many the promise is broken significantly too often, and the worst."""
    found: dict[str, Any] = {}
    for world in (world for world in WORLDS if any(row["world"] == world for row in rows)):
        of_world = [row for row in rows if row["world"] == world]
        found[world] = {
            way: {
                "designs": len(of_world),
                **_worst([row[way]["broken"] for row in of_world]),
                "mean": round(float(np.mean([row[way]["broken"][0] for row in of_world])), 4),
                "promised": round(float(np.mean([row[way]["promised"] for row in of_world])), 4),
                "promising": sum(row[way]["promised"] > 0 for row in of_world),
            }
            for way in WAYS
        }
        for way, key in (("groups", "parts_above"), ("parts", "broken_though_trusted")):
            found[world][way][key] = _worst([row[way][key] for row in of_world])
    return found


def _worst(shares: Sequence[Sequence[float]]) -> dict[str, Any]:
    """In how many designs it happens more often than it may, by more than chance, and in the worst of them."""
    return {
        "too_often": sum(low > 1 - CONFIDENCE for _, low, _ in shares),
        "worst": max(value for value, _, _ in shares),
    }


def main() -> None:
    """Draw all designs, and write what was found."""
    parser = draws_asked(__doc__, "design")
    parser.add_argument("--processes", type=int, default=1, help="at a time; they change no number")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS, help="draw these only")
    asked = parser.parse_args()
    all_of_them = [design for design in designs() if design.world in asked.worlds]
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
        if set(asked.worlds) != set(WORLDS):
            asked_for["worlds"] = asked.worlds
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
