"""`permutation_test`: how a cross-validation scores where labels carry no information."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_choice, check_count
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_dataset
from breastcls.datasets.image_rows import Unit
from breastcls.errors import EvaluationWarning, LeakageWarning, TrainingError
from breastcls.experiments.fold_models import build_new_model, check_build, check_trainings
from breastcls.experiments.fold_plan import FoldPlan
from breastcls.experiments.fold_pooling import audit_folds, pool_predictions
from breastcls.experiments.fold_runner import RunOptions, run_folds
from breastcls.experiments.fold_scores import FoldScorer, score_pooled_and_folds
from breastcls.experiments.fold_trainer import FitTrainer
from breastcls.experiments.label_permutation import (
    NULLS,
    Permute,
    check_strata,
    choose_level,
    choose_permutation,
    count_permutations,
    permute_labels,
)
from breastcls.experiments.logistic_head import LogisticHead
from breastcls.experiments.permutation_result import PermutationTest
from breastcls.experiments.probe_folds import divide_again, score_in_batches
from breastcls.features.exact_head import find_linear_head
from breastcls.features.feature_store import read_features
from breastcls.intervals.score_tables import count_units
from breastcls.metrics.classification_metrics import METRICS
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import split_model
from breastcls.models.vector_input import vector_size
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.training.fit_settings import FitSettings
from breastcls.training.vector_training import settle_settings

Score = Callable[[npt.NDArray[np.int64]], tuple[float, float]]


def permutation_test(
    build: Callable[[], keras.Model],
    data: Dataset,
    *,
    metric: str = "roc_auc",
    aggregation: Aggregation | Level | None = None,
    permutations: int = 200,
    permute: Permute | None = None,
    strata: str | None = None,
    folds: int = 5,
    by: Unit = "case",
    val_fraction: float = 0.0,
    seed: int = 0,
    workers: int | None = None,
    **fit_options: Any,
) -> PermutationTest:
    """Repeat a cross-validation with permuted labels, and compare its score with theirs.

    With few cases the score of a cross-validation that has learned nothing is not 0.5: leaving a case out shifts the
    class means of the training part away from it, so that pooled predictions rank below chance on average (Parker et
    al. 2007, DOI 10.1186/1471-2105-8-326; Airola et al. 2011, DOI 10.1016/j.csda.2010.11.018), and single results vary
    widely. The null distribution shows where chance is for this procedure, these images and these cases.

    Everything that depends on labels is repeated: the folds, the class weights, the penalty, the training. Features of
    a frozen backbone do not depend on labels. With `frozen_head="lbfgs", fine_tune=False` they are computed once: for
    571 images with 256 features a permutation takes a twentieth of a second on one processor, and 200 some seconds on
    two. All other settings train by `fit`, `folds` times for each permutation.

    Args:
        build: Makes an untrained model, as in `cross_validate`.
        data: All images.
        metric: The metric that is tested, one of `Evaluation.metrics`.
        aggregation: Score by "image", "slide" or "case"; default: by case, or by image where cases hold several
            classes.
        permutations: Number of permutations m; the smallest p-value is 1 / (m + 1).
        permute: "cases": labels are permuted over whole cases; "within-cases": over the images of each case. Default:
            "within-cases" where most cases hold several classes, as in IDC. The null hypothesis that is tested differs,
            and is stated in the result.
        strata: A column of the data, such as "magnification": labels are permuted over cases of the same value only.
        folds: Number of folds.
        by: As in `cross_validate`.
        val_fraction: As in `cross_validate`.
        seed: Of the folds, the trainings and the permutations.
        workers: Threads, where features are kept; default: one per processor. The result does not depend on it.
        **fit_options: As in `cross_validate`.

    Returns:
        The observed score, the null distribution and the p-value; print or plot it.

    Raises:
        TrainingError: If an argument is not valid, or the labels cannot be permuted so.
        SplitError: If the folds cannot be made.
        LeakageError: If the folds share files, pixels or vectors.
        ImageError: If an image cannot be read.

    Example:
        >>> build = lambda: build_model("mobilenet", classes=data.classes)  # doctest: +SKIP
        >>> found = permutation_test(  # doctest: +SKIP
        ...     build, data, frozen_head="lbfgs", fine_tune=False, augment="none")
        >>> print(found)  # doctest: +SKIP
    """
    require_dataset("data", data)
    check_build(build)
    check_trainings(
        "permutation_test", fit_options, val_fraction=val_fraction, seed=seed, run_dir=None, resume=False, tta=None
    )
    check_choice("metric", metric, METRICS, error=TrainingError)
    check_count("permutations", permutations, error=TrainingError)
    labels, cases = data.labels, data.cases
    how = choose_permutation(labels, cases, permute)
    groups = _strata_of(data, strata, how)
    level = choose_level(how, aggregation)
    plan = FoldPlan(folds, by, seed, val_fraction)
    parts, _ = plan.divide(data)
    audit_folds(parts).raise_if_leaking(allowed=plan.divides_cases, has_argument=False)
    settings = FitSettings.of({**{k: v for k, v in fit_options.items() if k != "callbacks"}, "seed": seed})
    model = build_new_model(build, seed)
    settings = settle_settings(model, settings)
    kept = _keep_features(model, data, settings, val_fraction)
    generators = np.random.default_rng(seed).spawn(permutations)
    drawn = [permute_labels(labels, cases, how, one, groups) for one in generators]
    if kept is not None:
        head = LogisticHead(*kept, data.classes, cases, settings.class_weight, seed)
        scorer = FoldScorer(data.classes, cases, data.slides, metric, level)
        divided = divide_again(data, [labels, *drawn], folds, by, seed)
        observed, *scores = score_in_batches(head, scorer, divided, workers)
    else:
        score = _refit(build, data, plan, fit_options, metric, level)
        observed = score(labels)
        scores = [score(one) for one in drawn]
    return PermutationTest(
        metric=metric,
        observed={"pooled": observed[0], "mean_over_folds": observed[1]},
        null={"pooled": tuple(one[0] for one in scores), "mean_over_folds": tuple(one[1] for one in scores)},
        null_hypothesis=NULLS[how].format(within="" if strata is None else f" among cases of the same {strata}"),
        counts=count_units(predictions_of(data, np.full((len(data), len(data.classes)), 1 / len(data.classes)))),
        distinct=count_permutations(labels, cases, how, groups),
        settings={
            "folds": folds, "by": by, "seed": seed, "permute": how, "strata": strata, "level": level.level,
            "val_fraction": val_fraction, "features_kept": kept is not None,
        },
    )  # fmt: skip


def _strata_of(data: Dataset, strata: str | None, permute: Permute) -> npt.NDArray[np.object_] | None:
    if strata is None:
        return None
    if permute == "within-cases":
        raise TrainingError("Labels are permuted within cases, which are the strata already: leave out `strata`.")
    if strata not in data.table.columns:
        raise TrainingError(f"strata is {strata!r}; the data has the columns {', '.join(data.table.columns)}.")
    groups: npt.NDArray[np.object_] = data.table[strata].to_numpy(dtype=object)
    check_strata(groups, data.cases)
    return groups


def _keep_features(
    model: keras.Model, data: Dataset, settings: FitSettings, val_fraction: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """Return features to train on, (versions, n, d), and to predict from, (n, d); None if trainings change them."""
    card = get_card(model)
    stained = settings.preprocessing.stain is not None or (card is not None and card.stain is not None)
    exact = settings.frozen_head.solver == "lbfgs" and settings.fine_tune is False
    if not exact or stained or val_fraction > 0 or settings.sampling is not None:
        return None
    find_linear_head(model)
    frozen, _ = split_model(model)
    options: dict[str, Any] = {
        "image_size": None if vector_size(model) is not None else tuple(model.input_shape[1:3]),
        "resize": settings.preprocessing.resize or (None if card is None else card.resize) or "stretch",
        "precision": "auto" if settings.devices.precision == "float16" else settings.devices.precision,
        "progress": False,
    }
    test = read_features(frozen, data, **options)
    versions = settings.frozen_head.feature_versions
    if versions is None or settings.augment in ("none", None):
        return test, test[0]
    train = read_features(frozen, data, augment=settings.augment, versions=versions, seed=settings.seed, **options)
    return train, test[0]


def _refit(
    build: Callable[[], keras.Model],
    data: Dataset,
    plan: FoldPlan,
    fit_options: dict[str, Any],
    metric: str,
    level: Aggregation,
) -> Score:
    """Return a function that trains on all folds with other labels, and scores the predictions."""
    names = np.array(data.classes, dtype=object)

    def score(labels: npt.NDArray[np.int64]) -> tuple[float, float]:
        permuted = dataclasses.replace(data, frame=data.table.assign(label=names[labels]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeakageWarning)
            warnings.simplefilter("ignore", EvaluationWarning)
            parts, fold_of = plan.divide(permuted)
            trainer = FitTrainer(build, fit_options, plan.seed, allow_leakage=plan.divides_cases)
            results = run_folds(parts, trainer, RunOptions(plan.seed, None, False, False))
        return score_pooled_and_folds(pool_predictions(results, permuted), fold_of, metric, level)

    return score
