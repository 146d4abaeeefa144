"""The promises and the decisions by costs of a cross-validation: one table each, a row a fold, all together below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flawscope.pages.costs import Cell, money, share
from flawscope.wording import counted, percent_up

_BLANK: Cell = ("", "")


def fold_tables(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the template prints of each entry of `decisions` in the metrics of a cross-validation."""
    return [_promise(entry) if entry["kind"] == "promise" else _cost(entry) for entry in entries]


def _promise(entry: Mapping[str, Any]) -> dict[str, Any]:
    folds = entry["folds"]
    kept = sum(fold["kept"] for fold in folds)
    rows = [
        (
            fold["fold"],
            ("yes" if fold["kept"] else "NO", ""),
            _BLANK if fold["kept"] else (percent_up(fold["bound"]), ""),
            *_counts(fold),
            (f"{fold['threshold']:.4g}", ""),
        )
        for fold in folds
    ]
    last = (("all together", (f"{kept} of {len(folds)}", ""), _BLANK, *_rates(entry), _BLANK),)
    return {
        "title": f"{entry['name']}: {entry['asked']}",
        "words": f"Proven as asked in {kept} of {counted(len(folds), 'folds')}.",
        "columns": ["fold", "proven", "if not: at most", "let through", "good ones rejected", "threshold"],
        "rows": rows,
        "last": last,
    }


def _cost(entry: Mapping[str, Any]) -> dict[str, Any]:
    folds, pooled = entry["folds"], entry["pooled"]
    looked = any(fold["low"] < fold["high"] for fold in folds)
    rows = [
        (
            fold["fold"],
            (_thresholds(fold), ""),
            money(fold["expected"]),
            money(fold["cost"]),
            *_counts(fold),
            *([(f"{fold['review']:,} of {fold['bad'] + fold['good']:,}", "")] if looked else []),
        )
        for fold in folds
    ]
    person = [share(pooled["review"])] if looked else []
    last = (("all together", _BLANK, _BLANK, money(pooled["cost"]), *_rates(entry), *person),)
    columns = ["fold", "threshold", "expected cost", "cost on its test part", "let through", "good ones rejected"]
    return {
        "title": f"{entry['name']}: {entry['asked']}",
        "words": "The expected cost is that of the calibration part, which chose the thresholds: believe the test one.",
        "columns": [*columns, *(["for a person"] if looked else [])],
        "rows": rows,
        "last": last,
    }


def _counts(fold: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return (f"{fold['escapes']:,} of {fold['bad']:,}", ""), (f"{fold['overkill']:,} of {fold['good']:,}", "")


def _rates(entry: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return share(entry["pooled"]["escape"]), share(entry["pooled"]["overkill"])


def _thresholds(fold: Mapping[str, Any]) -> str:
    low, high = fold["low"], fold["high"]
    return f"{high:.3g}" if low >= high else f"{low:.3g} to {high:.3g}"
