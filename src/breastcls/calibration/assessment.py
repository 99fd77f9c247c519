"""Whether probabilities mean what they say: reliability, calibration errors, and what the Brier score is made of.

With two classes the probability of the positive class is compared with how often the class is positive; with more, the
probability of the class decided with how often the decision is right.

Expected calibration error: Naeini et al. 2015, DOI 10.1609/aaai.v29i1.9602. Even a perfectly calibrated model has one
above zero on a finite sample: read it beside what chance alone makes, see `chance`. Brier decomposition: Murphy 1973,
DOI 10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2, with the terms within bins of Stephenson et al. 2008, DOI
10.1175/2007WAF2006116.1, so that the sum is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.calibration.errors_by_chance import judge_errors, mean_gap, redraw_errors
from breastcls.errors import EvaluationError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata
from breastcls.intervals.proportions import bound_proportions
from breastcls.json_values import table_to_dict
from breastcls.metrics.classification_metrics import log_losses, require_labels
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
Binning = Literal["equal-width", "equal-mass"]
BRIER = ("brier", "reliability", "resolution", "uncertainty", "within_bins")
ERRORS = ("ece_equal_width", "ece_equal_mass", "mce_equal_width", "mce_equal_mass")


@dataclass(frozen=True, eq=False)
class Calibration:
    """What `assess_calibration` found.

    Attributes:
        errors: One row an error of `ERRORS`, columns `value`, `low`, `high`.
        equal_width: Reliability in bins of equal width: columns `lower`, `upper` (edges), `images`, `cases`,
            `probability` (mean claimed), `frequency` (found), `low`, `high` (of `frequency`). Empty bins are left out.
        equal_mass: The same in bins of about equally many images; those with the same probability share one.
        brier: Columns `value`, `low`, `high`; of the equal-width bins `brier` = `reliability` - `resolution` +
            `uncertainty` + `within_bins`; and `log_loss`.
        by_chance: What each error would be had every claim been true: columns `expected`, `upper` (the confidence of
            redraws lies below it), `p` (how often chance alone is as far off or further).
        gap: One row `claimed_less_found`, the mean claimed less the mean found: `value`, `low`, `high`. Unlike the
            others its interval is over cases of all classes alike.
        bins: How many bins were asked for.
        claim: Whose probability is judged: the positive class's, or that of the class decided.
    """

    errors: pd.DataFrame
    equal_width: pd.DataFrame
    equal_mass: pd.DataFrame
    brier: pd.DataFrame
    by_chance: pd.DataFrame
    gap: pd.DataFrame
    bins: int = 10
    claim: str = "positive class"

    def __str__(self) -> str:
        tables = (self.errors.join(self.by_chance), self.gap, self.brier)
        return "\n\n".join(table.round(4).to_string() for table in tables)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON; NaN becomes None."""
        names = ("errors", "by_chance", "gap", "equal_width", "equal_mass", "brier")
        tables = {name: table_to_dict(getattr(self, name)) for name in names}
        return {**tables, "bins": self.bins, "claim": self.claim}


