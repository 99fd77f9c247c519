"""The rows of the table of a probe: scores with confidence intervals, and differences from the baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from breastcls.experiments.fold_scores import fold_values, mean_over_folds
from breastcls.experiments.permutation_result import ONLY_THESE
from breastcls.experiments.probed_images import ProbedImages
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.paired_scores import score_against
from breastcls.intervals.score_tables import score, wide_score
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import format_count

BASELINE = "baseline"


def score_rows(
    predicted: Mapping[tuple[str, str], Predictions],
    images: ProbedImages,
    metrics: Sequence[str],
    bootstrap: Bootstrap,
    *,
    labelled: bool,
) -> list[dict[str, Any]]:
    """Return one row per encoder and probe on the same images, and one per baseline.

    Args:
        predicted: Out-of-fold predictions by encoder and probe.
        images: The images.
        metrics: What is scored; the first is compared with the first baseline.
        bootstrap: How confidence intervals are computed.
        labelled: Whether baselines are named with the first encoder of their images, since there are several sets.
    """
    level = images.aggregation
    known = {key: one.aggregate(level) for key, one in predicted.items()}
    by_baseline = {name: one.aggregate(level) for name, one in images.baselines.items()}
    rows = []
    if by_baseline:
        reference = next(iter(by_baseline.values()))
        others = [*known.values(), *by_baseline.values()]
        tables = score_against(reference, others, metrics, bootstrap)
    else:
        tables = [score(one, CaseStatistics.of(one), bootstrap).loc[list(metrics)] for one in known.values()]
    of_baselines = {
        (f"{name} ({images.names[0]})" if labelled else name, BASELINE): one for name, one in images.baselines.items()
    }
    for (key, whole), table in zip({**predicted, **of_baselines}.items(), tables, strict=True):
        row: dict[str, Any] = {"encoder": key[0], "probe": key[1]}
        for metric in metrics:
            row |= wide_score(metric, table.loc[metric, ["value", "low", "high", "reason"]])
            row[f"{metric}_mean_over_folds"] = mean_over_folds(fold_values(whole, images.parts, metric, level))
        if by_baseline:
            changes = ["change", "change_low", "change_high", "change_reason"]
            is_reference = key == next(iter(of_baselines))
            empty = [np.nan, np.nan, np.nan, ""]
            row |= wide_score("difference", empty if is_reference else table.loc[metrics[0], changes])
        rows.append(row)
    return rows


def summarise_rows(
    rows: Sequence[Mapping[str, Any]],
    metric: str,
    baselines: Sequence[str],
    few: Collection[str] = (),
    untestable: Collection[tuple[str, str]] = (),
) -> tuple[str, ...]:
    """Return sentences on which probes are better than the baseline, and which are better than permuted labels.

    Args:
        rows: The rows of `score_rows`.
        metric: The first metric.
        baselines: Names of the baselines.
        few: The encoders that were scored on fewer than five cases of a class, which do not show a difference.
        untestable: The encoders and probes of which no permutation test can give a p-value below 0.05.
    """
    probes = [row for row in rows if row["probe"] != BASELINE]
    title, sentences = metric_title(metric), []
    total = format_count(len(probes), "probe")
    if baselines:
        enough = [row for row in probes if row["encoder"] not in few]
        kinds = {
            f"better than the baseline {baselines[0]}": [row for row in enough if row["difference_low"] > 1e-9],
            f"worse than the baseline {baselines[0]}": [row for row in enough if row["difference_high"] < -1e-9],
        }
        for what, some in kinds.items():
            if some:
                sentences.append(f"In {title}, {what} (the CI of the difference excludes 0): {_names(some)}.")
        shown = sum(len(some) for some in kinds.values())
        unknown = [row for row in probes if pd.isna(row["difference_low"])]
        too_few = [row for row in probes if row["encoder"] in few and not pd.isna(row["difference_low"])]
        rest = len(probes) - shown - len(unknown) - len(too_few)
        if rest:
            sentences.append(f"For {rest} of {total} no difference from the baseline {baselines[0]} is shown.")
        if too_few:
            sentences.append(
                f"For {len(too_few)} of {total} the cases are too few to show a difference from the baseline "
                f"{baselines[0]}."
            )
        if unknown:
            sentences.append(f"For {len(unknown)} of {total} the CI of the difference is not estimable.")
    if probes and "p" in probes[0]:
        tested = [row for row in probes if (row["encoder"], row["probe"]) not in untestable]
        some = [row for row in tested if row["p"] < 0.05]
        if tested:
            sentences.append(
                f"Better than permuted labels (p < 0.05, pooled, not corrected for the number of probes): "
                f"{_names(some) if some else f'none of {total}'}."
                + (ONLY_THESE if any(row["encoder"] in few for row in some) else "")
            )
        left = len(probes) - len(tested)
        if left:
            sentences.append(f"For {left} of {total} the cases or permutations are too few for a p-value below 0.05.")
    return tuple(sentences)


def _names(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{row['encoder']} ({row['probe']})" for row in rows)
