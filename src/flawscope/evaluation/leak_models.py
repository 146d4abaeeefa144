"""The two models of the leak probe, and the folds that they are trained on. Neither needs tuning.

Shapes: n images, m images of a training fold, q images of a test fold, d features, c principal components, k classes,
f folds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flawscope.errors import SplitError
from flawscope.evaluation.intervals import IndexArray
from flawscope.records import BoolArray, FloatArray

COMPONENTS = 50
"""The small model sees at most so many principal components."""
ROWS = 1024
"""So many images at a time are compared with all of the training fold."""

Model = Callable[[FloatArray, BoolArray, FloatArray], FloatArray]
"""Features and truth of the training fold, and features of the test fold: to scores of the test fold, q x k."""


@dataclass(frozen=True)
class Folds:
    """The fold in which each image is tested, and n x f: which images are trained on for each fold.

    >>> Folds("random", np.array([0, 1, 1]), np.ones((3, 2), dtype=bool)).train_nf.tolist()
    [[False, True], [True, False], [True, False]]

    Raises:
        ValueError: `allowed_nf`, the images that may be trained on for each fold, is not boolean n x f.
        SplitError: fewer than two folds, an empty fold, or a fold with nothing to train on.
    """

    name: str
    fold_n: IndexArray
    allowed_nf: BoolArray

    def __post_init__(self) -> None:
        n, folds = len(self.fold_n), self.allowed_nf.shape[-1]
        if self.allowed_nf.shape != (n, folds) or self.allowed_nf.dtype != np.bool_ or self.fold_n.max() >= folds:
            raise ValueError(
                f"expected {n} x f booleans with f above {self.fold_n.max()}, got {self.allowed_nf.dtype} "
                f"{self.allowed_nf.shape}"
            )
        if not 2 <= folds <= n:
            raise SplitError(
                f"{n} images cannot be probed with {folds} folds", "2 folds up to one an image are possible"
            )
        for fold in range(folds):
            if not (self.fold_n == fold).any():
                raise SplitError(f"fold {fold} of the {self.name} split holds no image", "ask for fewer folds")
            if not self.train_nf[:, fold].any():
                raise SplitError(
                    f"when fold {fold} of the {self.name} split is tested, no image is left to train on",
                    "ask for more folds, or for smaller groups",
                )

    @property
    def others_nf(self) -> BoolArray:
        """The images of the other folds."""
        others_nf: BoolArray = self.fold_n[:, None] != np.arange(self.allowed_nf.shape[1])
        return others_nf

    @property
    def train_nf(self) -> BoolArray:
        """The images of the other folds that are allowed."""
        return self.others_nf & self.allowed_nf


def out_of_fold(model: Model, feature_nd: FloatArray, truth_nk: BoolArray, folds: Folds) -> FloatArray:
    """The scores of all images, n x k, each by the model that was trained for its fold."""
    score_nk = np.empty(truth_nk.shape, dtype=np.float64)
    for fold, train_n in enumerate(folds.train_nf.T):
        test_n = folds.fold_n == fold
        score_nk[test_n] = model(feature_nd[train_n], truth_nk[train_n], feature_nd[test_n])
    return score_nk


def nearest_neighbour(train_md: FloatArray, truth_mk: BoolArray, test_qd: FloatArray) -> FloatArray:
    """The truth of the most alike training image, q x k: cosine on features standardised over the training fold.

    Of several equally alike the first.

    >>> nearest_neighbour(np.array([[1.0, 0], [0, 1]]), np.array([[True], [False]]), np.array([[3.0, 1]])).tolist()
    [[1.0]]
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train_md)
    unit_md, unit_qd = _unit(scaler.transform(train_md)), _unit(scaler.transform(test_qd))
    starts = range(0, len(unit_qd), ROWS)
    nearest_q = np.concatenate([(unit_qd[start : start + ROWS] @ unit_md.T).argmax(axis=1) for start in starts])
    return np.asarray(truth_mk[nearest_q], dtype=np.float64)


def small_model(train_md: FloatArray, truth_mk: BoolArray, test_qd: FloatArray, *, seed: int) -> FloatArray:
    """Probability of each class, q x k: a logistic regression a class on the first principal components.

    Standardisation and components come from the training fold alone. A class that all training images show, or none,
    has the probability 1 or 0.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train_md)
    pca = PCA(n_components=min(COMPONENTS, *train_md.shape), random_state=seed)
    # Constant features, or a single image, have no variance to share out among the components.
    with np.errstate(invalid="ignore", divide="ignore"):
        train_mc = pca.fit_transform(scaler.transform(train_md))
    test_qc = pca.transform(scaler.transform(test_qd))
    probability_qk = np.empty((len(test_qd), truth_mk.shape[1]), dtype=np.float64)
    for c, truth_m in enumerate(truth_mk.T):
        if truth_m.all() or not truth_m.any():
            probability_qk[:, c] = truth_m[0]
        else:
            fitted = LogisticRegression(max_iter=1000).fit(train_mc, truth_m)
            probability_qk[:, c] = fitted.predict_proba(test_qc)[:, 1]
    return probability_qk


def _unit(row_nd: FloatArray) -> FloatArray:
    """Rows of length 1; a row of zeros stays."""
    length_n = np.linalg.norm(row_nd, axis=1, keepdims=True)
    return np.asarray(row_nd / np.where(length_n > 0, length_n, 1.0), dtype=np.float64)
