import json
import math

import numpy as np
import pytest
import sklearn.metrics as reference

from flawscope.evaluation.intervals import BOOTSTRAP, bootstrap, proportion
from flawscope.evaluation.measure import measure
from flawscope.evaluation.metrics import auroc
from flawscope.records import Interval, Task
from flawscope.wording import counted

BINARY = Task("binary", ("defective",), "functional")
MULTICLASS = Task("multiclass", ("a", "b", "c"))
MULTILABEL = Task("multilabel", ("crack", "scratch"))
ALL = {
    "accuracy",
    "recall",
    "precision",
    "specificity",
    "F1",
    "AUROC",
    "average precision",
    "escape rate",
    "overkill rate",
}


def intervals(document):
    measures = [interval for part in document["classes"].values() for interval in part["measures"].values()]
    return [*measures, *document["means"].values(), *(entry["interval"] for entry in document["headline"])]


def check(document):
    """What holds for every document: valid JSON, valid intervals, each measure either there or explained."""
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    for interval in intervals(document):
        assert Interval(**interval).high <= 1
        assert interval["low"] >= 0
    for part in document["classes"].values():
        assert part["measures"].keys() | part["undefined"].keys() == ALL
        assert not part["measures"].keys() & part["undefined"].keys()
        assert part["positives"] + part["negatives"] == document["n"] == sum(part["confusion"].values())
        assert sum(part["histogram"]["positive"]) == part["positives"]
        assert sum(part["histogram"]["negative"]) == part["negatives"]
        assert len(part["histogram"]["edges"]) == 21
    return document


def make(task, n=150, groups=30, seed=0):
    rng = np.random.default_rng(seed)
    k = len(task.classes)
    if task.kind == "multiclass":
        target_nk = np.eye(k)[rng.integers(k, size=n)]
        raw_nk = np.exp(rng.normal(size=(n, k)) + 1.5 * target_nk)
        probability_nk = raw_nk / raw_nk.sum(axis=1, keepdims=True)
        flag_nk = np.eye(k, dtype=bool)[probability_nk.argmax(axis=1)]
    else:
        target_nk = (rng.random((n, k)) < 0.3).astype(float)
        probability_nk = np.round(np.clip(rng.normal(0.35, 0.2, (n, k)) + 0.3 * target_nk, 0, 1), 2)
        flag_nk = probability_nk >= 0.5
    return target_nk, probability_nk, flag_nk, [f"block {index % groups}" for index in range(n)]


def test_binary_numbers_agree_with_scikit_learn():
    target_nk, probability_nk, flag_nk, groups = make(BINARY)
    document = check(measure(BINARY, target_nk, probability_nk, flag_nk, groups, thresholds=[0.5]))
    truth_n, flag_n, score_n = target_nk[:, 0] >= 0.5, flag_nk[:, 0], probability_nk[:, 0]
    part = document["classes"]["defective"]
    expected = {
        "accuracy": reference.accuracy_score(truth_n, flag_n),
        "recall": reference.recall_score(truth_n, flag_n),
        "precision": reference.precision_score(truth_n, flag_n),
        "specificity": reference.recall_score(~truth_n, ~flag_n),
        "F1": reference.f1_score(truth_n, flag_n),
        "AUROC": reference.roc_auc_score(truth_n, score_n),
        "average precision": reference.average_precision_score(truth_n, score_n),
        "escape rate": 1 - reference.recall_score(truth_n, flag_n),
        "overkill rate": 1 - reference.recall_score(~truth_n, ~flag_n),
    }
    assert {key: part["measures"][key]["value"] for key in expected} == pytest.approx(expected)
    assert [entry["name"] for entry in document["headline"]] == [
        "AUROC",
        "accuracy",
        "F1",
        "escape rate",
        "overkill rate",
    ]
    assert document["confusion"] == {
        "labels": ["functional", "defective"],
        "matrix": reference.confusion_matrix(truth_n, flag_n).tolist(),
    }
    assert document["combinations"] == {
        "functional": int((~truth_n).sum()),
        "defective": int(truth_n.sum()),
    }
    assert (document["n"], document["groups"], document["notes"]) == (150, 30, [])
    assert part["threshold"] == 0.5


def test_intervals_are_those_of_the_samples_in_the_denominator():
    target_nk, probability_nk, flag_nk, groups = make(BINARY)
    document = measure(BINARY, target_nk, probability_nk, flag_nk, groups, thresholds=[0.5], seed=9, level=0.9)
    measures = document["classes"]["defective"]["measures"]
    truth_n = target_nk[:, 0] >= 0.5
    escaped = proportion(~flag_nk[truth_n, 0], np.array(groups)[truth_n], 0.9)
    assert measures["escape rate"] == escaped.as_dict()
    # The order of the samples does not matter; the fewer groups hold the class, the wider the interval.
    holding = len({group for group, truth in zip(groups, truth_n, strict=True) if truth})
    assert holding < 30
    area = bootstrap(lambda i: auroc(truth_n[i], probability_nk[i, 0]), groups, seed=9, level=0.9, units=holding)
    assert measures["AUROC"] == area.as_dict()
    assert area.method == BOOTSTRAP


