"""Comparing models on the same test images, with what can and what cannot be said.

The same cases are drawn for every model, so that what makes a case hard for all of them cancels out. Who asks several
questions is corrected for it by Holm's method. McNemar's test is only given where each case gives one decision: images
of one case are not independent trials.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from breastcls.comparison.pairwise_tests import enough_for_delong, pairs_of, pairwise_tests, score_differences
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.files import write_text
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import NO_CASES, few_cases, find_limitations
from breastcls.intervals.score_tables import count_units
from breastcls.intervals.table_export import to_latex, to_markdown
from breastcls.json_values import to_json_values
from breastcls.metrics.classification_metrics import LOSSES, METRICS, compute_metrics
from breastcls.metrics.metric_titles import metric_title
from breastcls.metrics.scorable_predictions import scored_predictions
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.unit_labels import scored_images
from breastcls.result import Result

COMPARED = ("balanced_accuracy", "roc_auc", "average_precision", "f1", "mcc", "brier", "log_loss")
RESAMPLES = 2000
# So many for each pair that ten lie beyond the bound that Holm's method sets the smallest p at a confidence of 95%.
RESAMPLES_A_PAIR = 400


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """What `compare` found.

    Attributes:
        metrics: Every metric of every model: index metric, one column a model.
        differences: One row a pair of models and metric (`first`, `second`, `metric`), columns `difference` (first
            less second), `low`, `high` (of this difference by itself), `p` (paired bootstrap over cases, below 0.05
            where the 95% interval leaves out 0) and `p_holm` (corrected for all pairs within the metric).
        tests: One row a pair (`first`, `second`): `delong_p` and `delong_p_holm` of the AUC (over cases; two classes of
            five cases or more), and `mcnemar_p` and `mcnemar_p_holm` of the decisions (where each case gives one); NaN
            where not defined.
        verdicts: One sentence a pair.
        settings: `bootstrap`, `aggregation`, `metric` (of the verdicts).
        counts: What was scored, as `Evaluation.counts`.
        limitations: Plain sentences on what to keep in mind with these numbers.
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    tests: pd.DataFrame
    verdicts: tuple[str, ...]
    settings: dict[str, Any]
    counts: dict[str, Any]
    limitations: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = self.metrics.loc[list(COMPARED)].round(3)
        lines = [shown.to_string(na_rep="-"), "", *self.verdicts]
        if self.limitations:
            lines += ["", "Keep in mind", *(f"  - {limitation}" for limitation in self.limitations)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON; NaN becomes None."""
        plain = {}
        for name in ("metrics", "differences", "tests"):
            table = getattr(self, name).reset_index()
            plain[name] = table.astype(object).where(table.notna(), None).to_dict("records")
        return {
            **plain,
            "verdicts": list(self.verdicts),
            "settings": dict(self.settings),
            "counts": to_json_values(self.counts),
            "limitations": list(self.limitations),
        }

    def to_markdown(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "differences", digits: int = 3
    ) -> str:
        """Return a table as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            table: "metrics", "differences" or "tests".
            digits: Decimals.

        Raises:
            EvaluationError: If there is no such table.
            OutputError: If it cannot be written.
        """
        from breastcls.comparison.comparison_tables import comparison_table

        return _written(to_markdown(comparison_table(self, table, digits=digits), digits=digits), path)

    def to_latex(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "differences", digits: int = 3
    ) -> str:
        """Return a table as LaTeX for the package booktabs; see `to_markdown`."""
        from breastcls.comparison.comparison_tables import comparison_table

        return _written(to_latex(comparison_table(self, table, digits=digits), digits=digits), path)


def compare(
    models: Sequence[Any],
    test: Dataset | None = None,
    *,
    names: Sequence[str] | None = None,
    metric: str = "balanced_accuracy",
    aggregation: Aggregation | Level = "image",
    bootstrap: Bootstrap | None = None,
    batch_size: int = 32,
) -> Comparison:
    """Compare two or more models, or their predictions, on the same images.

    Args:
        models: Keras models, paths of `.keras` files, or `Predictions` of the same images in the same order.
        test: The images, where models are to predict them.
        names: What to call the models; default: "A", "B", ...
        metric: The metric that the verdicts are about, chosen before looking.
        aggregation: Score by "image", or aggregate the images of each "slide" or "case" first; an `Aggregation` also
            states how.
        bootstrap: How confidence intervals are computed, from the same resamples for all models; its confidence is
            also that of the verdicts. Default: 2,000 resamples, and with more than five pairs 400 for each, since the
            correction for multiple comparisons needs the far tails.
        batch_size: Images at a time.

    Returns:
        The comparison; print it.

    Raises:
        EvaluationError: If there are fewer than two models, their predictions are not of the same images, or they are
            of training or validation images.
        LeakageError: If a model says that it was trained on a test case.

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
        >>> found = compare([good, poor], names=["good", "poor"], bootstrap=Bootstrap(500))
        >>> print(found.verdicts[0].split(":")[0])
        good has the better balanced accuracy than poor
    """
    predicted, called = _gather(models, test, names, batch_size)
    if metric not in METRICS:
        raise EvaluationError(f"`metric` is {metric!r}; expected one of {', '.join(METRICS)}.")
    pairs = pairs_of(len(called))
    bootstrap = bootstrap or Bootstrap(max(RESAMPLES, RESAMPLES_A_PAIR * len(pairs)))
    aggregation = Aggregation.of(aggregation)
    scored = [one.aggregate(aggregation) for one in predicted]
    counts = count_units(scored_images(predicted[0], aggregation))
    metrics = pd.concat([compute_metrics(one).rename(name) for one, name in zip(scored, called, strict=True)], axis=1)
    differences = score_differences(scored, metrics, bootstrap)
    for message in (NO_CASES,) if predicted[0].cases is None else few_cases(counts):
        warnings.warn(message, EvaluationWarning, stacklevel=2)
    joined = () if aggregation.level == predicted[0].level else (aggregation.level,)
    by_model = [
        find_limitations(
            one,
            aggregated,
            pd.DataFrame({"value": metrics[name], "low": _bounds_with(differences, name)}),
            counts,
            False,
            aggregation=aggregation,
            joined=joined,
        )
        for one, aggregated, name in zip(predicted, scored, called, strict=True)
    ]
    return Comparison(
        metrics=metrics,
        differences=differences,
        tests=pairwise_tests(scored, called),
        verdicts=tuple(
            _verdict(
                metrics[called[a]],
                metrics[called[b]],
                differences.xs((called[a], called[b], metric)),
                metric,
                bootstrap.confidence,
            )
            for a, b in pairs
        ),
        settings={
            "bootstrap": dataclasses.asdict(bootstrap),
            "aggregation": dataclasses.asdict(aggregation),
            "metric": metric,
        },
        counts=counts,
        limitations=_merge_limitations(by_model, called) + _limitations_of_pairs(scored[0], len(pairs), bootstrap),
    )


def _gather(
    models: Sequence[Any], test: Dataset | None, names: Sequence[str] | None, batch_size: int
) -> tuple[list[Predictions], list[str]]:
    if isinstance(models, (str, Predictions)) or len(models) < 2:
        raise EvaluationError("Give two or more models or predictions to compare.")
    called = [chr(ord("A") + index) for index in range(len(models))] if names is None else [str(name) for name in names]
    if len(called) != len(models) or len(set(called)) != len(called):
        raise EvaluationError(f"`names` must be {len(models)} different names; found {called}.")
    predicted = [scored_predictions(model, test, batch_size) for model in models]
    first = predicted[0]
    for name, other in zip(called[1:], predicted[1:], strict=True):
        for field in ("labels", "cases", "slides", "paths"):
            own, theirs = getattr(first, field), getattr(other, field)
            if own is not None and theirs is not None and not np.array_equal(own, theirs):
                raise EvaluationError(
                    f"The {field} of {name} are not those of {called[0]}: compare on the same images."
                )
        if first.classes != other.classes or len(first) != len(other) or (first.cases is None) != (other.cases is None):
            raise EvaluationError(f"The classes or cases of {name} are not those of {called[0]}.")
    return predicted, called


def _bounds_with(differences: pd.DataFrame, name: str) -> pd.Series:
    """Return the lower bounds of the first pair that a model is in, by metric."""
    first, second = next((a, b) for a, b, _ in differences.index if name in (a, b))
    bounds: pd.Series = differences["low"].xs((first, second))
    return bounds


def _merge_limitations(by_model: Sequence[tuple[str, ...]], called: Sequence[str]) -> tuple[str, ...]:
    """Return what holds of all models once, and of the rest of which model it does."""
    shared = [limitation for limitation in by_model[0] if all(limitation in found for found in by_model)]
    own = [
        f"{name}: {limitation}"
        for name, found in zip(called, by_model, strict=True)
        for limitation in found
        if limitation not in shared
    ]
    return (*shared, *own)


def _limitations_of_pairs(scored: Predictions, pairs: int, bootstrap: Bootstrap) -> tuple[str, ...]:
    found = []
    if len(scored.classes) == 2 and not enough_for_delong(scored):
        found.append(
            "DeLong's test is not given: with fewer than five cases of a class its p-values are too small. Those of "
            "the differences allow for few cases."
        )
    if pairs > 1:
        found.append(
            f"Each interval is for one difference by itself; p_holm allows for there being {pairs} pairs, and so do "
            "the verdicts."
        )
    if bootstrap.resamples < RESAMPLES_A_PAIR * pairs:
        found.append(
            f"{bootstrap.resamples} resamples are few for {pairs} {'pair' if pairs == 1 else 'pairs'}: p-values below "
            f"{0.05 / pairs:.2g} rest on less than ten of them. Give "
            f"`bootstrap=Bootstrap({RESAMPLES_A_PAIR * pairs})` or more."
        )
    return tuple(found)


def _verdict(first: pd.Series, second: pd.Series, row: Any, metric: str, confidence: float) -> str:
    a, b, name = str(first.name), str(second.name), metric_title(metric)
    if np.isnan(row["difference"]) or np.isnan(row["low"]):
        return f"{a} and {b} cannot be compared by {name}: it, or its interval, is not defined on these cases."
    numbers = f"{first[metric]:.3f} against {second[metric]:.3f}, difference {row['difference']:.3f}"
    interval = f"{100 * confidence:g}% interval {row['low']:.3f} to {row['high']:.3f}, p = {row['p_holm']:.2g}"
    outside = row["low"] > 0 or row["high"] < 0
    if not (outside and row["p_holm"] < 1 - confidence):
        return f"No difference in {name} shown between {a} and {b}: {numbers} ({interval}). There may still be one."

    better, worse = (a, b) if (row["difference"] > 0) != (metric in LOSSES) else (b, a)
    return f"{better} has the better {name} than {worse}: {numbers} ({interval})."


def _written(text: str, path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        write_text(path, text)
    return text
