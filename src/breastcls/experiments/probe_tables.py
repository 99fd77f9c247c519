"""The tables of a probe as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from breastcls.comparison.comparison_tables import format_p
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.metrics.number_format import format_estimate, format_number
from breastcls.text_tables import format_count

CURVE_NOTE = (
    "Few-shot: mean over draws of the training cases, its confidence interval over test cases, and the range of single "
    "draws."
)
Rows = list[list[str]]


def probe_headline(counts: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return what was probed and how, in one line."""
    sets = [
        f"{format_count(one['images'], 'image')} of {format_count(one['cases'], 'case')}"
        + (f" ({name})" if len(counts) > 1 else "")
        for name, one in counts.items()
    ]
    levels = " and ".join(f"by {level}" for level in dict.fromkeys(settings["levels"].values()))
    percent = f"{100 * settings['bootstrap']['confidence']:g}%"
    return (
        f"Probes of {'; '.join(sets)}; {settings['folds']} folds by {settings['by']}, seed {settings['seed']}; scored "
        f"{levels}, {percent} confidence intervals over cases"
    )


def probe_rows(table: pd.DataFrame, settings: Mapping[str, Any], digits: int = 3) -> Rows:
    """Return the header and one row per encoder and probe as text."""
    metrics, has_difference, has_p = list(settings["metrics"]), "difference" in table, "p" in table
    head = ["encoder", "probe"]
    for metric in metrics:
        head += [metric_title(metric), "mean over folds"]
    head += [f"{metric_title(metrics[0])} minus baseline"] * has_difference
    head += ["p (pooled)", "p (mean over folds)"] * has_p
    rows = [head]
    for (encoder, name), row in zip(table.index, table.to_dict("records"), strict=True):
        cells = [str(encoder), str(name)]
        for metric in metrics:
            cells.append(format_estimate(row[metric], row[f"{metric}_low"], row[f"{metric}_high"], digits))
            cells.append(format_number(row[f"{metric}_mean_over_folds"], digits))
        if has_difference:
            bounds = row["difference"], row["difference_low"], row["difference_high"]
            cells.append("" if np.isnan(bounds[0]) else format_estimate(*bounds, digits))
        if has_p:
            cells += ["" if np.isnan(row[key]) else format_p(row[key]) for key in ("p", "p_mean_over_folds")]
        rows.append(cells)
    return rows


def curve_rows(curves: pd.DataFrame, settings: Mapping[str, Any], digits: int = 3) -> Rows:
    """Return the header and one row per encoder, probe and number of training cases as text."""
    metrics = list(settings["metrics"])
    head = ["encoder", "probe", "cases per class"]
    for metric in metrics:
        head += [metric_title(metric), f"range of {metric_title(metric)}"]
    rows = [head]
    for (encoder, name, count), row in zip(curves.index, curves.to_dict("records"), strict=True):
        cells = [str(encoder), str(name), str(count)]
        for metric in metrics:
            cells.append(format_estimate(row[metric], row[f"{metric}_low"], row[f"{metric}_high"], digits))
            low, high = (format_number(row[f"{metric}_{end}"], digits) for end in ("lowest", "highest"))
            cells.append(f"{low}–{high}")
        rows.append(cells)
    return rows