def test_same_seed_same_document():
    data = make(BINARY)
    first, again, other = (measure(BINARY, *data, thresholds=[0.5], seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_multiclass():
    target_nk, probability_nk, flag_nk, groups = make(MULTICLASS)
    document = check(measure(MULTICLASS, target_nk, probability_nk, flag_nk, groups, thresholds=None))
    true_n, decided_n = target_nk.argmax(axis=1), flag_nk.argmax(axis=1)
    headline = {entry["name"]: entry["interval"]["value"] for entry in document["headline"]}
    assert headline == pytest.approx(
        {
            "mean AUROC": reference.roc_auc_score(target_nk, probability_nk, average="macro"),
            "mean F1": reference.f1_score(true_n, decided_n, average="macro"),
            "accuracy": reference.accuracy_score(true_n, decided_n),
        }
    )
    means = {name: interval["value"] for name, interval in document["means"].items()}
    right_k = (target_nk.astype(bool) == flag_nk).mean(axis=0)
    specificity = np.mean([reference.recall_score(target_nk[:, c] < 0.5, ~flag_nk[:, c]) for c in range(3)])
    assert means == pytest.approx(
        {
            "mean AUROC": headline["mean AUROC"],
            "mean F1": headline["mean F1"],
            "mean accuracy": right_k.mean(),
            "mean recall": reference.balanced_accuracy_score(true_n, decided_n),
            "mean precision": reference.precision_score(true_n, decided_n, average="macro"),
            "mean specificity": specificity,
            "mean average precision": reference.average_precision_score(target_nk, probability_nk, average="macro"),
            "mean escape rate": 1 - reference.balanced_accuracy_score(true_n, decided_n),
            "mean overkill rate": 1 - specificity,
        }
    )
    assert document["confusion"]["labels"] == ["a", "b", "c"]
    assert document["confusion"]["matrix"] == reference.confusion_matrix(true_n, decided_n).tolist()
    assert document["classes"]["a"]["threshold"] is None
    assert document["headline"][0]["interval"]["method"] == BOOTSTRAP


@pytest.mark.parametrize("values, written", [((0.5, 0.5, 0.5), None), ((0.5, 0.4, 0.3), 0.5)])
def test_equal_multiclass_thresholds_are_the_plain_argmax(values, written):
    document = measure(MULTICLASS, *make(MULTICLASS, n=30), thresholds=values)
    assert document["classes"]["a"]["threshold"] == written


def test_multilabel():
    target_nk, probability_nk, flag_nk, groups = make(MULTILABEL)
    document = check(measure(MULTILABEL, target_nk, probability_nk, flag_nk, groups, thresholds=[0.5, 0.5]))
    headline = {entry["name"]: entry["interval"]["value"] for entry in document["headline"]}
    assert headline == pytest.approx(
        {
            "mean AUROC": reference.roc_auc_score(target_nk, probability_nk),
            "mean F1": reference.f1_score(target_nk, flag_nk, average="macro"),
            "exact match": reference.accuracy_score(target_nk, flag_nk),
        }
    )
    assert document["confusion"] is None
    assert set(document["combinations"]) == {"ok", "crack", "scratch", "crack + scratch"}
    assert sum(document["combinations"].values()) == 150


def test_multilabel_with_one_class():
    task = Task("multilabel", ("crack",))
    document = check(measure(task, *make(task), thresholds=[0.5]))
    mean = document["headline"][0]["interval"]
    assert mean == document["classes"]["crack"]["measures"]["AUROC"]


@pytest.mark.parametrize("target, kind", [(0.0, "no"), (1.0, "every")])
def test_one_class_only(target, kind):
    _, probability_nk, flag_nk, groups = make(BINARY)
    target_nk = np.full((150, 1), target)
    document = check(measure(BINARY, target_nk, probability_nk, flag_nk, groups, thresholds=[0.5]))
    part = document["classes"]["defective"]
    assert part["undefined"]["AUROC"] == f"{kind} image shows 'defective'"
    assert "roc" not in part
    assert "precision_recall" not in part
    assert any("AUROC" in note and "cannot be computed" in note for note in document["notes"])
    assert "AUROC" not in [entry["name"] for entry in document["headline"]]
    assert ("F1" in part["measures"]) == (target == 1.0)


def test_nothing_called():
    target_nk, probability_nk, flag_nk, groups = make(BINARY)
    document = check(measure(BINARY, target_nk, probability_nk, flag_nk & False, groups, thresholds=[1.0]))
    part = document["classes"]["defective"]
    assert part["undefined"] == {"precision": "no image was called 'defective'"}
    assert part["measures"]["F1"]["value"] == 0
    assert part["measures"]["escape rate"]["value"] == 1


def test_a_class_that_is_missing_is_left_out_of_the_means():
    target_nk, probability_nk, flag_nk, groups = make(MULTICLASS)
    kept = target_nk[:, 2] == 0
    data = target_nk[kept], probability_nk[kept], flag_nk[kept], list(np.array(groups)[kept])
    document = check(measure(MULTICLASS, *data, thresholds=None))
    areas = [document["classes"][name]["measures"]["AUROC"]["value"] for name in "ab"]
    assert document["headline"][0]["interval"]["value"] == pytest.approx(np.mean(areas))
    assert "AUROC" in document["classes"]["c"]["undefined"]
    assert "each mean is over the classes for which the measure can be computed" in document["notes"]


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL])
def test_no_images(task):
    empty_nk = np.zeros((0, len(task.classes)))
    document = check(measure(task, empty_nk, empty_nk, empty_nk.astype(bool), [], thresholds=None))
    assert (document["n"], document["groups"], document["headline"]) == (0, 0, [])
    assert document["notes"] == ["no image was measured"]
    assert set(document["classes"][task.classes[0]]["undefined"].values()) == {"no image was measured"}


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL])
def test_one_image(task):
    check(measure(task, *make(task, n=1), thresholds=None))


