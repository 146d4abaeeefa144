"""What the bundle says of one picture, in the words that stand on it, on its sheet and beside a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flawscope.bundle.mask_words import mm2_words
from flawscope.records import MaskPrediction, Prediction, Task
from flawscope.wording import class_called, counted

Kind = Literal["not decided", "for a person", "not good", "good", ""]
KINDS: tuple[Kind, ...] = ("not decided", "for a person", "not good", "", "good")
"""The most pressing first; no word at all where a task of several classes has no good one."""
_SPACE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Verdict:
    """The label of a picture, whether that is good, and how probable it is, or why there is no decision."""

    label: str
    kind: Kind
    facts: str

    @property
    def headline(self) -> str:
        """The label, and the word for it where the label is not that word.

        >>> Verdict("scrap", "not good", "").headline, Verdict("good", "good", "").headline
        ('scrap: not good', 'good')
        """
        return self.label if self.kind in ("", self.label.casefold()) else f"{self.label}: {self.kind}"


def verdict(
    task: Task, thresholds: Sequence[float], prediction: Prediction, looked_at: Sequence[float] = ()
) -> Verdict:
    """The words for one prediction; `thresholds` and `looked_at` are those of the bundle, one a class (or none).

    >>> from flawscope.records import Decision
    >>> found = Prediction("a.png", (), (0.125,), Decision((False,), "ok"))
    >>> verdict(Task("binary", ("scrap",)), [0.4], found).headline
    'ok: good'
    """
    decision = prediction.decision
    if decision is None:
        return Verdict("not decided", "not decided", prediction.error)
    called = [k for k, flag in enumerate(decision.flags) if flag]
    if task.kind == "multiclass":
        kind: Kind = "" if task.negative not in task.classes else "not good"
        kind = "good" if decision.label == task.negative else kind
        best = max(range(len(task.classes)), key=lambda k: prediction.probability[k])
        chosen = list(dict.fromkeys([*called, best]))  # an unlikely answer is not understood without the likelier one
    else:
        kind = "for a person" if decision.human else "not good" if called else "good"
        chosen = asked_about(thresholds, prediction, looked_at)
    said = odds(task, thresholds, prediction.probability, chosen, looked_at)
    weighed = task.kind == "multiclass" and len(chosen) > 1
    return Verdict(decision.label, kind, f"{said}: the classes are weighed differently" if weighed else said)


def asked_about(thresholds: Sequence[float], prediction: Prediction, looked_at: Sequence[float] = ()) -> list[int]:
    """The classes that a decided picture is about: those called, else those not ruled out, else the nearest one.

    >>> from flawscope.records import Decision
    >>> asked_about([0.5, 0.5], Prediction("a.png", (), (0.1, 0.3), Decision((False, False), "ok")))
    [1]
    """
    decision, least = prediction.decision, looked_at or thresholds
    assert decision is not None
    called = [k for k, flag in enumerate(decision.flags) if flag]
    unsure = [k for k, is_unsure in enumerate(decision.unsure) if is_unsure]
    return called or unsure or [max(range(len(least)), key=lambda k: prediction.probability[k] / least[k])]


def mask_verdict(task: Task, found: MaskPrediction, mm_per_pixel: float | None = None) -> Verdict:
    r"""The words for the flaws of one picture: of each class how many, their area together and the surest of them.

    >>> from flawscope.records import Decision, FoundFlaw, Masks
    >>> answer = Prediction("a.png", (), (0.9,), Decision((True,), "hole"))
    >>> flaw = FoundFlaw("hole", 30, (0, 0, 5, 6), (2.5, 3.0), 0.75)
    >>> task, masks = Task("multilabel", ("hole",), pixels="multilabel"), Masks(9, 9, ("1 1",))
    >>> told = mask_verdict(task, MaskPrediction(answer, masks, (flaw,)))
    >>> told.headline, told.facts.replace("\xa0", " ")
    ('hole: not good', 'hole: 1 flaw, 30 pixels, probability 75.0 %')
    """
    answer = found.answer
    if answer.decision is None:
        return Verdict("not decided", "not decided", answer.error)
    if found.stopped:
        assert found.gate is not None  # it was the gate that stopped it
        return Verdict(answer.decision.label, "good", f"probability of any flaw {percent(found.gate)}: not looked for")
    said = []
    for name in task.classes:
        of_class = [flaw for flaw in found.flaws if flaw.name == name]
        if of_class:
            area = sum(flaw.area for flaw in of_class)
            said.append(
                f"{class_called(name)}: {counted(len(of_class), 'flaws')}, "
                f"{counted(area, 'pixels')}{mm2_words(area, mm_per_pixel)}, "
                f"probability {'up to ' if len(of_class) > 1 else ''}{percent(max(flaw.score for flaw in of_class))}"
            )
    nothing = "no flaw found"
    if found.gate is not None:
        nothing += f", though the gate does not call it good: probability of any flaw {percent(found.gate)}"
    return Verdict(answer.decision.label, "not good" if said else "good", "; ".join(said) or nothing)


def odds(
    task: Task,
    thresholds: Sequence[float],
    probability: Sequence[float],
    chosen: Sequence[int],
    looked_at: Sequence[float] = (),
) -> str:
    r"""How probable the chosen classes are, each with the probability from which it is called so.

    Of what is not called so, the probability from which a person looks is told as well, where one does. In a binary
    task the good answer is named as well: it is the rest. In a multi-class task the classes are weighed against each
    other, so there is no such bound.

    >>> odds(Task("binary", ("scrap",)), [0.4], [0.125], [0]).replace("\xa0", " ")
    'probability of scrap 12.5 % (called so from 40.0 %), of ok 87.5 %'
    >>> odds(Task("multiclass", ("ok", "dent")), [0.5, 0.5], [0.1, 0.9], [1, 0]).replace("\xa0", " ")
    'probability of dent 90.0 %, of ok 10.0 %'
    >>> odds(Task("binary", ("scrap",)), [0.4], [0.125], [0], [0.1]).replace("\xa0", " ")
    'probability of scrap 12.5 % (a person looks from 10.0 %, called so from 40.0 %), of ok 87.5 %'
    """
    said = []
    for k in chosen:
        p, least = probability[k], thresholds[k]
        words = f"of {task.classes[k]} "
        if task.kind == "multiclass":
            said.append(words + percent(p))
            continue
        bounds = {"called so from": least}
        if looked_at and p < least and looked_at[k] < least:
            bounds = {"a person looks from": looked_at[k], **bounds}
        digits = max(
            next((d for d in range(1, 7) if p == bound or percent(p, d) != percent(bound, d)), 7)
            for bound in bounds.values()
        )
        told = ", ".join(f"{what} {percent(bound, digits)}" for what, bound in bounds.items())
        said.append(f"{words}{percent(p, digits)} ({told})")
        if task.kind == "binary":
            said.append(f"of {task.negative} {percent(1 - p, digits)}")
    return f"probability {', '.join(said)}"


def percent(probability: float, digits: int = 1) -> str:
    r"""A probability in percent. None is promised: what is nearly certain is so only nearly.

    >>> percent(0.973), percent(1.0), percent(1e-9)
    ('97.3\xa0%', '> 99.9\xa0%', '< 0.1\xa0%')
    """
    smallest = 10.0**-digits
    value = round(100 * probability, digits)
    if value >= 100:
        return f"> {100 - smallest:.{digits}f}{_SPACE}%"
    return f"{value:.{digits}f}{_SPACE}%" if value > 0 else f"< {smallest:.{digits}f}{_SPACE}%"
