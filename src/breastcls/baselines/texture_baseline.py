"""The texture baselines of the BreakHis paper.

PFTAS, parameter-free threshold adjacency statistics (Coelho et al. 2010, DOI 10.1007/978-3-642-13131-8_2, after
Hamilton et al. 2007, DOI 10.1186/1471-2105-8-110): pixels above a threshold that the image sets itself are counted by
how many of their neighbours are above it. Spanhol et al. 2016 (DOI 10.1109/TBME.2015.2496264) used them with a
support vector machine and a random forest. Hyperparameters are chosen by case-wise folds within the training set.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterGrid, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from breastcls.baselines.baseline import Baseline, Classifier
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.errors import EvaluationError
from breastcls.images.image_features import Features
from breastcls.images.resize import Pixels

TEXTURE_FEATURES = 162
INNER_FOLDS = 3
TREES = 300
# Once every feature has mean 0 and variance 1, the gamma that scikit-learn calls "scale" is one over their count.
SVM_GRID: dict[str, list[Any]] = {
    "svc__C": [1.0, 10.0, 100.0],
    "svc__gamma": [factor / TEXTURE_FEATURES for factor in (0.25, 1.0, 4.0)],
}
FOREST_GRID: dict[str, list[Any]] = {"min_samples_leaf": [1, 3]}


def texture_features(image: Pixels) -> Features:
    """Return the PFTAS features of an image, 54 each of red, green and blue.

    Args:
        image: uint8 (height, width, 3).

    Returns:
        float64 (162,).

    Raises:
        EvaluationError: If mahotas is not installed.
    """
    try:
        from mahotas.features import pftas
    except ImportError as error:
        raise EvaluationError(
            "The texture baseline needs the package mahotas, which is not installed: "
            "`pip install 'breastcls[baselines]'`."
        ) from error
    # pftas writes into its argument.
    return np.asarray(pftas(image.copy()), dtype=np.float64)


def fit_svm(features: Features, train: Dataset, seed: int) -> Classifier:
    """Fit a support vector machine; its probabilities are calibrated on out-of-fold cases."""
    return _fit(make_pipeline(StandardScaler(), SVC(class_weight="balanced")), SVM_GRID, features, train, seed)


def fit_forest(features: Features, train: Dataset, seed: int) -> Classifier:
    """Fit a random forest; its probabilities are calibrated on out-of-fold cases."""
    forest = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=seed, n_jobs=-1)
    return _fit(forest, FOREST_GRID, features, train, seed)


def _fit(model: Any, grid: dict[str, list[Any]], features: Features, train: Dataset, seed: int) -> Classifier:
    method = "decision_function" if hasattr(model, "decision_function") else "predict_proba"
    best, scores = _choose(model, grid, features, train, seed, method)
    # Platt's scaling over case-wise folds. Every class has the same weight here as in the model itself: left to the
    # counts of images, it would decide for the class that has the most.
    scale = LogisticRegression(class_weight="balanced", C=1e6, max_iter=2000).fit(_columns(scores), train.labels)
    best.fit(features, train.labels)

    def classify(others: Features) -> Features:
        return cast("Features", scale.predict_proba(_columns(getattr(best, method)(others))))

    return classify


def _choose(
    model: Any, grid: dict[str, list[Any]], features: Features, train: Dataset, seed: int, method: str
) -> tuple[Any, Features]:
    """Return the model with the parameters of the best AUC over case-wise folds, and its scores on those folds."""
    labels = train.labels
    present = np.unique(labels)
    fewest = min(len(np.unique(train.cases[labels == index].astype(str))) for index in present)
    count = max(2, min(INNER_FOLDS, fewest))
    parts = assign_parts(train.cases, labels, train.classes, equal_fractions(count), seed=seed)
    folds = [(np.flatnonzero(parts != part), np.flatnonzero(parts == part)) for part in range(count)]
    best: tuple[float, Any, Features] | None = None
    for parameters in ParameterGrid(grid):
        candidate = clone(model).set_params(**parameters)
        scores = cross_val_predict(candidate, features, labels, cv=folds, method=method)
        reached = _mean_auc(scores, labels, present)
        # Of equal ones the first stays, so that nothing depends on rounding.
        if best is None or reached > best[0]:
            best = reached, candidate, scores
    assert best is not None
    return best[1], best[2]


def _mean_auc(scores: Features, labels: npt.NDArray[np.int64], present: npt.NDArray[np.int64]) -> float:
    if len(present) == 2:
        return float(roc_auc_score(labels == present[1], scores if scores.ndim == 1 else scores[:, 1]))
    return float(np.mean([roc_auc_score(labels == index, scores[:, place]) for place, index in enumerate(present)]))


def _columns(scores: Features) -> Features:
    """Return scores as columns: one for two classes, else one per class."""
    if scores.ndim == 2 and scores.shape[1] == 2:
        return scores[:, 1:]
    return scores[:, None] if scores.ndim == 1 else scores


TEXTURE_SVM = Baseline(
    "texture-svm",
    "Texture by PFTAS (Hamilton et al. 2007, DOI 10.1186/1471-2105-8-110), as in the paper of BreakHis (DOI "
    "10.1109/TBME.2015.2496264); support vector machine with an RBF kernel.",
    texture_features,
    fit_svm,
)
TEXTURE_FOREST = Baseline(
    "texture-forest",
    "The same texture; random forest (Breiman 2001, DOI 10.1023/A:1010933404324).",
    texture_features,
    fit_forest,
)