@pytest.mark.parametrize("task", [BINARY, MULTICLASS])
@pytest.mark.parametrize("groups", [1, 3, 60])
def test_perfect_scores_have_an_interval_too(task, groups):
    k = len(task.classes)
    target_nk = np.eye(k)[np.arange(60) % k] if k > 1 else (np.arange(60) % 2)[:, None].astype(float)
    names = [str(index % groups) for index in range(60)]
    document = check(measure(task, target_nk, target_nk, target_nk >= 0.5, names, thresholds=None))
    for entry in document["headline"]:
        assert entry["interval"]["high"] - entry["interval"]["low"] > 0.02, entry["name"]
    first = document["headline"][0]["interval"]
    assert (first["value"], first["high"]) == (1, 1)
    assert first["method"] != BOOTSTRAP
    if task is MULTICLASS:
        assert first["method"] == "mean of the class intervals"
        lows = [part["measures"]["AUROC"]["low"] for part in document["classes"].values()]
        assert first["low"] == pytest.approx(np.mean(lows))
    rough = f"only {counted(groups, 'groups')}: intervals over fewer than 20 groups are rough"
    assert (rough in document["notes"]) == (groups < 20)


def test_curves_are_thinned_and_keep_their_ends():
    rng = np.random.default_rng(0)
    target_nk = (rng.random((1000, 1)) < 0.5).astype(float)
    probability_nk = rng.random((1000, 1))
    names = [str(index) for index in range(1000)]
    part = measure(BINARY, target_nk, probability_nk, probability_nk >= 0.5, names, thresholds=[0.5])["classes"][
        "defective"
    ]
    for curve in (part["roc"], part["precision_recall"]):
        assert {len(points) for points in curve.values()} == {200}
    assert [points[0] for points in part["roc"].values()] == [0, 0]
    assert [points[-1] for points in part["roc"].values()] == [1, 1]
    assert part["precision_recall"]["recall"][-1] == 1
    assert part["precision_recall"]["precision"][-1] == pytest.approx(target_nk.mean())
    area = reference.auc(part["roc"]["false_positive_rate"], part["roc"]["true_positive_rate"])
    assert area == pytest.approx(part["measures"]["AUROC"]["value"], abs=0.01)


def test_grouping_widens_the_intervals():
    rng = np.random.default_rng(2)
    target_nk = np.repeat(rng.random(40) < 0.4, 10)[:, None].astype(float)
    probability_nk = np.clip(0.4 + 0.25 * target_nk + np.repeat(rng.normal(0, 0.2, 40), 10)[:, None], 0, 1)
    data = target_nk, probability_nk, probability_nk >= 0.5
    grouped = measure(BINARY, *data, [str(index // 10) for index in range(400)], thresholds=[0.5])
    alone = measure(BINARY, *data, [str(index) for index in range(400)], thresholds=[0.5])
    for with_groups, without in zip(grouped["headline"], alone["headline"], strict=True):
        wide, narrow = (entry["interval"]["high"] - entry["interval"]["low"] for entry in (with_groups, without))
        assert wide > 1.5 * narrow, with_groups["name"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"probability_nk": np.full((30, 3), math.nan)}, "probabilities in"),
        ({"probability_nk": np.zeros((30, 2))}, "expected targets"),
        ({"flag_nk": np.ones((30, 3), dtype=bool)}, "exactly one flag"),
        ({"flag_nk": np.ones((30, 3))}, "boolean"),
        ({"groups": ["a"]}, "expected targets"),
        ({"thresholds": [0.5]}, "expected targets"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    names = ("target_nk", "probability_nk", "flag_nk", "groups")
    data = dict(zip(names, make(MULTICLASS, n=30), strict=True)) | {"thresholds": None} | change
    with pytest.raises(ValueError, match=message):
        measure(MULTICLASS, **data)
