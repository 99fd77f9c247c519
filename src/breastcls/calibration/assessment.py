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

from breastcls.argument_checks import check_count
from breastcls.calibration.binned_probabilities import BinnedCases
from breastcls.calibration.consistency_resampling import compare_errors, estimate_bias, resample_errors
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata, classes_held
from breastcls.intervals.metric_bounds import drop_without_errors
from breastcls.intervals.metric_support import fewest_cases
from breastcls.intervals.minimum_cases import Bounds
from breastcls.intervals.printed_table import PrintedTable
from breastcls.intervals.proportion_bounds import bound_proportions
from breastcls.json_values import table_to_dict
from breastcls.metrics.classification_metrics import log_losses, require_labels
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
    check_count("bins", bins, error=EvaluationError)
    bootstrap = bootstrap or Bootstrap()
    predicted, observed = predicted_and_observed(predictions)
    codes = case_codes(predictions)
    strata = case_strata(predictions.labels, codes, len(predictions.classes))
    losses, squares = np.bincount(codes, log_losses(predictions)), np.bincount(codes, (predicted - observed) ** 2)
    edges = [bin_edges(predicted, bins, binning) for binning in ("equal-width", "equal-mass")]
    wide, mass = (BinnedCases(predicted, observed, codes, one) for one in edges)

    def measure(weights: Floats) -> list[Floats]:
        sums = wide.weigh(weights), mass.weigh(weights)
        log_loss = weights @ losses / sums[0].images.sum(axis=1)
        brier = np.column_stack([sums[0].brier(weights @ squares), log_loss])
        return [*(one.frequencies() for one in sums), *(one.errors() for one in sums), brier]

    fewest = fewest_cases(classes_held(predictions.labels, codes, len(predictions.classes)))
    # A frequency depends on the cases of its bin too.
    of_bins = [np.minimum(binned.table()["cases"].to_numpy(), fewest) for binned in (wide, mass)]
    # One pass for all metrics: resampling the cases for each would cost more than the metrics.
    bounds = bootstrap.intervals_of(measure, strata, [*of_bins, *[fewest] * 3])
    bounds[2:] = (
        # As in `evaluate`: what only a bootstrap could bound has no interval below five cases of a class.
        drop_without_errors(found, np.ones(len(found.low), dtype=bool), predictions).drop_few(fewest)
        for found in bounds[2:]
    )
    *_, of_wide, of_mass, brier = (part[0] for part in measure(np.ones((1, len(strata)))))
    errors = np.concatenate(
        [np.stack([value, *bound]) for value, bound in zip((of_wide, of_mass), bounds[2:4], strict=True)],
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
        brier=_with_bounds(np.stack([brier, *bounds[4]]), (*BRIER, "log_loss"), "part"),
        consistency=compare_errors(off["value"], resampled, bootstrap.confidence),
        bias=estimate_bias(predicted, observed, codes, bootstrap, fewest, predictions.decisions == predictions.labels),
        bins=bins,
        event="positive class" if len(predictions.classes) == 2 else "predicted class",
    )


def _with_bounds(rows: npt.NDArray[Any], names: tuple[str, ...], title: str) -> pd.DataFrame:
    columns = dict(zip(("value", "low", "high"), rows.astype(object)[:3].astype(np.float64), strict=True))
    return pd.DataFrame({**columns, "reason": rows[3]}, index=pd.Index(names, name=title))


def _reliability(
    predictions: Predictions,
    binned: BinnedCases,
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
