"""What a decision by costs means, in plain words: the only place that makes them, for `show`, report and terminal."""

from __future__ import annotations

import math
from collections.abc import Callable

from flawscope.evaluation.answer_words import bad_items, good_items
from flawscope.evaluation.costs import Band, Costs
from flawscope.records import Interval
from flawscope.wording import CALIBRATION, counted, in_tenths, percent

_ALIKE = 1e-9


def decision_words(
    band: Band,
    costs: Costs,
    name: str,
    good: str = "",
    *,
    share: float,
    items: str = "images",
    where: str = CALIBRATION,
) -> tuple[str, ...]:
    """The thresholds of one class and what a part costs with them: the first sentence is for the hurried reader.

    Args:
        band: on the parts that chose the thresholds.
        costs: as they were asked for.
        name: the class.
        good: what its absence is called; empty in a multi-label task.
        share: of the class among these parts.
        items: what one image shows, in the plural.
        where: what these parts are.

    >>> import numpy as np
    >>> from flawscope.evaluation.costs import fit_band
    >>> costs = Costs(escape=100, overkill=10, review=1)
    >>> band = fit_band([0.1, 0.2, 0.4, 0.6, 0.7, 0.9], np.array([0, 0, 1, 0, 1, 1], bool), range(6), costs)
    >>> decision_words(band, costs, "bad", "ok", share=0.5)[0].split(": ")[0]
    'A part is rejected from a probability of bad of 0.65, passes below 0.30, and in between a person looks'
    """
    saving = saving_words(band)
    return (
        f"{_rule(band, name)} {_expected(band)}",
        *([saving] if saving else []),
        f"{_mistakes(band, name, good, items)}; measured on {_count(band.escape.n, bad_items, name, good, items)} and "
        f"{_count(band.overkill.n, good_items, name, good, items)} of {where}, which chose the thresholds: on other "
        "parts it costs rather more.",
        f"Reckoned with: {_asked(costs)}; {_prevalence(band, costs, name, share, where)}.",
        *_nobody(band, costs),
        _others(band),
    )


def saving_words(band: Band) -> str:
    """What is to be said where the decision is worth no network, or may be; empty where it is worth one.

    It is held against the cheapest rule that tells no part from another: let all pass, reject all, or look at all.
    What these cost is known from the prices and the share of bad parts alone, so the interval of the difference is that
    of the cost.

    >>> import numpy as np
    >>> from flawscope.evaluation.costs import Costs, fit_band
    >>> saving_words(fit_band([0.5] * 4, np.array([0, 0, 0, 1], bool), range(4), Costs(escape=100, overkill=10)))
    'THE NETWORK SAVES NOTHING at these costs: rejecting all is as cheap.'
    """
    rules, cost = _rules(band), band.cost
    best = min(rules, key=lambda words: rules[words])
    if band.review.value >= 1 - _ALIKE:
        least = f", and {best} costs {money(rules[best])}" if rules[best] < cost.value - _ALIKE else ""
        return f"THE NETWORK SAVES NOTHING: every part is for a person, so it decides none{least}."
    if cost.value > rules[best] + _ALIKE:
        return (
            f"THE NETWORK SAVES NOTHING at these costs: with it a part costs {money(cost.value)}, and {best} costs "
            f"{money(rules[best])}."
        )
    if cost.value >= rules[best] - _ALIKE:
        return f"THE NETWORK SAVES NOTHING at these costs: {best} is as cheap."
    if cost.high >= rules[best]:
        return (
            f"NOT SHOWN THAT THE NETWORK SAVES ANYTHING at these costs: with it a part may cost "
            f"{money(cost.high)}, and {best} costs {money(rules[best])}."
        )
    return ""


def missing_words(
    costs: Costs,
    name: str,
    good: str = "",
    *,
    bad_there: bool,
    threshold: float,
    items: str = "images",
    where: str = CALIBRATION,
) -> tuple[str, ...]:
    """What is to be said where parts with the class, or without it, are missing.

    >>> missing_words(Costs(100, 10), "bad", "ok", bad_there=False, threshold=0.5)[0]
    'NOT CHOSEN BY COSTS: the calibration part holds no bad images, so what the mistakes cost is not known; the threshold of 0.5 is not chosen by data, and nobody looks.'
    """  # noqa: E501
    lacking = good_items(name, good, items) if bad_there else bad_items(name, good, items)
    return (
        f"NOT CHOSEN BY COSTS: {where} holds no {lacking}, so what the mistakes cost is not known; the "
        f"threshold of {threshold:g} is not chosen by data, and nobody looks.",
        f"Asked for: {_asked(costs)}.",
    )


def measured_words(band: Band, name: str, good: str = "", *, items: str = "images") -> str:
    """One sentence on what the decision of one class costs on parts that had no say in it."""
    where = "for a person" if good else "in the band for a person"
    looked = f"; {_share(band.review)} are {where}" if band.low < band.high else ""
    return f"{_expected(band).removesuffix('.')}{looked}. {_mistakes(band, name, good, items)}."