def assess_calibration(predictions: Predictions, *, bins: int = 10, bootstrap: Bootstrap | None = None) -> Calibration:
    """Compare claimed probabilities with what was found, with intervals over cases.

    Args:
        predictions: With known classes.
        bins: How many bins.
        bootstrap: How intervals are made; default: 2000 resamples, 95%, expanded percentile.

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
    claimed, found = claims(predictions)
    codes = case_codes(predictions)
    strata = case_strata(predictions.labels, codes, len(predictions.classes))
    once = np.ones((1, len(strata)))
    losses = np.bincount(codes, log_losses(predictions))
    edges = [bin_edges(claimed, bins, binning) for binning in ("equal-width", "equal-mass")]
    wide, mass = (_Binned(claimed, found, codes, one) for one in edges)

    def brier(weights: Floats) -> Floats:
        images = weights @ np.bincount(codes)
        return np.column_stack([wide.brier(weights), weights @ losses / images])

    # One pass: drawing the cases anew for each figure would cost more than the figures.
    bounds = bootstrap.intervals_of([wide.frequencies, mass.frequencies, wide.errors, mass.errors, brier], strata)
    errors = np.concatenate(
        [np.stack([binned.errors(once)[0], *bound]) for binned, bound in zip((wide, mass), bounds[2:4], strict=True)],
        axis=1,
    )
    # Columns come as ECE and MCE of the one binning, then of the other.
    columns = [0, 2, 1, 3]
    off = _with_bounds(errors[:, columns], ERRORS, "error")
    redrawn = redraw_errors(claimed, codes, edges, bootstrap)[:, columns]
    return Calibration(
        errors=off,
        equal_width=_reliability(predictions, strata, wide, bounds[0], bootstrap.confidence),
        equal_mass=_reliability(predictions, strata, mass, bounds[1], bootstrap.confidence),
        brier=_with_bounds(np.stack([brier(once)[0], *bounds[4]]), (*BRIER, "log_loss"), "part"),
        by_chance=judge_errors(off["value"], redrawn, bootstrap.confidence),
        gap=mean_gap(claimed, found, codes, bootstrap),
        bins=bins,
        claim="positive class" if len(predictions.classes) == 2 else "class decided",
    )


def _with_bounds(rows: Floats, names: tuple[str, ...], title: str) -> pd.DataFrame:
    return pd.DataFrame(rows.T, index=pd.Index(names, name=title), columns=["value", "low", "high"])


def _reliability(
    predictions: Predictions,
    strata: npt.NDArray[np.int64],
    binned: _Binned,
    bounds: tuple[Floats, Floats],
    confidence: float,
) -> pd.DataFrame:
    table = binned.table()
    images = table["images"].to_numpy()
    found = np.rint(table["frequency"].fillna(0.0).to_numpy() * images)
    table["low"], table["high"] = bound_proportions(predictions, strata, bounds, (found, images), confidence)
    return table[table["images"] > 0].reset_index(drop=True)


def claims(predictions: Predictions) -> tuple[Floats, Floats]:
    """Return the claimed probability of each row and whether it came true (1 or 0), both float64 (n,)."""
    wide = predictions.probabilities.astype(np.float64)
    if wide.shape[1] == 2:
        return wide[:, 1], predictions.labels.astype(np.float64)
    return wide.max(axis=1), (wide.argmax(axis=1) == predictions.labels).astype(np.float64)


def bin_edges(claimed: Floats, bins: int, binning: Binning | str) -> Floats:
    """Return ascending edges from 0 to 1; a value on an edge belongs to the bin above it, 1 to the last.

    For equal mass the ranks are cut into equal parts. Equal claims stay together, where the middle of their ranks lies:
    so there may be fewer bins, and claims of 1 that would fill a bin have it to themselves, from 1 to 1.
    """
    if binning == "equal-width":
        return np.linspace(0.0, 1.0, bins + 1)
    values, images = np.unique(claimed, return_counts=True)
    # Whole numbers, twice the ranks, since rounding must not move a claim across an edge.
    middles = 2 * np.cumsum(images) - images
    place = middles * bins // (2 * len(claimed))
    return np.concatenate([[0.0], values[1:][np.diff(place) > 0], [1.0]])


class _Binned:
    """Counts and sums by bin and case."""

    def __init__(self, claimed: Floats, found: Floats, codes: npt.NDArray[np.int64], edges: Floats) -> None:
        self._edges = edges
        self._bins = _place(claimed, edges)
        bins, cases = len(edges) - 1, int(codes.max()) + 1
        cells = codes * bins + self._bins
        shape = (cases, bins)
        self._images = np.bincount(cells, minlength=cases * bins).reshape(shape).astype(np.float64)
        self._claimed = np.bincount(cells, claimed, minlength=cases * bins).reshape(shape)
        self._found = np.bincount(cells, found, minlength=cases * bins).reshape(shape)
        self._squares = np.bincount(codes, (claimed - found) ** 2, minlength=cases)

    def frequencies(self, weights: Floats) -> Floats:
        """Return how often the claim came true in each bin, (resamples, bins); NaN in an empty bin."""
        return _divide(weights @ self._found, weights @ self._images)

    def errors(self, weights: Floats) -> Floats:
        """Return expected and maximum calibration error, (resamples, 2)."""
        images = weights @ self._images
        gaps = np.abs(weights @ self._found - weights @ self._claimed)
        expected = gaps.sum(axis=1) / images.sum(axis=1)
        return np.stack([expected, np.nanmax(_divide(gaps, images), axis=1)], axis=1)

    def brier(self, weights: Floats) -> Floats:
        """Return the Brier score and its parts, (resamples, 5), in the order of `BRIER`."""
        images, found = weights @ self._images, weights @ self._found
        total = images.sum(axis=1)
        share = images / total[:, None]
        frequency, claimed = _divide(found, images, 0.0), _divide(weights @ self._claimed, images, 0.0)
        base = found.sum(axis=1) / total
        score = weights @ self._squares / total
        reliability = (share * (claimed - frequency) ** 2).sum(axis=1)
        resolution = (share * (frequency - base[:, None]) ** 2).sum(axis=1)
        uncertainty = base * (1 - base)
        # What is left is the variance of the claims within bins less twice their covariance with the truth.
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
                "probability": _divide(self._claimed.sum(axis=0), images),
                "frequency": _divide(self._found.sum(axis=0), images),
            }
        )


def _place(claimed: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    return np.clip(np.searchsorted(edges, claimed, side="right") - 1, 0, len(edges) - 2).astype(np.int64)


def _divide(above: npt.NDArray[Any], below: npt.NDArray[Any], empty: float = np.nan) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(below), empty), where=below > 0))
