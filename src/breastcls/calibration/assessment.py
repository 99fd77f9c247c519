"""Assessment of calibration: reliability diagram, calibration errors and the decomposition of the Brier score.

With two classes the predicted probability of the positive class is compared with the observed frequency of that class;
with more, the probability of the predicted class with the frequency of correct predictions.

Expected calibration error: Naeini et al. 2015, DOI 10.1609/aaai.v29i1.9602. On a finite sample it is above zero even
for a perfectly calibrated model, so each error is compared with consistency resampling (see
`breastcls.calibration.consistency_resampling`). Brier decomposition: Murphy 1973, DOI
10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2, with the terms within bins of Stephenson et al. 2008, DOI
10.1175/2007WAF2006116.1, so that the sum is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.calibration.consistency_resampling import compare_errors, estimate_bias, resample_errors
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata, classes_held
from breastcls.intervals.metric_bounds import drop_without_errors
from breastcls.intervals.metric_support import fewest_cases
from breastcls.intervals.minimum_cases import Bounds
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.proportion_bounds import Proportions, bound_proportions
from breastcls.json_values import table_to_dict
from breastcls.metrics.classification_metrics import log_losses, require_labels
from breastcls.metrics.division import divide
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result

Floats = npt.NDArray[np.float64]
Binning = Literal["equal-width", "equal-mass"]
BRIER = ("brier", "reliability", "resolution", "uncertainty", "within_bins")
ERRORS = ("ece_equal_width", "ece_equal_mass", "mce_equal_width", "mce_equal_mass")


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """The assessment of calibration that `assess_calibration` returns.

    Attributes:
        errors: One row per error (`ece_equal_width`, `ece_equal_mass`, `mce_equal_width`, `mce_equal_mass`), columns
            `value`, `low`, `high`.
        equal_width: Reliability in bins of equal width: columns `lower`, `upper` (edges), `images`, `cases`,
            `probability` (mean predicted), `frequency` (observed), `low`, `high` (of `frequency`), without empty bins.
        equal_mass: The same in bins of about equally many images; those with the same probability share one.
        brier: Columns `value`, `low`, `high`; of the equal-width bins `brier` = `reliability` - `resolution` +
            `uncertainty` + `within_bins`; and `log_loss`.
        consistency: Each error of a perfectly calibrated model, by consistency resampling: columns `expected`, `upper`
            (the quantile at the confidence level) and `p` (the fraction of resamples with an error at least as large).
        bias: One row `calibration_bias`, the mean predicted probability minus the observed frequency: `value`, `low`,
            `high`. Its confidence interval is over all cases without strata by class.
        bins: Number of bins that were asked for.
        event: The event whose probability is assessed: "positive class", or "predicted class" for a correct prediction.
    """

    errors: pd.DataFrame
    equal_width: pd.DataFrame
    equal_mass: pd.DataFrame
    brier: pd.DataFrame
    consistency: pd.DataFrame
    bias: pd.DataFrame
    bins: int = 10
    event: str = "positive class"

    def __str__(self) -> str:
        tables = (self.errors.join(self.consistency), self.bias, self.brier)
        return "\n\n".join(repr(PrintedTable(table)) for table in tables)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values; NaN becomes None."""
        names = ("errors", "consistency", "bias", "equal_width", "equal_mass", "brier")
        tables = {name: table_to_dict(getattr(self, name)) for name in names}
        return {**tables, "bins": self.bins, "event": self.event}


