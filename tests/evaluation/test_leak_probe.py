import json
import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from flawscope.errors import DataError, SplitError
from flawscope.evaluation import leak_probe as module
from flawscope.evaluation import metrics
from flawscope.evaluation.intervals import proportion
from flawscope.evaluation.leak_models import Folds, nearest_neighbour, out_of_fold, small_model
from flawscope.evaluation.leak_probe import Compared, LeakProbe, ProbeModel, auroc_within_folds, leak_probe
from flawscope.records import Interval

K = 5


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(module, "DRAWS", 200)


def column(values):
    return np.asarray(values, dtype=np.float64)[:, None]


def planted(rng, things=60, copies=4):
    """Each thing is pictured several times and has a label thrown by a coin: features say nothing about labels."""
    group_n = np.repeat(np.arange(things), copies)
    feature_nd = rng.normal(size=(things, 12))[group_n] + 0.01 * rng.normal(size=(len(group_n), 12))
    label_n = rng.permutation(things)[group_n] % 2
    # Every thing stands in `copies` of the random folds: never alone in the fold that is tested.
    random_fold_n = (np.tile(np.arange(copies), things) + group_n) % K
    return feature_nd, column(label_n), group_n % K, group_n, random_fold_n


def everywhere(fold_n):
    return Folds("grouped", fold_n, np.ones((len(fold_n), fold_n.max() + 1), dtype=bool))


def measure(probe, model, name):
    return next(each for each in probe.models if each.name == model).measures[name]


def test_planted_leak_is_found():
    feature_nd, target_nk, fold_n, group_n, random_fold_n = planted(np.random.default_rng(1))
    probe = leak_probe(feature_nd, target_nk, "binary", fold_n, group_n, random_fold_n)
    found = measure(probe, "one nearest neighbour", "accuracy")
    assert found.random.value == 1.0
    assert 0.35 < found.grouped.value < 0.65
    assert found.grouped.low < 0.5 < found.grouped.high
    assert found.difference.value == pytest.approx(found.random.value - found.grouped.value)
    assert 0.3 < found.difference.low < found.difference.value < found.difference.high < 0.7
    small = measure(probe, "small model", "AUROC")
    assert small.random.value > small.grouped.value + 0.1
    assert small.difference.low > 0
    assert (probe.n, probe.groups, probe.folds) == (240, 60, K)


def test_without_a_leak_the_difference_covers_zero_as_often_as_it_says():
    covered, narrower = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        label_n = np.arange(80) % 2
        feature_nd = rng.normal(size=(80, 3)) + label_n[:, None]
        fold_n, random_fold_n = rng.permutation(80) % K, rng.permutation(80) % K
        probe = leak_probe(feature_nd, column(label_n), "binary", fold_n, range(80), random_fold_n)
        area = measure(probe, "small model", "AUROC")
        neighbour = measure(probe, "one nearest neighbour", "accuracy")
        covered += [each.difference.low <= 0 <= each.difference.high for each in (neighbour, area)]
        random, grouped, difference = (each.high - each.low for each in (area.random, area.grouped, area.difference))
        narrower.append(difference / np.hypot(random, grouped))
    assert np.mean(covered) >= 0.9
    assert np.mean(narrower) < 0.8  # the same draws for both splits: what they share falls out


def test_intervals_take_the_groups_for_the_random_split_too():
    feature_nd, target_nk, fold_n, group_n, random_fold_n = planted(np.random.default_rng(2))
    probe = leak_probe(feature_nd, target_nk, "binary", fold_n, group_n, random_fold_n)
    truth_nk = target_nk >= 0.5
    for model, name in (
        (nearest_neighbour, "one nearest neighbour"),
        (lambda *a: small_model(*a, seed=0), "small model"),
    ):
        score_nk = out_of_fold(model, feature_nd, truth_nk, everywhere(random_fold_n))
        expected = proportion(((score_nk >= 0.5) == truth_nk)[:, 0], group_n)
        assert measure(probe, name, "accuracy").random == expected
        assert expected.groups == 60 and expected.effective <= 120


def test_nearest_neighbour_by_hand():
    # Training: mean (2, 1), standard deviation (2, 1): standardised (-1, 0), (1, -1.22), (1, 1.22) up to scale.
    train_md = np.array([[0.0, 1.0], [4.0, 0.0], [4.0, 2.0], [0.0, 1.0]])
    truth_mk = np.array([[True, False], [False, True], [True, True], [False, False]])
    test_qd = np.array([[100.0, -30.0], [2.5, 50.0], [-7.0, 1.0]])
    expected = truth_mk[[1, 2, 0]]  # by direction, not by distance; of the two that are alike the first
    np.testing.assert_array_equal(nearest_neighbour(train_md, truth_mk, test_qd), expected)


