"""`compare`: paired differences of several models on the same images.

All models are scored on the same resamples of cases, so that the difficulty of a case, which they share, cancels out of
the difference. P-values of several pairs are corrected by Holm's method. McNemar's test is only computed where each
case has one predicted class: images of one case are not independent trials.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.comparison.comparison import CORRECTED, Comparison
from breastcls.comparison.pairwise_tests import pairs_of, pairwise_tests, score_differences
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.limitations import NO_CASES, few_cases, find_limitations
from breastcls.intervals.metric_support import fewest_cases
from breastcls.intervals.minimum_cases import FEW_CASES, NO_VARIATION, REASONS
from breastcls.intervals.score_tables import count_units, score
from breastcls.metrics.classification_metrics import LOSSES, METRICS, compute_metrics
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.metrics.scorable_predictions import scored_predictions
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.unit_labels import scored_images

RESAMPLES = 2000
# So many per pair that ten are beyond the bound that Holm's method sets the smallest p at a confidence of 95%.
RESAMPLES_PER_PAIR = 400
# Smaller p-values are not written out: they depend on the tails of a distribution that no study shows.
SMALLEST_SHOWN = 0.001


def compare(
    models: Sequence[Any] | Mapping[str, Any],
    test: Dataset | None = None,
    *,
    metric: str = "balanced_accuracy",
    aggregation: Aggregation | Level = "image",
    bootstrap: Bootstrap | None = None,
    batch_size: int = 32,
) -> Comparison:
    """Compare two or more models on the same images.

    Args:
        models: A mapping from names, or a list (then named "A", "B", ...), of `Predictions`, of results that hold some
            (`Evaluation`, `CrossValidation`), of Keras models or of paths of `.keras` files. Predictions must be of the
            same images in the same order.
        test: The test images; required for models.
        metric: The metric of the verdicts, to be chosen before the results are seen.
        aggregation: Score by "image", or aggregate the images of each "slide" or "case" first; an `Aggregation` also
            states how.
        bootstrap: How confidence intervals are computed, from the same resamples for all models; its confidence is
            also that of the verdicts. Default: 2,000 resamples, and with more than five pairs 400 for each, since the
            correction for multiple comparisons needs the far tails.
        batch_size: Images per batch.

    Returns:
        The comparison; `print` shows it.

    Raises:
        EvaluationError: If there are fewer than two models, their predictions are not of the same images, or they are
            of training or validation images.
        LeakageError: If the card of a model lists a test case among its training cases.

    Warns:
        EvaluationWarning: If a class is scored on fewer than five cases, or cases are not known.

    Example:
        >>> import numpy as np
        >>> labels, cases = np.repeat([0, 1], 40), np.repeat(np.arange(20), 4).astype(str)
        >>> noise = np.random.default_rng(0).random((2, 80))
        >>> good, poor = (
        ...     Predictions.from_arrays(
        ...         probabilities=share * labels + (1 - share) * row, labels=labels, cases=cases, classes=("no", "yes"))
        ...     for share, row in zip((0.5, 0.0), noise))
        >>> found = compare({"good": good, "poor": poor}, bootstrap=Bootstrap(500))
        >>> print(found.verdicts[0].split(":")[0])
        good has a better balanced accuracy than poor
    """
    check_choice("metric", metric, METRICS, error=EvaluationError)
    by_name = _predict_all(_name_models(models), test, batch_size)
    names, predicted = list(by_name), list(by_name.values())
    pairs = pairs_of(len(names))
    # The tails that several pairs need are of the differences alone.
    of_models = bootstrap or Bootstrap(RESAMPLES)
    bootstrap = bootstrap or Bootstrap(max(RESAMPLES, RESAMPLES_PER_PAIR * len(pairs)))
    aggregation = Aggregation.of(aggregation)
    scored = [one.aggregate(aggregation) for one in predicted]
    counts = count_units(scored_images(predicted[0], aggregation))
    metrics = pd.concat([compute_metrics(one).rename(name) for one, name in zip(scored, names, strict=True)], axis=1)
    scores = pd.concat(
        {name: score(one, CaseStatistics.of(one), of_models) for name, one in zip(names, scored, strict=True)},
        names=["model", "metric"],
    )
    differences = score_differences(scored, metrics, scores, bootstrap)
    for message in (NO_CASES,) if predicted[0].cases is None else few_cases(counts):
        warnings.warn(message, EvaluationWarning, stacklevel=2)
    joined = () if aggregation.level == predicted[0].level else (aggregation.level,)
    by_model = [
        find_limitations(
            one,
            aggregated,
            pd.DataFrame({"value": metrics[name], "reason": _reasons_with(differences, name)}),
            counts,
            False,
            aggregation=aggregation,
            joined=joined,
        )
        for one, aggregated, name in zip(predicted, scored, names, strict=True)
    ]
    return Comparison(
        metrics=metrics,
        scores=scores,
        differences=differences,
        tests=pairwise_tests(scored, names),
        verdicts=tuple(
            _verdict(
                metrics[names[a]],
                metrics[names[b]],
                differences.xs((names[a], names[b], metric)),
                metric,
                bootstrap.confidence,
                len(pairs),
            )
            for a, b in pairs
        ),
        settings={
            "bootstrap": dataclasses.asdict(bootstrap),
            "aggregation": dataclasses.asdict(aggregation),
            "metric": metric,
        },
        counts=counts,
        limitations=_merge_limitations(by_model, names) + _limitations_of_pairs(scored[0], len(pairs), bootstrap),
    )


def _name_models(models: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Return the models by name: of a list "A", "B", ..."""
    if not isinstance(models, (Mapping, Sequence)) or isinstance(models, str) or len(models) < 2:
        raise EvaluationError(
            "`models` must be a list, or a mapping from names, of two or more models or predictions to compare; it is "
            f"a {type(models).__name__}{f' of {len(models)}' if isinstance(models, (list, tuple, Mapping)) else ''}."
        )
    if isinstance(models, Mapping):
        return {str(name): model for name, model in models.items()}
    return {chr(ord("A") + index): model for index, model in enumerate(models)}