def assess_calibration(predictions: Predictions, *, bins: int = 10, bootstrap: Bootstrap | None = None) -> Calibration:
    """Compare predicted probabilities with observed frequencies, with confidence intervals over cases.

    Args:
        predictions: With known classes.
        bins: Number of bins.
        bootstrap: How confidence intervals are computed; default: 2000 resamples, 95%, expanded percentile.

    Returns:
        A `Calibration`: calibration errors, reliability diagrams and the decomposition of the Brier score.

    Raises:
        EvaluationError: If a true class is not known or there are no bins.

    Example:
        >>> some = Predictions.from_arrays(
        ...     probabilities=[0.25, 0.25, 0.25, 0.25, 0.75, 0.75], labels=[0, 0, 0, 1, 1, 0], classes=("no", "yes"))
        >>> round(float(assess_calibration(some).errors.loc["ece_equal_width", "value"]), 4)
        0.0833
    """
    require_labels(predictions)
    if bins < 1:
        raise EvaluationError(f"`bins` is {bins}; expected 1 or more, usually 10.")
    bootstrap = bootstrap or Bootstrap()
    predicted, observed = predicted_and_observed(predictions)
    codes = case_codes(predictions)
    strata = case_strata(predictions.labels, codes, len(predictions.classes))
    once = np.ones((1, len(strata)))
    losses = np.bincount(codes, log_losses(predictions))
    edges = [bin_edges(predicted, bins, binning) for binning in ("equal-width", "equal-mass")]
    wide, mass = (_Binned(predicted, observed, codes, one) for one in edges)

    def brier(weights: Floats) -> Floats:
        images = weights @ np.bincount(codes)
        return np.column_stack([wide.brier(weights), weights @ losses / images])

    fewest = fewest_cases(classes_held(predictions.labels, codes, len(predictions.classes)))
    # A frequency depends on the cases of its bin too.
    of_bins = [np.minimum(binned.table()["cases"].to_numpy(), fewest) for binned in (wide, mass)]
    # One pass for all metrics: resampling the cases for each would cost more than the metrics.
    bounds = bootstrap.intervals_of(
        [wide.frequencies, mass.frequencies, wide.errors, mass.errors, brier], strata, [*of_bins, *[fewest] * 3]
    )
    bounds[2:] = (drop_without_errors(found, np.ones(len(found.low), dtype=bool), predictions) for found in bounds[2:])
    errors = np.concatenate(
        [np.stack([binned.errors(once)[0], *bound]) for binned, bound in zip((wide, mass), bounds[2:4], strict=True)],
        axis=1,
        dtype=object,
    )
    # Columns come as ECE and MCE of the one binning, then of the other.
    columns = [0, 2, 1, 3]
    off = _with_bounds(errors[:, columns], ERRORS, "error")
    resampled = resample_errors(predicted, codes, edges, bootstrap)[:, columns]
    return Calibration(
        errors=off,
        equal_width=_reliability(predictions, wide, bounds[0], bootstrap.confidence),
        equal_mass=_reliability(predictions, mass, bounds[1], bootstrap.confidence),
        brier=_with_bounds(np.stack([brier(once)[0], *bounds[4]]), (*BRIER, "log_loss"), "part"),
        consistency=compare_errors(off["value"], resampled, bootstrap.confidence),
        bias=estimate_bias(predicted, observed, codes, bootstrap, fewest),
        bins=bins,
        event="positive class" if len(predictions.classes) == 2 else "predicted class",
    )


def _with_bounds(rows: npt.NDArray[Any], names: tuple[str, ...], title: str) -> pd.DataFrame:
    columns = dict(zip(("value", "low", "high"), rows.astype(object)[:3].astype(np.float64), strict=True))
    return pd.DataFrame({**columns, "reason": rows[3]}, index=pd.Index(names, name=title))


def _reliability(
    predictions: Predictions,
    binned: _Binned,
    bounds: Bounds,
    confidence: float,
) -> pd.DataFrame:
    table = binned.table()
    found = bound_proportions(predictions, bounds, binned.proportions(), confidence)
    table["low"], table["high"], table["reason"] = found
    return table[table["images"] > 0].reset_index(drop=True)


def predicted_and_observed(predictions: Predictions) -> tuple[Floats, Floats]:
    """Return the predicted probability of each row and whether the event occurred (1 or 0), both float64 (n,)."""
    wide = predictions.probabilities.astype(np.float64)
    if wide.shape[1] == 2:
        return wide[:, 1], predictions.labels.astype(np.float64)
    return wide.max(axis=1), (wide.argmax(axis=1) == predictions.labels).astype(np.float64)


