"""Escape contracts of whole tasks, and their words. n samples, k classes."""

from __future__ import annotations

import numpy as np
import pytest

from flawscope.bundle.postprocess import decide
from flawscope.errors import RecipeError
from flawscope.evaluation.contract import escape_contract
from flawscope.evaluation.contract_words import contract_words, saving_words
from flawscope.evaluation.parts_bound import groups_needed
from flawscope.evaluation.promises import fit_promises
from flawscope.records import Interval, Task

FOUR = Task("multiclass", ("good", "crack", "dent", "stain"), "good")


def multiclass(n: int = 800, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target_nk = np.eye(4)[rng.choice(4, n, p=[0.4, 0.2, 0.2, 0.2])]
    logit_nk = rng.normal(0, 1, (n, 4)) + 2.5 * target_nk
    return np.exp(logit_nk) / np.exp(logit_nk).sum(axis=1, keepdims=True), target_nk


def test_each_class_of_a_multilabel_task_has_its_own_contract() -> None:
    rng = np.random.default_rng(0)
    target_nk = rng.random((500, 2)) < 0.3
    probability_nk = np.clip(rng.normal(0.3, 0.1, (500, 2)) + 0.4 * target_nk, 0, 1)
    groups = [str(i) for i in range(500)]
    task = Task("multilabel", ("crack", "inactive"))
    found = fit_promises(task, probability_nk, target_nk.astype(float), groups, max_escape=0.04)
    assert [promise.name for promise in found.each] == ["crack", "inactive"]
    for c, promise in enumerate(found.each):
        alone = escape_contract(probability_nk[:, c], target_nk[:, c], groups, max_escape=0.04)
        assert promise.contract == alone
        assert found.thresholds[c] == alone.threshold
        assert promise.words == contract_words(alone, promise.name)
    assert found.kept


@pytest.mark.parametrize("seed", range(5))
def test_the_weights_of_several_classes_give_the_escapes_that_the_contract_counts(seed: int) -> None:
    probability_nk, target_nk = multiclass(seed=seed)
    found = fit_promises(FOUR, probability_nk, target_nk, range(800), max_escape=0.05)
    (promise,) = found.each
    assert promise.name == "crack or dent or stain"
    called_good_n = decide("multiclass", found.thresholds, probability_nk)[:, 0]
    bad_n = target_nk[:, 0] == 0
    assert promise.contract.escapes == (called_good_n & bad_n).sum()
    assert promise.contract.overkill is not None
    assert promise.contract.overkill.value == pytest.approx((~called_good_n & ~bad_n).sum() / (~bad_n).sum())
    assert promise.contract.kept


def test_a_defect_on_the_edge_is_rejected() -> None:
    """Without good parts the threshold is the score of a defect itself: it must not pass by rounding."""
    probability_nk = np.tile([[0.3, 0.1, 0.6, 0.0]], (100, 1))
    target_nk = np.tile([[0.0, 0, 1, 0]], (100, 1))
    found = fit_promises(FOUR, probability_nk, target_nk, range(100), max_escape=0.05)
    assert not decide("multiclass", found.thresholds, probability_nk)[:, 0].any()


def test_classes_without_a_good_one_are_refused_with_a_remedy() -> None:
    task = Task("multiclass", ("a", "b", "c", "d"))
    with pytest.raises(RecipeError, match=r"none of the classes a, b, c, d is known(?s:.)*data.negative"):
        fit_promises(task, *multiclass(), range(800), max_escape=0.05)


# --- words ------------------------------------------------------------------------------------------------------


def words(bad, good=(), groups=None, items="cells", **asked):
    n = len(bad) + len(good)
    found = escape_contract(
        np.array([*bad, *good]), np.arange(n) < len(bad), range(n) if groups is None else groups, **asked
    )
    return contract_words(found, "defective", "good", items)


def test_what_is_proven_in_words() -> None:
    said = words([0.9] * 420, [0.1] * 89 + [0.95] * 11, [*np.arange(420) // 2, *range(1000, 1100)], max_escape=0.02)
    assert said[0] == (
        "Of 100 defective cells at most 2 pass, 95 % confidence; measured on 420 defective cells, worth 210 "
        "independent ones, from 210 groups, each counted alike; 11.0 % of good cells are rejected (6.3 to 18.6 %)."
    )
    assert said[1] == "None of them passes."  # the bound there, 1.42 %, is not proven of a threshold that was chosen
    assert said[2].endswith("would reject 11.0 % of good cells: the proof costs 0.0 points.")
    assert said[3].startswith("Each group counts as one")
    effective = words([0.9] * 420, [0.1], [*np.arange(420) // 2, 1000], max_escape=0.02, units="effective")
    assert effective[-1].startswith("Images of a group count by how alike their scores are")


def test_what_is_not_proven_in_words() -> None:
    said = words([0.9] * 164, [0.1] * 10, max_escape=0.005)
    assert said[0] == (
        "NOT PROVEN: that of 1,000 defective cells at most 5 pass, 95 % confidence; the data allow only "
        "56 % confidence."
    )
    assert (
        "at most 1.82 % of defective cells pass, 95 % confidence; measured on 164 defective cells, each by" in said[1]
    )
    assert said[2] == "598 independent defective cells of which none passes would prove it: 434 more."
    grouped = words([0.9] * 100, groups=np.arange(100) // 5, max_escape=0.05)
    assert "59 independent defective cells of which none passes would prove it: 39 more, each from another group." in (
        grouped
    )
    assert "how many good cells are rejected is not known" in grouped[1]


def test_where_groups_differ_in_size_nothing_is_said_to_be_proven_of_all_parts() -> None:
    sizes = [2] * 94 + [40] * 6
    groups, bad = np.repeat(range(100), sizes), np.full(428, 0.9)
    bad[[0, 1, 300]] = 0.1
    said = words(bad, [0.5], [*groups, 1000], max_escape=0.1)
    assert "from 100 groups, each counted alike;" in said[0]
    needed = groups_needed(np.array(sizes), 0.1, 0.95)
    assert said[-2].startswith("Each group counts as one") and said[-2].count("about a group taken at random.") == 1
    assert said[-1] == (
        "Groups differ in size: of all defective cells 0.701 % pass here, and nothing is proven of that share. "
        f"decide.units: parts proves it, and takes {needed} groups such as these of which none passes."
    )
    alike = words([0.9] * 420, groups=np.arange(420) // 2, max_escape=0.02)
    assert "differ in size" not in " ".join(alike)
    never = words(np.full(428, 0.9), groups=groups, max_escape=0.0)
    assert "nothing is proven of that share (decide.units: parts does that)." in never[-1]


def test_what_is_proven_of_all_parts_in_words() -> None:
    sizes = [2] * 94 + [40] * 6
    groups = np.repeat(range(100), sizes)
    said = words([0.9] * 428, [0.05], [*groups, 1000], max_escape=0.4, units="parts")
    assert said[0].startswith(
        "Of 100 defective cells at most 40 pass, 95 % confidence; measured on 428 defective cells, from 100 "
        "groups, the largest of which holds 40; 0.0 % of good cells"
    )
    assert said[-1] == (
        "All defective cells count alike, and a whole group may fail together. This trusts that no group at the line "
        "holds more than 40 of them, the most in one of these."
    )
    lacking = words([0.9] * 428, [0.05], [*groups, 1000], max_escape=0.1, units="parts")
    needed = groups_needed(np.array(sizes), 0.1, 0.95)
    assert f"{needed} groups such as these of which none passes would prove it: {needed - 100} more." in lacking
    single = words([0.9] * 100, [0.05], max_escape=0.05, units="parts")
    assert single[-1] == "Each of them stands by itself, and this trusts that at the line each does."
    assert "from 1 group;" in words([0.9] * 9, groups=np.zeros(9), max_escape=0.1, units="parts")[1]
    assert words([], [0.1], max_escape=0.1, units="parts")[1].startswith("29 independent defective cells")


def test_the_impossible_in_words() -> None:
    assert words([0.5] * 10, [0.1], max_escape=0)[0].startswith("NOT PROVEN: that of 100 defective cells none passes")
    assert "No number of images proves that none ever passes" in words([0.5] * 10, [0.1], max_escape=0)[2]
    assert "the calibration part holds no defective cells" in words([], [0.1], max_escape=0.1)[0]
    never = words([0.0] * 10 + [0.5] * 50, [0.1], max_escape=0.05)
    assert never[2] == "10 of them score 0 and pass at every threshold: more images alone do not help."
    assert "no threshold finds them" in words([0.0] * 10, [0.1], max_escape=0.1)[0]


def test_a_promise_that_takes_no_network_is_called_so() -> None:
    """Rejecting 98 % by lot lets 2 % escape: so overkill is held against 98 %."""
    everything = words([0.9] * 420, [0.95] * 100, max_escape=0.02)
    assert everything[2] == (
        "The promise holds, but THE NETWORK SAVES NOTHING: all good cells are rejected, and that takes no network."
    )
    most = words([0.9] * 420, [0.95] * 199 + [0.1], max_escape=0.02)
    assert (
        "THE NETWORK SAVES NOTHING: 99.5 % of good cells are rejected, and rejecting 98.0 % of all parts by" in most[2]
    )
    nearly = words([0.9] * 420, [0.95] * 190 + [0.1] * 10, max_escape=0.05)  # 95 %, as the lot
    assert "THE NETWORK SAVES NOTHING: 95.0 % of good cells" in nearly[2]
    best = words([0.9] * 22, [0.95] * 199 + [0.1], max_escape=0.02)  # 12.73 % is the best promise
    assert "99.5 % of good cells are rejected, and rejecting 87.3 % of all parts by lot" in best[3]
    assert "rejecting 99.99 % of all parts by lot" in saving_words(Interval(0.99995, 0.9, 1.0), 0.0001, "good cells")
    perhaps = words([0.9] * 420, [0.95] * 188 + [0.1] * 12, max_escape=0.05)
    assert "it is NOT SHOWN THAT THE NETWORK SAVES ANYTHING: up to 96." in perhaps[2]
    useful = words([0.9] * 420, [0.95] * 180 + [0.1] * 20, max_escape=0.02)  # 90 %, at most 93.4 %
    assert not any("SAVES" in text for text in useful)
    not_proven = words([0.9] * 14, [0.95] * 100, max_escape=0.02)
    assert not_proven[3] == "THE NETWORK SAVES NOTHING: all good cells are rejected, and that takes no network."
    assert not any("SAVES" in text for text in words([0.9] * 420, max_escape=0.02))  # no good parts: not known
    assert not any("SAVES" in text for text in words([0.0] * 10, [0.1], max_escape=0.1))  # promises nothing


def test_noise_is_seldom_taken_for_a_network_and_one_that_separates_is_not_called_useless() -> None:
    silent = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        bad_n, good_n = random.random(100), random.random(100)
        silent += not any("SAVES" in text for text in words(list(bad_n), list(good_n), max_escape=0.1))
        if seed < 30:
            useful = words(list(bad_n / 2 + 0.5), list(good_n / 1.5), max_escape=0.1)
            assert not any("SAVES" in text for text in useful)
    assert silent <= 10  # 2.5 % of its intervals are too low, and in 5 % the promise is broken


def test_what_is_not_proven_has_no_price() -> None:
    good = np.linspace(0, 0.6, 50)
    kept = words(np.linspace(0.3, 1, 60), good, max_escape=0.05)
    assert any("the proof costs" in sentence for sentence in kept)
    for more in ({"max_escape": 0.02}, {"max_escape": 0.0}, {"max_escape": 0.05, "groups": np.arange(110) // 2}):
        said = words(np.linspace(0.3, 1, 60), good, **more)
        assert said[0].startswith("NOT PROVEN")
        assert not any("cost" in sentence or "Without proof" in sentence for sentence in said)


def test_one_is_one() -> None:
    said = words([0.4] * 5, groups=np.zeros(5), max_escape=0.02)
    assert "measured on 5 defective cells, worth 1 independent one, from 1 group;" in said[1]
    assert "measured on 1 defective cell; how many" in words([0.4], max_escape=0.02)[1]
    assert words([0.4], max_escape=0.97)[1].startswith("It does not pass")
    assert "148 more, each from another group." in said[2]
    assert "1 more, from another group." in words([0.4] * 296, groups=np.arange(296) // 2, max_escape=0.02)[2]
    never = words([0.0] + [0.5] * 50, [0.1], max_escape=0.05)
    assert never[2] == "1 of them scores 0 and passes at every threshold: more images alone do not help."
    one = words([], confidence=0.3, max_escape=0.9)
    assert one[1] == "1 independent defective cell that does not pass would prove it: 1 more."


def test_promises_of_hardly_anything_and_of_hardly_an_escape() -> None:
    said = words([0.5] * 10, max_escape=0.9999)
    assert said[0].startswith("Of 10,000 defective cells at least 1 is rejected, 95 % confidence; measured")
    assert "That is next to nothing: more than half of the defective cells may pass." in said
    assert not any("next to nothing" in sentence for sentence in words([0.5] * 10, max_escape=0.5))
    rare = words([0.5] * 10, max_escape=1e-7, confidence=0.99999)
    assert rare[0].startswith("NOT PROVEN: that of 10,000,000 defective cells at most 1 passes, 99.999 % confidence;")
    beyond = words([0.5] * 10, max_escape=1e-11)
    assert beyond[2].startswith("More than 1,000,000,000 independent defective cells would be needed")
    assert not any("e-" in sentence or "0000000001" in sentence for sentence in (*said, *rare))


def test_a_confidence_that_is_not_reached_is_never_rounded_up_to_it() -> None:
    said = words([0.5] * 298, max_escape=0.01)[0]
    assert said.endswith("95 % confidence; the data allow only 94.9 % confidence.")


def test_the_words_say_where_the_images_are_from() -> None:
    none = escape_contract([0.1], [False], [0], max_escape=0.1)
    alone = escape_contract([0.1], [True], [0], max_escape=0.1)
    assert (
        ": the data set 'new' holds no defective images"
        in contract_words(none, "defective", where="the data set 'new'")[0]
    )
    assert "there are none in the data set 'new'" in contract_words(alone, "defective", where="the data set 'new'")[1]
    task = Task("binary", ("bad",))
    found = fit_promises(task, np.array([[0.2]]), np.array([[0.0]]), ["a"], max_escape=0.1, where="these")
    assert "these holds no bad images" in found.each[0].words[0]
