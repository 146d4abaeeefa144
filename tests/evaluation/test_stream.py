"""Measures of batches as they come, against scikit-learn on all of them at once."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference

from flawscope.evaluation.stream import COUNTED, RANKED, Stream

CUTS = ([], [1], [1, 2, 50], [99], list(range(1, 100)))


@pytest.mark.parametrize("cuts", CUTS, ids=len)
def test_any_batches_give_what_scikit_learn_gives_of_all(cuts: list[int]) -> None:
    rng = np.random.default_rng(0)
    truth_nk = rng.random((100, 3)) < (0.3, 0.5, 0.1)
    score_nk = np.round(rng.normal(size=(100, 3)) + truth_nk, 1).astype(np.float32)  # with ties
    flag_nk = score_nk > 0.5
    stream = Stream(3)
    for part in np.split(np.arange(100), cuts):
        stream.update(truth_nk[part], flag_nk[part], score_nk[part])
    pairs = list(zip(truth_nk.T, flag_nk.T, strict=True))
    expected = {
        "accuracy": [reference.accuracy_score(t, f) for t, f in pairs],
        "recall": [reference.recall_score(t, f) for t, f in pairs],
        "precision": [reference.precision_score(t, f) for t, f in pairs],
        "specificity": [reference.recall_score(~t, ~f) for t, f in pairs],
        "F1": [reference.f1_score(t, f) for t, f in pairs],
        "AUROC": reference.roc_auc_score(truth_nk, score_nk, average=None),
        "average precision": reference.average_precision_score(truth_nk, score_nk, average=None),
    }
    assert expected.keys() == COUNTED.keys() | RANKED.keys()
    for measure, values in expected.items():
        assert stream.of_classes(measure) == pytest.approx(list(values))
        assert stream.mean(measure) == pytest.approx(np.mean(values))
    assert (stream.n, stream.right) == (100, int((truth_nk == flag_nk).all(axis=1).sum()))
    with pytest.raises(ValueError, match="exactly one true"):
        _ = stream.confusion_matrix


def test_the_confusion_matrix_of_batches() -> None:
    rng = np.random.default_rng(0)
    true_n, decided_n = rng.integers(0, 4, (2, 60))
    stream = Stream(4)
    for part in np.split(np.arange(60), [7, 30]):
        stream.update(np.eye(4)[true_n[part]] > 0, np.eye(4)[decided_n[part]] > 0, np.eye(4)[decided_n[part]])
    assert stream.confusion_matrix.tolist() == reference.confusion_matrix(true_n, decided_n).tolist()


def test_what_is_not_defined() -> None:
    stream = Stream(2)
    assert np.isnan([*stream.of_classes("AUROC"), stream.mean("recall")]).all()
    stream.update(np.array([[True, False]]), np.array([[True, False]]), np.array([[1.0, 0.0]]))
    assert np.isnan(stream.of_classes("AUROC")).all()
    assert stream.mean("recall") == 1.0, "of the one class that is there"
    stream.update(np.array([[True, False]]), np.array([[True, True]]), np.array([[1.0, 0.0]]))
    assert stream.mean("F1") == 1.0, "as in the report, where F1 needs positives"


def test_a_batch_that_is_changed_afterwards_was_measured_as_it_was() -> None:
    stream, score = Stream(1), np.array([[0.0], [1.0]])
    stream.update(np.array([[False], [True]]), score > 0.5, score)
    score[:] = score[::-1].copy()
    assert stream.mean("AUROC") == 1.0


def test_batches_that_do_not_fit() -> None:
    flags = np.zeros((2, 2), np.bool_)
    for wrong in (np.zeros((2, 1), np.bool_), np.zeros((1, 2), np.bool_)):
        with pytest.raises(ValueError, match="expected three arrays b x 2"):
            Stream(2).update(flags, wrong, np.zeros((2, 2)))
