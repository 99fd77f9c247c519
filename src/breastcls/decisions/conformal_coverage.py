"""Coverage and size of prediction sets on labelled predictions, with confidence intervals over cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import case_codes, case_strata, classes_held
from breastcls.intervals.proportion_bounds import Proportions, bound_proportions
from breastcls.intervals.score_tables import wide_score
from breastcls.metrics.division import divide
from breastcls.predictions.predictions import Predictions

Floats = npt.NDArray[np.float64]
MEASURES = ("coverage", "images_covered", "size", "single", "single_right", "empty")


def measure_coverage(predictions: Predictions, chosen: npt.NDArray[np.bool_], bootstrap: Bootstrap) -> pd.DataFrame:
    """Return coverage and size of the sets; see `ConformalSets.assess`.

    Args:
        predictions: With known classes.
        chosen: Which classes belong to the set of each row, bool (n, classes).
        bootstrap: How confidence intervals are computed.
    """
    labels, codes, classes = predictions.labels, case_codes(predictions), len(predictions.classes)
    holds, size = chosen[np.arange(len(labels)), labels], chosen.sum(axis=1)
    single, empty = size == 1, size == 0
    groups = [np.ones(len(labels), dtype=bool), *(labels == index for index in range(classes))]
    cases = int(codes.max()) + 1
    above, below = [], []
    for inside in groups:
        # The images of a case share the weight of one case, since the nominal coverage is a mean over cases.
        each = inside / np.maximum(np.bincount(codes, weights=inside, minlength=cases), 1)[codes]
        above += [holds * each, holds & inside, size * inside, single & inside, holds & single & inside, empty & inside]
        below += [each, inside, inside, inside, single & inside, inside]
    counted, counts = (
        np.stack([np.bincount(codes, weights=column, minlength=cases) for column in columns], axis=1)
        for columns in (above, below)
    )

    def measure(weights: Floats) -> Floats:
        return divide(weights @ counted, weights @ counts)

    of_classes = classes_held(labels, codes, classes).sum(axis=0)
    fewest = of_classes[of_classes > 0].min()
    strata = case_strata(labels, codes, classes)
    support = np.repeat([fewest, *of_classes], len(MEASURES))
    found_bounds = bootstrap.intervals(measure, strata, support)
    # All but the mean size are plain shares.
    is_share = np.arange(counts.shape[1]) % len(MEASURES) != MEASURES.index("size")
    shares = Proportions.from_cases(np.minimum(counted, counts), counts).mask(is_share)
    bounds = bound_proportions(predictions, found_bounds, shares, bootstrap.confidence)
    value, *bounds_of = (
        found.reshape(len(groups), len(MEASURES)) for found in (measure(np.ones((1, cases)))[0], *bounds)
    )
    columns: dict[str, Any] = {}
    for place, name in enumerate(MEASURES):
        columns |= wide_score(name, [value[:, place], *(part[:, place] for part in bounds_of)])
    columns["images"] = [int(inside.sum()) for inside in groups]
    return pd.DataFrame(columns, index=pd.Index(["all classes", *predictions.classes], name="class"))
