"""The escape contract beside MAPIE, an independent implementation of "Learn then Test", where the truth is known.

    pip install mapie
    python benchmarks/contract_mapie.py [--draws 1000] [--trial]

MAPIE's `BinaryClassificationController` is asked for a share of escapes of at most max_escape, at the same confidence,
on the calibration parts of `contract_worlds.py`, in three ways:

- "sequence": told what the contract knows, the order of the candidates (`fixed_sequence`, the lowest scores of
  defective parts first), and the escape as a risk of its own. Where each part is its own group both must promise in the
  same draws, with the same overkill.
- "recall": the same with MAPIE's own recall of at least 1 - max_escape.
- "default": recall as it comes, on its grid of 100 thresholds with Bonferroni and Holm, which needs no order.

Where parts stand in groups MAPIE takes each for an independent one, since it knows no groups. The result is appended to
benchmarks/results/contract-mapie.json, unless `--trial` is given. Stopped, it goes on.
"""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from flawscope.evaluation.contract import escape_contract

sys.path.append(str(Path(__file__).resolve().parent))

from contract_worlds import Design, Drawn, draw, escape_rate, least_overkill, overkill_rate, truth_of
from entries import append, draws_asked, one_by_one, provenance, share

RESULT = Path(__file__).resolve().parent / "results" / "contract-mapie.json"
CONFIDENCE, SEED, CANDIDATES = 0.95, 6, 100
WAYS = ("sequence", "recall", "default")
ALONE = tuple(
    Design("alike", 0.0, n, 1, False, 0.5, most)
    for n, most in ((60, 0.05), (164, 0.02), (164, 0.05), (299, 0.02), (600, 0.02), (600, 0.05))
)
GROUPED = (
    Design("alike", 0.3, 30, 10, False, 0.5, 0.15),
    Design("alike", 0.6, 14, 15, False, 0.5, 0.25),
    Design("rare", 0.06, 100, 5, False, 0.5, 0.05),
)


def mapie(drawn: Drawn, way: str, max_escape: float) -> float | None:
    """The highest threshold that MAPIE finds proven; None: none."""
    from mapie.risk_control import BinaryClassificationController, BinaryRisk

    escape = BinaryRisk(lambda _, called: called == 0, lambda defective, _: defective == 1, higher_is_better=False)
    lowest = np.sort(drawn.score_n[drawn.truth_n == 1])[:CANDIDATES]
    controller = BinaryClassificationController(
        lambda score_n: np.stack([1 - score_n, score_n], axis=1),
        escape if way == "sequence" else "recall",
        max_escape if way == "sequence" else 1 - max_escape,
        CONFIDENCE,
        best_predict_param_choice="fpr",
        **({} if way == "default" else {"list_predict_params": lowest, "fwer_method": "fixed_sequence"}),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing can be proven is an answer
        controller.calibrate(drawn.score_n, drawn.truth_n)
    valid = controller.valid_predict_params
    return float(np.max(valid)) if len(valid) else None


def simulate(design: Design, draws: int) -> dict[str, Any]:
    """How often each promises and breaks its promise, its price, and in how many draws MAPIE says the same."""
    best = least_overkill(design)
    random = np.random.default_rng([SEED, *design.name.encode()])
    found: dict[str, list[tuple[bool, bool, float]]] = {way: [] for way in ("contract", *WAYS)}
    same = dict.fromkeys(WAYS, 0)
    for _ in range(draws):
        drawn = draw(design, random)
        contract = escape_contract(
            drawn.score_n, drawn.truth_n, drawn.group_n, max_escape=design.max_escape, confidence=CONFIDENCE
        )
        rates, overkill = truth_of(design, contract)
        found["contract"].append((contract.kept, contract.kept and rates.of_parts > design.max_escape, overkill - best))
        for way in WAYS:
            threshold = mapie(drawn, way, design.max_escape)
            latent = -np.inf if threshold is None else float(logit(threshold))
            escape, overkill = escape_rate(design, latent), overkill_rate(latent)
            kept = threshold is not None
            found[way].append((kept, kept and escape > design.max_escape, overkill - best))
            same[way] += kept == contract.kept and (not kept or alike(drawn, latent, float(logit(contract.threshold))))
    return {
        "design": design.name,
        "alone": design.size == 1,
        **{way: _summary(rows) for way, rows in found.items()},
        "same": {way: share(times, draws) for way, times in same.items()},
    }


def alike(drawn: Drawn, *latents: float) -> bool:
    """Whether two thresholds reject the same good parts."""
    good_n = logit(drawn.score_n[drawn.truth_n == 0])
    first, second = (int((good_n >= latent).sum()) for latent in latents)
    return first == second


def _summary(rows: list[tuple[bool, bool, float]]) -> dict[str, Any]:
    kept, broken, price = (np.array(column) for column in zip(*rows, strict=True))
    return {
        "promised": share(int(kept.sum()), len(rows)),
        "broken": share(int(broken.sum()), len(rows)),
        "extra_overkill": round(float(price[kept].mean()), 4) if kept.any() else None,
    }


def main() -> None:
    """Draw all designs, and write what was found."""
    asked = draws_asked(__doc__, "design").parse_args()
    facts = provenance()
    about = {"confidence": CONFIDENCE, "draws": asked.draws, "seed": SEED, "mapie": version("mapie")}
    designs = {design.name: design for design in (*ALONE, *GROUPED)}
    rows = one_by_one("contract-mapie", about, designs, lambda name: simulate(designs[name], asked.draws))
    for row in rows:
        print(row)
    if not asked.trial:
        append(RESULT, {"provenance": facts, "asked": about, "designs": rows}, ("asked", "designs"))


if __name__ == "__main__":
    main()
