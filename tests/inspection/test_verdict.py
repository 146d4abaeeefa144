from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flawscope.bundle.postprocess import answers, decide, three_answers
from flawscope.inspection.labelled import COLOURS
from flawscope.inspection.verdict import KINDS, Verdict, mask_verdict, odds, percent, verdict
from flawscope.records import Decision, FoundFlaw, MaskPrediction, Masks, Prediction, Task

BINARY = Task("binary", ("scrap",), "ok")
MULTI = Task("multiclass", ("ok", "dent", "scratch"), "ok")
NO_GOOD = Task("multiclass", ("dent", "scratch"), "ok")
LABELS = Task("multilabel", ("crack", "inactive"), "functional")


def said(task: Task, thresholds: Sequence[float], probability: Sequence[float]) -> Verdict:
    decision = answers(task, decide(task.kind, thresholds, [probability]))[0]
    made = verdict(task, thresholds, Prediction("a.png", (), tuple(probability), decision))
    return Verdict(made.label, made.kind, made.facts.replace("\xa0", " "))


@pytest.mark.parametrize(
    ("task", "thresholds", "probability", "headline", "facts"),
    [
        (BINARY, [0.25], [0.3], "scrap: not good", "probability of scrap 30.0 % (called so from 25.0 %), of ok 70.0 %"),
        (BINARY, [0.25], [0.2], "ok: good", "probability of scrap 20.0 % (called so from 25.0 %), of ok 80.0 %"),
        (MULTI, [0.5] * 3, [0.1, 0.7, 0.2], "dent: not good", "probability of dent 70.0 %"),
        (MULTI, [0.5] * 3, [0.8, 0.1, 0.1], "ok: good", "probability of ok 80.0 %"),
        (MULTI, [0.9, 0.3, 0.5], [0.6, 0.3, 0.1], "dent: not good",
         "probability of dent 30.0 %, of ok 60.0 %: the classes are weighed differently"),
        (NO_GOOD, [0.5] * 2, [0.9, 0.1], "dent", "probability of dent 90.0 %"),
        (LABELS, [0.5, 0.1], [0.9, 0.2], "crack + inactive: not good",
         "probability of crack 90.0 % (called so from 50.0 %), of inactive 20.0 % (called so from 10.0 %)"),
        (LABELS, [0.5, 0.1], [0.1, 0.9], "inactive: not good",
         "probability of inactive 90.0 % (called so from 10.0 %)"),
        # What comes nearest to being called, not what is most probable.
        (LABELS, [0.5, 0.1], [0.2, 0.09], "functional: good", "probability of inactive 9.0 % (called so from 10.0 %)"),
    ],
)  # fmt: skip
def test_words(task: Task, thresholds: list[float], probability: list[float], headline: str, facts: str) -> None:
    made = said(task, thresholds, probability)
    assert (made.headline, made.facts) == (headline, facts)


def test_what_was_not_decided_says_why() -> None:
    made = verdict(BINARY, [0.5], Prediction("a.png", error="the file is empty (0 bytes)"))
    assert (made.headline, made.facts) == ("not decided", "the file is empty (0 bytes)")


@given(some.floats(0, 1), some.floats(0.001, 1))
def test_both_sides_of_a_threshold_never_read_alike(probability: float, threshold: float) -> None:
    words = odds(LABELS, [threshold, 0.5], [probability, 0], [0]).replace("\xa0", " ")
    shown, least = words.removeprefix("probability of crack ").removesuffix(")").split(" (called so from ")
    assert (shown == least) == (probability == threshold) or abs(probability - threshold) < 1e-8


@given(some.floats(0, 1))
def test_nothing_is_certain(probability: float) -> None:
    assert percent(probability) not in ("0.0\xa0%", "100.0\xa0%")


def test_the_third_answer_in_words() -> None:
    decision = three_answers(BINARY, [0.7], [0.04], [[0.12]])[0]
    made = verdict(BINARY, [0.7], Prediction("a.png", (), (0.12,), decision), [0.04])
    assert (made.kind, made.headline) == ("for a person", "human: for a person")
    assert "12.0 % (a person looks from 4.0 %, called so from 70.0 %), of ok 88.0 %" in made.facts.replace("\xa0", " ")
    two, both = [0.7, 0.7], [0.04, 0.04]
    decision = three_answers(LABELS, two, both, [[0.01, 0.12]])[0]
    made = verdict(LABELS, two, Prediction("a.png", (), (0.01, 0.12), decision), both)
    assert (made.kind, made.facts.count("probability"), LABELS.classes[0] in made.facts) == ("for a person", 1, False)
    assert KINDS.index("not decided") < KINDS.index("for a person") < KINDS.index("not good")
    assert set(COLOURS) == set(KINDS)


def test_the_words_for_flaws() -> None:
    task = Task("multilabel", ("hole", "dent"), "ok", pixels="multilabel")
    flaws = tuple(FoundFlaw("dent", area, (0, 0, 30, 30), (1.0, 1.0), score) for area, score in ((10, 0.5), (400, 0.9)))
    answer = Prediction("a", (), (0.2, 0.9), Decision((False, True), "dent"))
    told = mask_verdict(task, MaskPrediction(answer, Masks(30, 30, ("", "1 410")), flaws), 0.5)
    assert told.headline == "dent: not good"
    assert told.facts == "dent: 2 flaws, 410 pixels (102 mm2), probability up to 90.0\xa0%"
    good = Prediction("a", (), (0.0, 0.0), Decision((False, False), "ok"))
    none = Masks(30, 30, ("", ""))
    assert mask_verdict(task, MaskPrediction(good, none)) == Verdict("ok", "good", "no flaw found")
    stopped = mask_verdict(task, MaskPrediction(good, none, gate=0.004, stopped=True))
    assert (stopped.headline, stopped.facts) == ("ok: good", "probability of any flaw 0.4\xa0%: not looked for")
    unmarked = mask_verdict(task, MaskPrediction(good, none, gate=0.712))
    assert unmarked.headline == "ok: good" and unmarked.facts == (
        "no flaw found, though the gate does not call it good: probability of any flaw 71.2\xa0%"
    )
    bad = mask_verdict(task, MaskPrediction(Prediction("a", error="no picture")))
    assert bad == Verdict("not decided", "not decided", "no picture")
