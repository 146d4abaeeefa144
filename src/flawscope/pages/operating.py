"""Where the decisions that were taken lie on the curves of a class."""

from __future__ import annotations

from collections.abc import Mapping


def operating_points(confusion: Mapping[str, int]) -> list[tuple[dict[str, float | None], str]]:
    """The decisions that were taken, as `operating_point`, and the words beside it.

    With three answers two points: what is rejected, and that with what is for a person: all that has not passed.

    >>> three = {"tp": 6, "fp": 1, "fn": 2, "tn": 8, "hp": 2, "hn": 1}
    >>> [(point["recall"], words) for point, words in operating_points(three)]
    [(0.6, 'rejected'), (0.8, 'not passed')]
    """
    if not (confusion.get("hp") or confusion.get("hn")):
        return [(operating_point(confusion), "as decided")]
    hp, hn = confusion["hp"], confusion["hn"]
    rejected = {**confusion, "fn": confusion["fn"] + hp, "tn": confusion["tn"] + hn}
    held = {**confusion, "tp": confusion["tp"] + hp, "fp": confusion["fp"] + hn}
    return [(operating_point(rejected), "rejected"), (operating_point(held), "not passed")]


def operating_point(confusion: Mapping[str, int]) -> dict[str, float | None]:
    """Recall, overkill rate and precision of decisions; None where nothing can be divided.

    >>> operating_point({"tp": 8, "fp": 1, "fn": 2, "tn": 9})["recall"]
    0.8
    """

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    tp, fp, fn, tn = (int(confusion[key]) for key in ("tp", "fp", "fn", "tn"))
    return {"recall": share(tp, tp + fn), "overkill": share(fp, fp + tn), "precision": share(tp, tp + fp)}