def bin_edges(predicted: Floats, bins: int, binning: Binning | str) -> Floats:
    """Return ascending edges from 0 to 1; a value on an edge belongs to the bin above it, 1 to the last.

    For equal mass the ranks are cut into equal parts. Equal probabilities stay in one bin, that of the middle of their
    ranks, so there may be fewer bins; probabilities of 1 that would fill a bin form one of their own, from 1 to 1.
    """
    if binning == "equal-width":
        return np.linspace(0.0, 1.0, bins + 1)
    values, images = np.unique(predicted, return_counts=True)
    # Whole numbers, twice the ranks, since rounding must not move a probability across an edge.
    middles = 2 * np.cumsum(images) - images
    place = middles * bins // (2 * len(predicted))
    return np.concatenate([[0.0], values[1:][np.diff(place) > 0], [1.0]])


class _Binned:
    """Counts and sums by bin and case."""

    def __init__(self, predicted: Floats, observed: Floats, codes: npt.NDArray[np.int64], edges: Floats) -> None:
        self._edges = edges
        self._bins = _place(predicted, edges)
        bins, cases = len(edges) - 1, int(codes.max()) + 1
        cells = codes * bins + self._bins
        shape = (cases, bins)
        self._images = np.bincount(cells, minlength=cases * bins).reshape(shape).astype(np.float64)
        self._predicted = np.bincount(cells, predicted, minlength=cases * bins).reshape(shape)
        self._observed = np.bincount(cells, observed, minlength=cases * bins).reshape(shape)
        self._squares = np.bincount(codes, (predicted - observed) ** 2, minlength=cases)

    def frequencies(self, weights: Floats) -> Floats:
        """Return the observed frequency in each bin, (resamples, bins); NaN in an empty bin."""
        return divide(weights @ self._observed, weights @ self._images)

    def proportions(self) -> Proportions:
        """Return the observed frequency in each bin as a proportion of its images."""
        return Proportions.from_cases(self._observed, self._images)

    def errors(self, weights: Floats) -> Floats:
        """Return expected and maximum calibration error, (resamples, 2)."""
        images = weights @ self._images
        gaps = np.abs(weights @ self._observed - weights @ self._predicted)
        expected = gaps.sum(axis=1) / images.sum(axis=1)
        return np.stack([expected, np.nanmax(divide(gaps, images), axis=1)], axis=1)

    def brier(self, weights: Floats) -> Floats:
        """Return the Brier score and its parts, (resamples, 5), in the order of `BRIER`."""
        images, observed = weights @ self._images, weights @ self._observed
        total = images.sum(axis=1)
        share = images / total[:, None]
        frequency, predicted = divide(observed, images, 0.0), divide(weights @ self._predicted, images, 0.0)
        base = observed.sum(axis=1) / total
        score = weights @ self._squares / total
        reliability = (share * (predicted - frequency) ** 2).sum(axis=1)
        resolution = (share * (frequency - base[:, None]) ** 2).sum(axis=1)
        uncertainty = base * (1 - base)
        # The remainder is the variance of the probabilities within bins minus twice their covariance with the event.
        within = score - reliability + resolution - uncertainty
        return np.stack([score, reliability, resolution, uncertainty, within], axis=1)

    def table(self) -> pd.DataFrame:
        images = self._images.sum(axis=0)
        return pd.DataFrame(
            {
                "lower": self._edges[:-1],
                "upper": self._edges[1:],
                "images": images.astype(np.int64),
                "cases": (self._images > 0).sum(axis=0),
                "probability": divide(self._predicted.sum(axis=0), images),
                "frequency": divide(self._observed.sum(axis=0), images),
            }
        )


def _place(predicted: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    return np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, len(edges) - 2).astype(np.int64)