def unmeasured_words(name: str, good: str, bad_there: bool, items: str = "images") -> str:
    """Why the cost was not measured.

    >>> unmeasured_words("bad", "ok", True)
    'What a part costs cannot be said of these images: there are no ok images among them.'
    """
    lacking = good_items(name, good, items) if bad_there else bad_items(name, good, items)
    return f"What a part costs cannot be said of these {items}: there are no {lacking} among them."


def money(cost: float) -> str:
    """A cost with at least two digits that count.

    >>> money(1.94), money(123.4), money(0.0333), money(0), money(1234)
    ('1.9', '123', '0.033', '0', '1,234')
    """
    if cost == 0:
        return "0"
    return f"{cost:,.{max(0, 1 - math.floor(math.log10(abs(cost))))}f}"


def threshold_words(value: float, other: float | None = None) -> str:
    """A threshold with as many digits as it takes to be told within a twentieth, from either end, and from another.

    >>> threshold_words(0.714), threshold_words(0.0431), threshold_words(0.9993), threshold_words(1.0)
    ('0.71', '0.043', '0.9993', '1')
    >>> threshold_words(0.4913, 0.4931), threshold_words(0.4931, 0.4913)
    ('0.491', '0.493')
    """
    if value in (0.0, 1.0):
        return f"{value:g}"
    digits, other = 2, math.inf if other is None or other == value else other
    while digits < 12 and (
        abs(round(value, digits) - value) > min(value, 1 - value) / 20 or f"{value:.{digits}f}" == f"{other:.{digits}f}"
    ):
        digits += 1
    return f"{value:.{digits}f}"


def _rule(band: Band, name: str) -> str:
    high = threshold_words(band.high, band.low)
    if band.low >= band.high:
        return f"A part is rejected from a probability of {name} of {high} and passes below."
    low = threshold_words(band.low, band.high)
    return (
        f"A part is rejected from a probability of {name} of {high}, passes below {low}, and in between a person "
        f"looks: {_share(band.review)}."
    )


def _expected(band: Band) -> str:
    without = f", {money(band.cost_without_review)} without a person" if band.low < band.high else ""
    ends = f"{money(band.cost.low)} to {money(band.cost.high)}"
    return f"Expected cost {money(band.cost.value)} a part at the line ({ends}){without}."


def _mistakes(band: Band, name: str, good: str, items: str) -> str:
    passed = f"{in_tenths(band.escape.value)} % ({in_tenths(band.escape.low)} to {in_tenths(band.escape.high)} %)"
    called = f"{in_tenths(band.overkill.value)} % ({in_tenths(band.overkill.low)} to {in_tenths(band.overkill.high)} %)"
    bad, fine = bad_items(name, good, items), good_items(name, good, items)
    return f"Of {bad} {passed} pass unseen, of {fine} {called} are rejected"


def _asked(costs: Costs) -> str:
    look = "nobody looks" if costs.review is None else f"a look by a person {costs.review:g}"
    return f"an escape costs {costs.escape:g}, an overkill {costs.overkill:g}, {look}"


def _prevalence(band: Band, costs: Costs, name: str, share: float, where: str) -> str:
    there = f"{percent(share)} {name} in {where}"
    if costs.prevalence is None:
        return f"{there}, taken for that at the line (decide.costs.prevalence says another)"
    return f"{percent(band.prevalence)} {name} at the line, {there}; the probabilities are those of its mix"


def _nobody(band: Band, costs: Costs) -> tuple[str, ...]:
    """Why nobody looks, where a person was offered."""
    if costs.review is None or band.low < band.high:
        return ()
    if not costs.review_can_pay:
        most = costs.escape * costs.overkill / (costs.escape + costs.overkill)
        return (
            f"A look at {costs.review:g} never pays beside these mistakes: it would have to cost less than "
            f"{money(most)}.",
        )
    return (f"A look at {costs.review:g} would have saved nothing on these parts, so nobody looks.",)


def _others(band: Band) -> str:
    told = ", ".join(f"{words} {money(cost)}" for words, cost in _rules(band).items())
    return f"Without the network: {told} a part."


def _rules(band: Band) -> dict[str, float]:
    """What a part costs where nothing is told apart."""
    rules = {"letting all pass": band.cost_all_good, "rejecting all": band.cost_all_bad}
    return rules if band.cost_all_reviewed is None else {**rules, "a person looking at all": band.cost_all_reviewed}


def _count(n: int, kind: Callable[[str, str, str], str], name: str, good: str, items: str) -> str:
    """So many of a kind: 1 nok image, 30 images with nok."""
    return f"{n:,} {kind(name, good, counted(n, items).partition(' ')[2])}"


def _share(share: Interval) -> str:
    return f"{in_tenths(share.value)} % of the parts at the line ({in_tenths(share.low)} to {in_tenths(share.high)} %)"