@pytest.mark.parametrize("kind, k", [("binary", 1), ("multilabel", 3), ("multiclass", 3)])
def test_models_agree_with_scikit_learn(kind, k):
    rng = np.random.default_rng(3)
    label_n = rng.integers(4 if kind == "multilabel" else max(k, 2), size=90)
    fold_n = np.arange(90) % K
    feature_nd = rng.normal(size=(90, 6)) * [1, 100, 0.01, 1, 5, 1] + label_n[:, None]
    target_nk = np.stack([label_n == c if kind != "binary" else label_n == 1 for c in range(k)], axis=1)
    splits = PredefinedSplit(fold_n)
    neighbour = make_pipeline(StandardScaler(), KNeighborsClassifier(1, metric="cosine", algorithm="brute"))
    found_nk = out_of_fold(nearest_neighbour, feature_nd, target_nk, everywhere(fold_n))
    for c in range(k):
        expected_n = cross_val_predict(neighbour, feature_nd, target_nk[:, c], cv=splits)
        np.testing.assert_array_equal(found_nk[:, c].astype(bool), expected_n)
    logistic = make_pipeline(StandardScaler(), PCA(6), LogisticRegression(max_iter=1000))
    found_nk = out_of_fold(lambda *a: small_model(*a, seed=0), feature_nd, target_nk, everywhere(fold_n))
    for c in range(k):
        score_nk = cross_val_predict(logistic, feature_nd, target_nk[:, c], cv=splits, method="predict_proba")
        np.testing.assert_allclose(found_nk[:, c], score_nk[:, 1], atol=1e-4)


@pytest.mark.parametrize("model", [nearest_neighbour, lambda *a: small_model(*a, seed=0)])
def test_nothing_is_fitted_on_the_test_fold(model):
    rng = np.random.default_rng(4)
    feature_nd, truth_nk = rng.normal(size=(60, 8)), rng.random((60, 1)) < 0.5
    fold_n = np.arange(60) % 3
    before_nk = out_of_fold(model, feature_nd, truth_nk, everywhere(fold_n))
    feature_nd[0] *= 1e6  # image 0 is tested in fold 0
    truth_nk[0] = ~truth_nk[0]
    after_nk = out_of_fold(model, feature_nd, truth_nk, everywhere(fold_n))
    others_n = (fold_n == 0) & (np.arange(60) > 0)
    np.testing.assert_array_equal(before_nk[others_n], after_nk[others_n])
    assert (before_nk[fold_n != 0] != after_nk[fold_n != 0]).any()


def test_auroc_counts_pairs_of_one_fold_only():
    rng = np.random.default_rng(5)
    truth_n, score_n, fold_n = rng.random(40) < 0.5, rng.integers(6, size=40).astype(float), np.arange(40) % 3
    wins = [
        (score_n[i] > score_n[j]) + 0.5 * (score_n[i] == score_n[j])
        for i in np.flatnonzero(truth_n)
        for j in np.flatnonzero(~truth_n)
        if fold_n[i] == fold_n[j]
    ]
    assert auroc_within_folds(truth_n, score_n, fold_n) == pytest.approx(np.mean(wins))
    # What a fold's model adds to all of its scores changes nothing, though it ruins the AUROC over all pairs.
    moved_n = score_n + 100 * fold_n
    assert auroc_within_folds(truth_n, moved_n, fold_n) == pytest.approx(np.mean(wins))
    assert metrics.auroc(truth_n, moved_n) != pytest.approx(np.mean(wins), abs=0.01)
    assert np.isnan(auroc_within_folds(np.array([True, False]), np.array([0.1, 0.2]), np.array([0, 1])))


@pytest.mark.parametrize(
    "kind, k, area", [("binary", 1, "AUROC"), ("multiclass", 3, "mean AUROC"), ("multilabel", 3, "mean AUROC")]
)
def test_plain_data_for_each_kind_of_task(kind, k, area):
    rng = np.random.default_rng(6)
    label_n = np.arange(120) % max(k, 2)
    feature_nd = rng.normal(size=(120, 4)) + 2 * label_n[:, None]
    target_nk = column(label_n) if kind == "binary" else np.eye(k)[label_n]
    if kind == "multilabel":
        target_nk[::7, 0] = 1.0
    inputs = feature_nd, target_nk, kind, np.arange(120) // 24, np.arange(120) // 4, rng.permutation(120) % K
    probe = leak_probe(*inputs, seed=3)
    content = json.loads(json.dumps(probe.as_dict(), allow_nan=False))
    assert content == leak_probe(*inputs, seed=3).as_dict()
    assert [model["name"] for model in content["models"]] == ["one nearest neighbour", "small model"]
    assert list(content["models"][0]["measures"]) == ["accuracy"]
    assert list(content["models"][1]["measures"]) == ["accuracy", area]
    assert set(content["models"][1]["measures"][area]) == {"random", "grouped", "difference"}
    assert (content["n"], content["groups"], content["folds"]) == (120, 30, K)
    assert "not of a product" in content["notes"][0]
    assert any("all its labels" in note for note in content["notes"]) == (kind == "multilabel")


