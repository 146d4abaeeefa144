"""An escape contract in plain words: the only place that makes them, for `show`, the report and the bundle alike."""

from __future__ import annotations

import math

from flawscope.evaluation.contract import Contract
from flawscope.evaluation.plan import MOST
from flawscope.records import Interval
from flawscope.wording import CALIBRATION, EXACT, counted, in_tenths, percent, percent_down, percent_up, so_many_of


def contract_words(
    contract: Contract, name: str, negative: str = "ok", items: str = "images", where: str = CALIBRATION
) -> tuple[str, ...]:
    """What is promised of one class and what it rests on: the first sentence says all that a hurried reader needs.

    `items` is what one image shows, in the plural, and `where` what the images are that it rests on.

    >>> from flawscope.evaluation.contract import escape_contract
    >>> found = escape_contract([0.2, 0.5, 0.9], [False, True, True], range(3), max_escape=0.02)
    >>> contract_words(found, "defective", items="cells")[0]
    'NOT PROVEN: that of 100 defective cells at most 2 pass, 95 % confidence; the data allow only 3.9 % confidence.'
    """
    promise = _promise(contract, name, items)
    if not contract.positives:
        return (
            f"NOT PROVEN: that {promise}: {where} holds no {name} {items}, so nothing is known of them; the threshold "
            f"of {contract.threshold:g} is not chosen by data.",
            _lacking(contract, name, items),
        )
    rests = _rests(contract, name, items)
    rejected = _rejected(contract, negative, items, where)
    head: tuple[str, ...]
    if contract.kept:
        head = (
            f"{promise[0].upper()}{promise[1:]}; measured on {rests}; {rejected}.",
            f"{_seen(contract)}.",
        )
    elif contract.bound >= 1:
        head = (
            f"NOT PROVEN: that {promise}: no threshold finds them, the score of each is 0.",
            f"Measured on {rests}; {rejected}.",
        )
    else:
        best = (
            f"Best promise that they support, and what is set: at most {percent_up(contract.bound)} of {name} {items}"
        )
        head = (
            f"NOT PROVEN: that {promise}; the data allow only {percent_down(contract.reached, 2)} confidence.",
            f"{best} pass, {_level(contract)} confidence; measured on {rests}; {rejected}.",
            _lacking(contract, name, items),
        )
    share = contract.max_escape if contract.kept else contract.bound
    saving = saving_words(contract.overkill, share, f"{negative} {items}", kept=contract.kept)
    return (
        *head,
        *([saving] if saving else []),
        *_hardly(contract, name, items),
        *_price(contract, negative, items),
        *_groups(contract, name, items),
    )


def saving_words(overkill: Interval | None, share: float, good: str, *, kept: bool = False) -> str:
    """What is to be said where a promise is worth no network, or may be; empty where it is worth one.

    Whoever rejects parts by lot, without a look at them, keeps the promise that at most `share` escapes by rejecting
    1 - share of all parts, good ones among them. A network whose overkill is not below that separates nothing; where
    the interval of its overkill reaches that far, it is not shown that it does.

    Args:
        overkill: share of the good parts that is rejected, None where it is not known.
        share: of the defective parts that may escape.
        good: what the good parts are called.
        kept: the promise is proven, which is said first.

    >>> saving_words(Interval(1.0, 0.96, 1.0), 0.02, "ok images", kept=True)
    'The promise holds, but THE NETWORK SAVES NOTHING: all ok images are rejected, and that takes no network.'
    >>> saving_words(Interval(0.93, 0.87, 0.99), 0.02, "ok images").split(":")[0]
    'NOT SHOWN THAT THE NETWORK SAVES ANYTHING'
    >>> saving_words(Interval(0.93, 0.87, 0.97), 0.02, "ok images")
    ''
    """
    by_lot = 1 - share
    if overkill is None or share >= 1 or overkill.high < by_lot:
        return ""
    lot = f"rejecting {_by_lot(by_lot)} of all parts by lot, without a look at them, would keep the promise as well"
    if overkill.value >= 1:
        said = f"THE NETWORK SAVES NOTHING: all {good} are rejected, and that takes no network."
    elif overkill.value >= by_lot:
        said = f"THE NETWORK SAVES NOTHING: {in_tenths(overkill.value)} % of {good} are rejected, and {lot}."
    else:
        reached = f"up to {in_tenths(overkill.high)} % of {good} may be rejected"
        said = f"{'it is ' if kept else ''}NOT SHOWN THAT THE NETWORK SAVES ANYTHING: {reached}, and {lot}."
    return f"The promise holds, but {said}" if kept else said


def _by_lot(share: float) -> str:
    """One decimal like the overkill beside it, but never a false 100 %."""
    return f"{in_tenths(share)} %" if share <= 0.999 else percent(share, 4)


def _promise(contract: Contract, name: str, items: str) -> str:
    """The promise, as a part of a sentence."""
    many, base = so_many_of(contract.max_escape)
    said = f"at most {many:,} {'passes' if many == 1 else 'pass'}" if many else "none passes"
    if contract.max_escape > 0.5:  # "at most 9,999 of 10,000" hides that it is next to nothing
        said = f"at least {base - many:,} {'is' if base - many == 1 else 'are'} rejected"
    return f"of {base:,} {name} {items} {said}, {_level(contract)} confidence"


