"""What texture alone reaches: the classical baseline of the BreakHis paper.

PFTAS, parameter-free threshold adjacency statistics (Coelho et al. 2010, DOI 10.1007/978-3-642-13131-8_2, after
Hamilton et al. 2007, DOI 10.1186/1471-2105-8-110): pixels above a threshold that the image sets itself are counted by
how many neighbours lie above it too. Spanhol et al. 2016 (DOI 10.1109/TBME.2015.2496264) put them before a support
vector machine and a random forest. Whatever is chosen here is chosen by folds over the cases of the training set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

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

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.splitting import assign_parts, equal_fractions
from breastcls.errors import EvaluationError
from breastcls.images.resize import Pixels
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
TEXTURE_NUMBERS = 162
INNER_FOLDS = 3
TREES = 300
# Once every number has mean 0 and variance 1, the gamma that scikit-learn calls "scale" is one over their count.
SVM_GRID: dict[str, list[Any]] = {
    "svc__C": [1.0, 10.0, 100.0],
    "svc__gamma": [factor / TEXTURE_NUMBERS for factor in (0.25, 1.0, 4.0)],
}
FOREST_GRID: dict[str, list[Any]] = {"min_samples_leaf": [1, 3]}


def texture_numbers(image: Pixels) -> Floats:
    """Return the PFTAS numbers of an image: 54 each of red, green and blue.

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
    # It writes into what it is given.
    return np.asarray(pftas(image.copy()), dtype=np.float64)


def predict_by_texture(
    train: Dataset, test: Dataset, classifier: Literal["svm", "forest"] = "svm", *, seed: int = 0
) -> Predictions:
    """Fit the texture baseline on `train` and return its predictions of `test`.

    It needs mahotas: `pip install 'breastcls[baselines]'`.

    Args:
        train: Images to learn from, of at least two cases of every class: C and gamma of the support vector machine, or
            the leaf size of the forest, are those with the best AUC over case-wise folds within them.
        test: Images to judge; the same classes.
        classifier: "svm", with an RBF kernel, or "forest".
        seed: Of the folds and of the forest. The same seed gives the same predictions.

    Returns:
        Predictions in the order of `test`. Classes count alike, however many images each has.

    Raises:
        EvaluationError: If mahotas is not installed, the classes differ, or `train` holds one class only.
        SplitError: If a class has fewer than two cases in `train`.
        ImageError: If an image cannot be read.

    Example:
        >>> evaluate(predict_by_texture(train, test))  # doctest: +SKIP
    """
    from breastcls.baselines.baseline_registry import predict_by_baseline

    if classifier not in ("svm", "forest"):
        raise EvaluationError(f'`classifier` is {classifier!r}; expected "svm" or "forest".')
    return predict_by_baseline(f"texture-{classifier}", train, test, seed=seed)


def learn_svm(numbers: Floats, train: Dataset, seed: int) -> Callable[[Floats], Floats]:
    """Return a support vector machine; its probabilities were fitted on cases that it had not seen."""
    return _learn(make_pipeline(StandardScaler(), SVC(class_weight="balanced")), SVM_GRID, numbers, train, seed)


def learn_forest(numbers: Floats, train: Dataset, seed: int) -> Callable[[Floats], Floats]:
    """Return a random forest; its probabilities were fitted on cases that it had not seen."""
    forest = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=seed, n_jobs=-1)
    return _learn(forest, FOREST_GRID, numbers, train, seed)


def _learn(
    model: Any, grid: dict[str, list[Any]], numbers: Floats, train: Dataset, seed: int
) -> Callable[[Floats], Floats]:
    method = "decision_function" if hasattr(model, "decision_function") else "predict_proba"
    best, scores = _choose(model, grid, numbers, train, seed, method)
    # Platt's scaling over case-wise folds. Every class has the same weight here as in the model itself: left to the
    # counts of images, it would decide for the class that has the most.
    scale = LogisticRegression(class_weight="balanced", C=1e6, max_iter=2000).fit(_columns(scores), train.labels)
    best.fit(numbers, train.labels)

    def classify(others: Floats) -> Floats:
        return cast("Floats", scale.predict_proba(_columns(getattr(best, method)(others))))

    return classify


def _choose(
    model: Any, grid: dict[str, list[Any]], numbers: Floats, train: Dataset, seed: int, method: str
) -> tuple[Any, Floats]:
    """Return the model with the parameters of the best AUC over case-wise folds, and its scores on those folds."""
    labels = train.labels
    present = np.unique(labels)
    fewest = min(len(np.unique(train.cases[labels == index].astype(str))) for index in present)
    count = max(2, min(INNER_FOLDS, fewest))
    parts = assign_parts(train.cases, labels, train.classes, equal_fractions(count), seed=seed)
    folds = [(np.flatnonzero(parts != part), np.flatnonzero(parts == part)) for part in range(count)]
    best: tuple[float, Any, Floats] | None = None
    for parameters in ParameterGrid(grid):
        candidate = clone(model).set_params(**parameters)
        scores = cross_val_predict(candidate, numbers, labels, cv=folds, method=method)
        reached = _mean_auc(scores, labels, present)
        # Of equal ones the first stays, so that nothing hangs on rounding.
        if best is None or reached > best[0]:
            best = reached, candidate, scores
    assert best is not None
    return best[1], best[2]


def _mean_auc(scores: Floats, labels: npt.NDArray[np.int64], present: npt.NDArray[np.int64]) -> float:
    if len(present) == 2:
        return float(roc_auc_score(labels == present[1], scores if scores.ndim == 1 else scores[:, 1]))
    return float(np.mean([roc_auc_score(labels == index, scores[:, place]) for place, index in enumerate(present)]))


def _columns(scores: Floats) -> Floats:
    """Return scores as columns: one for two classes, else one a class."""
    if scores.ndim == 2 and scores.shape[1] == 2:
        return scores[:, 1:]
    return scores[:, None] if scores.ndim == 1 else scores