def _predict_all(models: Mapping[str, Any], test: Dataset | None, batch_size: int) -> dict[str, Predictions]:
    """Return the predictions of every model, checked that they are of the same images."""
    predicted = {name: _predictions_of(model, test, batch_size) for name, model in models.items()}
    (first_name, first), *others = predicted.items()
    for name, other in others:
        if first.level != other.level:
            raise EvaluationError(
                f"{first_name} is predicted by {first.level}, {name} by {other.level}; compare one level."
            )
        for field in ("labels", "cases", "slides", "paths"):
            own, theirs = getattr(first, field), getattr(other, field)
            if own is not None and theirs is not None and not np.array_equal(own, theirs):
                raise EvaluationError(
                    f"The {field} of {name} differ from those of {first_name}: compare predictions of the same images "
                    "in the same order."
                )
        if first.classes != other.classes or len(first) != len(other) or (first.cases is None) != (other.cases is None):
            raise EvaluationError(f"The classes or cases of {name} differ from those of {first_name}.")
    return predicted


def _predictions_of(model: Any, test: Dataset | None, batch_size: int) -> Predictions:
    held = getattr(model, "predictions", None)
    return scored_predictions(held if isinstance(held, Predictions) else model, test, batch_size)


def _reasons_with(differences: pd.DataFrame, name: str) -> pd.Series:
    """Return why differences of the first pair with this model have no confidence interval, by metric."""
    first, second = next((a, b) for a, b, _ in differences.index if name in (a, b))
    of_pair = (differences.index.get_level_values("first") == first) & (
        differences.index.get_level_values("second") == second
    )
    reasons: pd.Series = differences.loc[of_pair, "reason"].droplevel(["first", "second"])
    # Models that agree have no difference to vary, which says nothing of each.
    return reasons.where(reasons != NO_VARIATION, "")


def _merge_limitations(by_model: Sequence[tuple[str, ...]], names: Sequence[str]) -> tuple[str, ...]:
    """Return the limitations that all models share once, and the others with the name of the model."""
    shared = [limitation for limitation in by_model[0] if all(limitation in found for found in by_model)]
    own = [
        f"{name}: {limitation}"
        for name, found in zip(names, by_model, strict=True)
        for limitation in found
        if limitation not in shared
    ]
    return (*shared, *own)


def _limitations_of_pairs(scored: Predictions, pairs: int, bootstrap: Bootstrap) -> tuple[str, ...]:
    found = []
    if fewest_cases(CaseStatistics.of(scored, rank=False).holds) < FEW_CASES:
        found.append(
            f"Of metrics that depend on a class of fewer than {FEW_CASES} cases there are no p-values: those of the "
            "bootstrap and of DeLong's test would be too small. There is no confidence interval of a difference where "
            "a value has none."
        )
    if pairs > 1:
        found.append(f"{CORRECTED} for {pairs} pairs by Holm's method; low, high and p are not corrected.")
    if bootstrap.resamples < RESAMPLES_PER_PAIR * pairs:
        found.append(
            f"{bootstrap.resamples} resamples are few for {pairs} {'pair' if pairs == 1 else 'pairs'}: p-values below "
            f"{0.05 / pairs:.2g} are computed from fewer than ten of them. Use "
            f"`bootstrap=Bootstrap({RESAMPLES_PER_PAIR * pairs})` or more."
        )
    return tuple(found)


def _verdict(first: pd.Series, second: pd.Series, row: Any, metric: str, confidence: float, pairs: int) -> str:
    a, b, name = str(first.name), str(second.name), metric_title(metric)
    if np.isnan(row["difference"]):
        return f"{a} and {b} cannot be compared by {name}: it is not defined on these cases."
    if np.isnan(row["low"]):
        numbers = f"{first[metric]:.3f} and {second[metric]:.3f}"
        return (
            f"Whether {a} and {b} differ in {name} is not estimable: {numbers}, but there is no confidence interval of "
            f"the difference, since {REASONS[row['reason']]}."
        )
    numbers = f"{first[metric]:.3f} and {second[metric]:.3f}, difference {row['difference']:.3f}"
    if np.isnan(row["p"]):
        interval = f"{100 * confidence:g}% CI {row['low']:.3f} to {row['high']:.3f}"
        return f"The cases are too few to show whether {a} and {b} differ in {name}: {numbers} ({interval})."
    shown = [row["low"], row["high"]] if pairs == 1 else [row["low_adjusted"], row["high_adjusted"]]
    correction = "" if pairs == 1 else f", both corrected for {pairs} pairs"
    interval = f"{100 * confidence:g}% CI {shown[0]:.3f} to {shown[1]:.3f}, {_p_in_words(row['p_holm'])}{correction}"
    outside = row["low_adjusted"] > 0 or row["high_adjusted"] < 0
    if not (outside and row["p_holm"] < 1 - confidence):
        return f"No significant difference in {name} between {a} and {b}: {numbers} ({interval})."

    better, worse = (a, b) if (row["difference"] > 0) != (metric in LOSSES) else (b, a)
    return f"{better} has a better {name} than {worse}: {numbers} ({interval})."


def _p_in_words(value: float) -> str:
    return f"p = {value:.2g}" if not value < SMALLEST_SHOWN else f"p < {SMALLEST_SHOWN:g}"
