"""`compare_pooling`: attention over the images of a case against their mean, judged by case on the same folds."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.comparison.compare_models import compare
from breastcls.comparison.comparison import Comparison
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.datasets.leakage import LeakageReport
from breastcls.errors import EvaluationError, TrainingError
from breastcls.experiments.case_pooling.attention_pooling import POOLINGS
from breastcls.experiments.case_pooling.case_bags import make_bags
from breastcls.experiments.case_pooling.case_model import (
    PENALTIES,
    CaseModel,
    check_pooling_arguments,
    fit_case_model,
)
from breastcls.experiments.cross_validation import make_folds
from breastcls.experiments.fold_pooling import audit_folds
from breastcls.experiments.fold_scores import one_metric
from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.score_values import interval_text
from breastcls.json_values import table_to_dict
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_number
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import format_count, limitation_lines, wide_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("roc_auc", "balanced_accuracy", "log_loss")


@dataclass(frozen=True, eq=False, repr=False)
class PoolingComparison(Result):
    """The result of `compare_pooling`.

    Attributes:
        table: One row per pooling: for the ROC AUC, the balanced accuracy and the log loss of the cases `x`, `x_low`,
            `x_high` (pooled over folds, with a confidence interval over cases), `x_folds` (mean over the folds in which
            it is defined), and against the mean `x_difference`, `x_difference_low`, `x_difference_high` (paired).
        comparison: The same predictions compared by `breastcls.compare`, with every metric and p-values.
        predictions: By pooling, one row per case, each predicted by a model that was not fitted on it.
        attention: One row per image and pooling: `pooling`, `path`, `case`, `fold`, `weight` and `relative_weight`, of
            the model that was not fitted on the case.
        penalties: By pooling, the penalty of each fold.
        settings: `folds`, `seed`, `hidden` and the `penalties` to choose from.
        leakage: What the folds share.
    """

    table: pd.DataFrame
    comparison: Comparison
    predictions: Mapping[str, Predictions]
    attention: pd.DataFrame
    penalties: Mapping[str, tuple[float, ...]]
    settings: Mapping[str, Any]
    leakage: LeakageReport

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One sentence per pooling: whether it is better than the mean."""
        return tuple(_verdict(str(name), row) for name, row in self.table.iterrows() if name != "mean")

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences to read with the values."""
        return self.comparison.limitations

    def __str__(self) -> str:
        lines = [f"{self._headline()}.", "", wide_table(self._rows()), "", *self.verdicts]
        return "\n".join([*lines, *limitation_lines(self.limitations)])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return (
            html_paragraph(f"{self._headline()}.")
            + html_table(self._rows())
            + html_list("Verdicts", self.verdicts)
            + html_list("Limitations", self.limitations)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values."""
        return {
            "settings": dict(self.settings),
            "table": table_to_dict(self.table),
            "verdicts": list(self.verdicts),
            "penalties": {name: list(values) for name, values in self.penalties.items()},
            "comparison": self.comparison.to_dict(),
            "limitations": list(self.limitations),
        }

    def plot_case(
        self,
        case: str,
        path: str | os.PathLike[str] | None = None,
        *,
        pooling: str = "gated-attention",
        count: int = 24,
        dpi: int = 150,
    ) -> Figure:
        """Draw the images of a case in the order of their attention, tinted by it; save the figure.

        Args:
            case: The case.
            path: Where to save, as `.svg`, `.png` or `.pdf`; None to save nothing.
            pooling: Whose attention.
            count: Most images that are drawn: those of the largest weights.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there is no such case or pooling.
            ImageError: If an image cannot be read, as of vectors without image files.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import save_figure
        from breastcls.experiments.case_pooling.attention_figure import draw_case

        rows = self.attention[(self.attention["case"] == case) & (self.attention["pooling"] == pooling)]
        if rows.empty:
            raise EvaluationError(f"There is no attention of {pooling!r} for the case {case!r}.")
        predicted = self.predictions[pooling]
        assert predicted.cases is not None
        place = int(np.flatnonzero(predicted.cases == case)[0])
        title = (
            f"Case {case}, {predicted.classes[predicted.labels[place]]}, "
            f"P({predicted.classes[-1]}) {format_number(predicted.positive[place], 2)}"
        )
        figure = draw_case(rows, title, count)
        if path is not None:
            save_figure(figure, path, dpi=dpi)
        return figure

    def _headline(self) -> str:
        counts = self.comparison.counts
        return (
            f"Pooling over the images of a case: {format_count(counts['cases'], 'case')}, "
            f"{self.settings['folds']} folds by case, seed {self.settings['seed']}; scored by case, 95% confidence "
            "intervals over cases"
        )

    def _rows(self) -> list[list[str]]:
        names = [name for name in SHOWN if name in self.table]
        head = [part for name in names for part in (describe_metric(name).short, "over folds", "minus mean")]
        rows = [["Pooling", *head]]
        for pooling, row in self.table.iterrows():
            cells = []
            for name in names:
                against = _part(row, f"{name}_difference")
                cells += [
                    interval_text(_part(row, name)),
                    format_number(row[f"{name}_folds"]),
                    "-" if pooling == "mean" else _signed(against),
                ]
            rows.append([str(pooling), *cells])
        return rows


def compare_pooling(
    data: Dataset,
    poolings: Sequence[str] = POOLINGS,
    *,
    folds: int = 5,
    hidden: int = 32,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
    bootstrap: Bootstrap | None = None,
) -> PoolingComparison:
    """Train and test classifiers of cases with attention over their images, and with the mean that it has to beat.

    Every case is predicted by models that were not fitted on it. All poolings have the same folds, solver, penalties to
    choose from and choice within the training cases; the mean is attention with equal weights. See `fit_case_model`.

    Args:
        data: Images with vectors, labels and cases, of `load_embeddings` or `extract_features`; all images of a case
            have one class.
        poolings: "mean" and one or more of "attention" and "gated-attention".
        folds: Number of folds by case.
        hidden: Number of hidden units of the attention.
        penalties: Penalties to choose from within each training part.
        seed: Seed of the folds, within folds, and of the initial attention.
        bootstrap: How confidence intervals are computed; 2,000 resamples by default.

    Returns:
        The table, the predictions and the attention; print it, or draw a case by `plot_case`.

    Raises:
        DatasetError: If `data` is no dataset, or labels or cases are not known.
        TrainingError: If there are no vectors, a case holds several classes, or an argument is not valid.
        SplitError: If a class has fewer cases than there are folds.
        LeakageError: If the folds share files, pictures or vectors.

    Warns:
        EvaluationWarning: If a class has few cases.
        TrainingWarning: As `fit_case_model`.

    Example:
        >>> result = compare_pooling(data)  # doctest: +SKIP
        >>> print(result)  # doctest: +SKIP
        >>> result.plot_case("14-22549", "attention.png")  # doctest: +SKIP
    """
    require_labelled("data", data, "Training")
    names = tuple(dict.fromkeys(poolings))
    check_pooling_arguments(names, hidden, penalties, seed)
    if "mean" not in names or len(names) < 2:
        raise TrainingError(f"poolings must have 'mean', and another to compare with it; found {names!r}.")
    cases = make_bags(data).cases
    parts, _ = make_folds(data, folds, "case", 0.0, seed)
    leakage = audit_folds(parts)
    leakage.raise_if_leaking()
    predicted: dict[str, list[Predictions]] = {name: [] for name in names}
    models: dict[str, list[CaseModel]] = {name: [] for name in names}
    attention = []
    for number, fold in enumerate(parts, start=1):
        for name in names:
            model = fit_case_model(fold.train, name, hidden=hidden, penalties=penalties, seed=seed)
            models[name].append(model)
            predicted[name].append(model.predict(fold.test))
            if name != "mean":
                table = model.attend(fold.test)
                table.insert(0, "pooling", name)
                table.insert(3, "fold", number)
                attention.append(table)
    joined = {name: _join(several, cases) for name, several in predicted.items()}
    found = compare(joined, metric="roc_auc", aggregation="case", bootstrap=bootstrap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        of_folds = {
            name: {metric: _mean([one_metric(one, metric) for one in several]) for metric in SHOWN}
            for name, several in predicted.items()
        }
    return PoolingComparison(
        table=_table(found, of_folds),
        comparison=found,
        predictions=joined,
        attention=pd.concat(attention, ignore_index=True),
        penalties={name: tuple(one.penalty for one in several) for name, several in models.items()},
        settings={"folds": folds, "seed": seed, "hidden": hidden, "penalties": [float(one) for one in penalties]},
        leakage=leakage,
    )


def _join(parts: Sequence[Predictions], cases: npt.NDArray[np.object_]) -> Predictions:
    """Return the predictions of all folds, in the order of the cases of the data."""
    names = np.concatenate([one.cases for one in parts if one.cases is not None])
    place = {name: row for row, name in enumerate(names.tolist())}
    order = [place[name] for name in cases.tolist()]
    whole = Predictions.from_arrays(
        probabilities=np.concatenate([one.probabilities for one in parts])[order],
        labels=np.concatenate([one.labels for one in parts])[order],
        cases=names[order],
        classes=parts[0].classes,
        part="out-of-fold",
        distinct=True,
    )
    return dataclasses.replace(whole, level="case", distinct=parts[0].distinct)


def _table(found: Comparison, of_folds: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    rows = {}
    scores: Any = found.scores
    for name in found.metrics.columns:
        row: dict[str, float] = {}
        for metric in SHOWN:
            if (name, metric) not in scores.index:
                continue
            score = scores.loc[(name, metric)]
            row |= {metric: score["value"], f"{metric}_low": score["low"], f"{metric}_high": score["high"]}
            row[f"{metric}_folds"] = of_folds[name][metric]
            against = np.array([np.nan, np.nan, np.nan])
            if name != "mean":
                against = _against_mean(found.differences, str(name), metric)
            row |= dict(zip((f"{metric}_difference{end}" for end in ("", "_low", "_high")), against, strict=True))
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("pooling")


def _against_mean(differences: Any, name: str, metric: str) -> npt.NDArray[np.float64]:
    """Return the difference of a pooling from the mean, and its interval."""
    for first, second, sign in ((name, "mean", 1), ("mean", name, -1)):
        if (first, second, metric) in differences.index:
            row = differences.loc[(first, second, metric)]
            ends = sorted((sign * float(row["low"]), sign * float(row["high"])))
            return np.array([sign * float(row["difference"]), *ends])
    return np.full(3, np.nan)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _part(row: pd.Series, name: str) -> pd.Series:
    return pd.Series({"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"], "reason": ""})


def _signed(row: pd.Series) -> str:
    """Return a difference with its confidence interval, such as "+0.050 (−0.020 to +0.110)"."""
    value, low, high = (
        format_number(one) if one < 0 or not np.isfinite(one) else f"+{format_number(one)}"
        for one in (row["value"], row["low"], row["high"])
    )
    return f"{value} ({low} to {high})" if np.isfinite(row["low"]) else f"{value} (CI not estimable)"


def _verdict(name: str, row: pd.Series) -> str:
    low, high = row["roc_auc_difference_low"], row["roc_auc_difference_high"]
    said = f"difference of the ROC AUC {_signed(_part(row, 'roc_auc_difference'))}"
    if not np.isfinite(low):
        return f"Whether {name} is better than the mean is not estimable ({said})."
    if low > 0:
        return f"{name} is better than the mean: {said}."
    if high < 0:
        return f"{name} is worse than the mean: {said}."
    return f"{name} is not shown to be better than the mean: {said}."
