"""What calibration errors chance alone makes: how far off would the same claims be if they were exactly true?

An expected calibration error is never below 0, and a perfect model has a larger one the fewer cases there are. So what
was claimed is taken to be true and what comes true is drawn anew, many times (consistency resampling: Bröcker & Smith
2007, DOI 10.1175/WAF993.1). One random number serves all images of a case: an image comes true where its claim is above
it, so that each does as often as claimed, and the images of one case go together as far as their claims let them. Drawn
one by one they would pretend to be independent, and chance would look smaller than it is.

Claimed less found on average gets a bootstrap interval over all cases alike. Strata by class, as elsewhere, would fix
the share found, which is just what is compared here: their intervals leave out 0 too often.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.bootstrap import BLOCK, Bootstrap

Floats = npt.NDArray[np.float64]
GAP = "claimed_less_found"
# Redrawn errors of few images take few values, and sums of the same numbers may differ by rounding.
ROUNDING = 1e-9


def redraw_errors(
    claimed: Floats, codes: npt.NDArray[np.int64], edges: Sequence[Floats], bootstrap: Bootstrap
) -> Floats:
    """Return the calibration errors of the same claims had they been true, once for each redraw.

    Args:
        claimed: float64 (n,), the probability claimed for each row.
        codes: int64 (n,), index of the case of each row.
        edges: Of the bins, ascending from 0 to 1, one array a binning.
        bootstrap: How often it is drawn, and the seed.

    Returns:
        float64 (resamples, 2 x binnings): expected and maximum calibration error of the one binning, then the next.

    Example:
        >>> halves = np.full(4, 0.5)
        >>> found = redraw_errors(halves, np.zeros(4, dtype=np.int64), [np.array([0.0, 1.0])], Bootstrap(100))
        >>> found.shape, np.unique(found).tolist()  # one case: either all of it comes true or nothing
        ((100, 2), [0.5])
    """
    order = np.argsort(claimed, kind="stable")
    ascending, case_of_row = claimed[order], codes[order]
    # Sorted, each bin is a stretch of rows, whatever the binning; an empty one has no stretch.
    starts = [np.unique(np.searchsorted(ascending, one[:-1], side="left")) for one in edges]
    starts = [one[one < len(ascending)] for one in starts]
    generator = np.random.default_rng(bootstrap.seed)
    found = np.empty((bootstrap.resamples, 2 * len(edges)))
    step = max(1, BLOCK // len(claimed))
    for start in range(0, bootstrap.resamples, step):
        rows = min(step, bootstrap.resamples - start)
        chance = generator.random((rows, int(codes.max()) + 1))
        gaps = (chance[:, case_of_row] < ascending) - ascending
        for place, of_bins in enumerate(starts):
            images = np.diff([*of_bins, len(ascending)])
            off = np.abs(np.add.reduceat(gaps, of_bins, axis=1))
            found[start : start + rows, 2 * place] = off.sum(axis=1) / len(ascending)
            found[start : start + rows, 2 * place + 1] = (off / images).max(axis=1)
    return found


def judge_errors(errors: pd.Series, redrawn: Floats, confidence: float) -> pd.DataFrame:
    """Return beside each calibration error what chance alone makes of it.

    Args:
        errors: The errors, in the order of the columns redrawn.
        redrawn: float64 (resamples, errors).
        confidence: Share of redraws below the upper end.

    Returns:
        Columns `expected` (the mean), `upper` and `p`: how often chance alone is as far off or further.
    """
    as_far = (redrawn >= errors.to_numpy() - ROUNDING).sum(axis=0)
    return pd.DataFrame(
        {
            "expected": redrawn.mean(axis=0),
            "upper": np.quantile(redrawn, confidence, axis=0),
            # What was found is one way more in which it can come out: no share is below one in all of them.
            "p": (1 + as_far) / (1 + len(redrawn)),
        },
        index=errors.index,
    )


def mean_gap(claimed: Floats, found: Floats, codes: npt.NDArray[np.int64], bootstrap: Bootstrap) -> pd.DataFrame:
    """Return what is claimed less what was found, averaged over the rows: one row `GAP`, `value`, `low`, `high`."""
    images, gaps = np.bincount(codes), np.bincount(codes, claimed - found)

    def measure(weights: Floats) -> Floats:
        return np.asarray((weights @ gaps / (weights @ images))[:, None])

    alike = np.zeros(len(images), dtype=np.int64)
    bounds = [measure(np.ones((1, len(images))))[0], *bootstrap.intervals(measure, alike)]
    return pd.DataFrame([np.concatenate(bounds)], index=pd.Index([GAP], name="part"), columns=["value", "low", "high"])