def _hardly(contract: Contract, name: str, items: str) -> tuple[str, ...]:
    if contract.max_escape <= 0.5:
        return ()
    return (f"That is next to nothing: more than half of the {name} {items} may pass.",)


def _level(contract: Contract) -> str:
    return percent(contract.confidence, EXACT)


def _rests(contract: Contract, name: str, items: str) -> str:
    found = counted(contract.positives, f"{name} {items}")
    if contract.groups == contract.positives:
        return f"{found}, each by itself" if contract.positives > 1 else found
    groups = counted(contract.groups, "groups")
    if contract.units == "parts":  # what is proven is less than of as many independent ones, so no such number is told
        most = f", the largest of which holds {contract.largest:,}" if contract.groups > 1 else ""
        return f"{found}, from {groups}{most}"
    worth = counted(math.floor(contract.effective + 1e-9), "independent ones")
    alike = ", each counted alike" if contract.units == "groups" and contract.groups > 1 else ""
    return f"{found}, worth {worth}, from {groups}{alike}"


def _seen(contract: Contract) -> str:
    if not contract.escapes:
        return "None of them passes" if contract.positives > 1 else "It does not pass"
    return f"{contract.escapes:,} of them pass{'es' if contract.escapes == 1 else ''}"


def _rejected(contract: Contract, negative: str, items: str, where: str) -> str:
    if contract.overkill is None:
        return f"how many {negative} {items} are rejected is not known: there are none in {where}"
    found = contract.overkill
    ends = f"{in_tenths(found.low)} to {in_tenths(found.high)} %"
    return f"{in_tenths(found.value)} % of {negative} {items} are rejected ({ends})"


def _lacking(contract: Contract, name: str, items: str) -> str:
    if not contract.max_escape:
        return "No number of images proves that none ever passes: ask for a small share instead."
    if contract.escapes:
        score = "scores 0 and passes" if contract.escapes == 1 else "score 0 and pass"
        return f"{contract.escapes:,} of them {score} at every threshold: more images alone do not help."
    if contract.needed is None:
        return f"More than {MOST:,} independent {name} {items} would be needed: ask for a larger share."
    alike = contract.groups == contract.positives
    such = f"independent {name} {items}"
    if contract.units == "parts" and not alike:
        such, alike = "groups such as these", True
    whole = "that does not pass" if contract.needed == 1 else "of which none passes"
    alone = f"{counted(contract.needed, such)} {whole} would prove it"
    if contract.more is None or not contract.positives or alike:
        return f"{alone}: {contract.more or contract.needed:,} more."
    if contract.units == "groups":
        return f"{alone}: {contract.more:,} more, {'each ' if contract.more > 1 else ''}from another group."
    return f"{alone}: {contract.more:,} more in groups such as these, or fewer if each is from another group."


def _price(contract: Contract, negative: str, items: str) -> tuple[str, ...]:
    """Of a proof only: what is not proven has no price."""
    if not contract.kept or contract.overkill is None or contract.overkill_unproven is None:
        return ()
    extra = 100 * (contract.overkill.value - contract.overkill_unproven)
    share = f"{in_tenths(contract.overkill_unproven)} % of {negative} {items}"
    return (
        f"Without proof, a threshold with at most {percent(contract.max_escape, EXACT)} of escapes among these would "
        f"reject {share}: the proof costs {extra:.1f} points.",
    )


def _groups(contract: Contract, name: str, items: str) -> tuple[str, ...]:
    """How the parts of a group were counted, and what the other ways would say."""
    if contract.units == "parts" and contract.groups == contract.positives:
        return ("Each of them stands by itself, and this trusts that at the line each does.",)
    if contract.units == "parts":
        return (
            f"All {name} {items} count alike, and a whole group may fail together. This trusts that no group at the "
            f"line holds more than {contract.largest:,} of them, the most in one of these.",
        )
    if contract.groups == contract.positives:
        return ()
    if contract.units == "effective":
        return (
            "Images of a group count by how alike their scores are; this trusts that groups do not fail as a whole. If "
            f"they may, these are worth {contract.groups:,} (decide.units: groups).",
        )
    said = (
        "Each group counts as one, large or small, so the promise also holds if a whole group fails together; it is "
        "about a group taken at random."
    )
    worth = math.floor(contract.worth + 1e-9)
    if worth > contract.groups:
        said += (
            f" By how alike the scores inside the groups are, they would be worth {worth:,} (decide.units: effective), "
            "which trusts that groups do not fail as a whole."
        )
    uneven = contract.positives < contract.groups * contract.largest
    return (said, _of_all(contract, name, items)) if uneven else (said,)


def _of_all(contract: Contract, name: str, items: str) -> str:
    """What is not promised where groups differ in size."""
    share = contract.escapes / contract.positives
    said = (
        f"Groups differ in size: of all {name} {items} {percent(share)} pass here, and nothing is proven of that share"
    )
    if contract.for_parts is None:
        return f"{said} (decide.units: parts does that)."
    groups = counted(contract.for_parts, "groups such as these")
    return f"{said}. decide.units: parts proves it, and takes {groups} of which none passes."