def test_images_that_would_leak_are_left_out_of_training():
    feature_nd, target_nk, _, group_n, random_fold_n = planted(np.random.default_rng(7))
    # The grouped folds are dealt image by image, as if a chain had been cut everywhere; the mask purges.
    allowed_nf = np.array(
        [[not ((group_n == group) & (random_fold_n == f)).any() for f in range(K)] for group in group_n]
    )
    inputs = feature_nd, target_nk, "binary", random_fold_n, group_n, random_fold_n
    found = measure(probe := leak_probe(*inputs, train_allowed_nf=allowed_nf), "one nearest neighbour", "accuracy")
    assert found.random.value == 1.0 and 0.35 < found.grouped.value < 0.65
    assert any("left out of training" in note for note in probe.notes)
    with pytest.raises(SplitError, match=r"60 groups stand in training and in test(.|\n)*-> deal the folds"):
        leak_probe(*inputs)


def test_one_class_in_training_and_few_groups_are_said():
    label_n = np.array([0, 0, 0, 0, 1, 1])
    fold_n, random_fold_n = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 0, 1, 2])
    feature_nd = np.random.default_rng(8).normal(size=(6, 2))
    probe = leak_probe(feature_nd, column(label_n), "binary", fold_n, list("abcdef"), random_fold_n)
    assert any("same answer in these grouped folds: 2" in note for note in probe.notes)
    assert any("only 6 groups" in note for note in probe.notes)
    assert any("AUROC cannot be computed" in note for note in probe.notes)
    assert list(probe.models[1].measures) == ["accuracy"]


@pytest.mark.parametrize("label_n", [np.zeros(20), np.arange(20) % 2])
def test_constant_features_and_one_class_give_numbers_without_warnings(label_n):
    fold_n = np.arange(20) % 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe = leak_probe(np.full((20, 3), 0.1), column(label_n), "binary", fold_n, range(20), fold_n)
    for model in probe.models:
        for each in model.measures.values():
            assert each.difference.value == 0.0
            assert each.difference.low < 0 < each.difference.high


def test_one_image_a_fold_works():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe = leak_probe(np.eye(2), column([0, 1]), "binary", [0, 1], ["a", "b"], [1, 0])
    assert measure(probe, "one nearest neighbour", "accuracy").random.value == 0.0


def test_same_answers_on_both_splits_are_not_sure_of_zero():
    fold_n = np.arange(40) % 4
    feature_nd = column(np.where(np.arange(40) < 20, -1.0, 1.0))
    probe = leak_probe(feature_nd, column(np.arange(40) < 20), "binary", fold_n, range(40), fold_n)
    found = measure(probe, "one nearest neighbour", "accuracy")
    assert found.random.value == found.grouped.value == 1.0
    assert found.difference.low == pytest.approx(found.random.low - 1.0)
    assert found.difference.method == "the far ends of the two intervals"


def test_bad_data_is_refused_in_words():
    feature_nd, target_nk, fold_n = np.eye(4), column([0, 1, 0, 1]), np.array([0, 0, 1, 1])

    def probe(feature_nd=feature_nd, target_nk=target_nk, fold_n=fold_n, random_fold_n=fold_n, **more):
        return leak_probe(feature_nd, target_nk, "binary", fold_n, range(len(fold_n)), random_fold_n, **more)

    with pytest.raises(DataError, match="no images"):
        leak_probe(np.zeros((0, 2)), np.zeros((0, 1)), "binary", [], [], [])
    with pytest.raises(DataError, match=r"of 1 images are not finite numbers:\n  image 2 "):
        probe(np.where(np.arange(4)[:, None] == 2, np.nan, feature_nd))
    with pytest.raises(SplitError, match="4 images cannot be probed with 5 folds"):
        probe(fold_n=np.array([0, 1, 2, 4]), random_fold_n=np.array([0, 1, 2, 4]))
    with pytest.raises(SplitError, match="4 images cannot be probed with 1 folds"):
        probe(fold_n=np.zeros(4, int), random_fold_n=np.zeros(4, int))
    with pytest.raises(SplitError, match="fold 1 of the grouped split holds no image"):
        probe(fold_n=np.array([0, 0, 2, 2]), random_fold_n=np.array([0, 1, 2, 2]))
    with pytest.raises(SplitError, match="when fold 1 of the grouped split is tested, no image is left"):
        probe(train_allowed_nf=np.array([[True, False]] * 4))
    with pytest.raises(ValueError, match="expected 4 x f booleans"):
        probe(train_allowed_nf=np.ones((3, 2), dtype=bool))
    with pytest.raises(ValueError, match="whole numbers"):
        probe(fold_n=fold_n / 2)
    with pytest.raises(ValueError, match="n folds, groups and random folds"):
        probe(target_nk=target_nk[:3])


def test_records_are_checked():
    low, high = Interval(0.2, 0.1, 0.3), Interval(0.9, 0.8, 1.0)
    fits = Compared(high, low, Interval(0.7, 0.5, 0.9))
    with pytest.raises(ValueError, match="expected a difference of"):
        Compared(high, low, Interval(0.1, 0.0, 0.9))
    with pytest.raises(ValueError, match="its accuracy"):
        ProbeModel("x", {"AUROC": fits})
    with pytest.raises(ValueError, match="1 <= groups <= n"):
        LeakProbe((ProbeModel("x", {"accuracy": fits}),), n=3, groups=4, folds=2, notes=())
