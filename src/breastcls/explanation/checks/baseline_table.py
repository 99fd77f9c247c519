"""Tables in which a heat-map is compared with random maps and with a map of the centre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.explanation.checks.case_means import Floats, count_cases, mean_over_cases
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.minimum_cases import FEW_CASES
from breastcls.json_values import table_to_dict
from breastcls.metrics.number_format import NOT_DEFINED, NOT_ESTIMABLE
from breastcls.text_tables import choose_form, format_count, text_table

HEATMAP, RANDOM, CENTRE = "heat-map", "random", "centre"
MAPS = (HEATMAP, RANDOM, CENTRE)


def compare_with_baselines(
    values: Mapping[str, Mapping[str, Floats]],
    better: Mapping[str, str],
    codes: npt.NDArray[np.int64],
    bootstrap: Bootstrap,
    *,
    within_one: bool = True,
    cases_known: bool = True,
) -> pd.DataFrame:
    """Return one row per measure: the mean of the heat-maps and of both baselines, and the gains over the baselines.

    Args:
        values: By measure and map (`MAPS`), float64 (n,); NaN where an image has no value.
        better: By measure, `"lower"` or `"higher"`.
        codes: int64 (n,), the case of each image.
        bootstrap: How the confidence intervals over cases are computed.
        within_one: Whether values are between 0 and 1, and their confidence intervals with them.
        cases_known: Whether the cases of the images are known, or each image is counted as a case of its own.

    Returns:
        Index `measure`; columns `better`, `value`, `low`, `high`, `random`, `centre`, and for each baseline
        `gain_random`, `gain_random_low`, `gain_random_high`: the paired difference, positive where the heat-map is
        better. `beats_baselines` is whether both confidence intervals are above zero; None with fewer than five cases,
        which are too few to show it, and where the cases are not known.
    """
    columns: list[Floats] = []
    for measure, of_maps in values.items():
        sign = -1.0 if better[measure] == "lower" else 1.0
        columns += [of_maps[name] for name in MAPS]
        columns += [sign * (of_maps[HEATMAP] - of_maps[name]) for name in (RANDOM, CENTRE)]
    table = np.stack(columns, axis=1)
    most = np.full(table.shape[1], 1.0 if within_one else np.inf)
    # Of five columns three are values and two are differences of values.
    least = np.tile([0.0, 0.0, 0.0, -1.0, -1.0], len(values)) if within_one else -most
    means, bounds = mean_over_cases(table, codes, bootstrap, least, most)
    cases = count_cases(table, codes)
    rows = []
    for number, measure in enumerate(values):
        at = 5 * number
        rows.append(
            {
                "measure": measure,
                "better": better[measure],
                "value": means[at],
                "low": bounds.low[at],
                "high": bounds.high[at],
                "random": means[at + 1],
                "centre": means[at + 2],
                **{
                    key: found
                    for place, name in ((at + 3, "random"), (at + 4, "centre"))
                    for key, found in (
                        (f"gain_{name}", means[place]),
                        (f"gain_{name}_low", bounds.low[place]),
                        (f"gain_{name}_high", bounds.high[place]),
                    )
                },
                "beats_baselines": (
                    bool(bounds.low[at + 3] > 0 and bounds.low[at + 4] > 0)
                    if cases_known and cases[at + 3 : at + 5].min() >= FEW_CASES
                    else None
                ),
            }
        )
    return pd.DataFrame(rows).set_index("measure").astype({"beats_baselines": object})


def baseline_values(
    method: str, table: pd.DataFrame, codes: npt.NDArray[np.int64], cases_known: bool
) -> dict[str, Any]:
    """Return such a table of a method as JSON values, with the numbers of images and cases; None if not known."""
    cases = len(np.unique(codes)) if cases_known else None
    return {"method": method, "images": len(codes), "cases": cases, "table": table_to_dict(table)}


def baseline_text(
    title: str, table: pd.DataFrame, codes: npt.NDArray[np.int64], bootstrap: Bootstrap, cases_known: bool
) -> str:
    """Return such a table as text, below a title with the numbers of images and cases."""
    head = ["", "heat-map", "random", "centre", "gain over random", "gain over centre"]
    rows = [head]
    for measure, row in table.iterrows():
        rows.append(
            [
                f"{measure} ({row['better']} is better)",
                interval_text(row["value"], row["low"], row["high"]),
                *(f"{row[name]:.3f}" if np.isfinite(row[name]) else NOT_DEFINED for name in (RANDOM, CENTRE)),
                *(
                    interval_text(row[f"gain_{name}"], row[f"gain_{name}_low"], row[f"gain_{name}_high"], signed=True)
                    for name in ("random", "centre")
                ),
            ]
        )
    counted, limits = describe_sample(len(codes), len(np.unique(codes)), cases_known)
    unit = "cases" if cases_known else "images"
    head_line = f"{title}, {counted}, {100 * bootstrap.confidence:g}% CI over {unit}"
    return "\n".join([head_line, text_table(rows), *limits])


def describe_sample(images: int, cases: int, cases_known: bool) -> tuple[str, list[str]]:
    """Return how many images and cases were measured, and sentences on what they do not show.

    Example:
        >>> describe_sample(12, 6, True)
        ('12 images of 6 cases', [])
        >>> describe_sample(12, 12, False)[0]
        '12 images of unknown cases'
    """
    few = [too_few_cases(cases)] if cases < FEW_CASES else []
    if cases_known:
        return f"{format_count(images, 'image')} of {format_count(cases, 'case')}", few
    sentence = (
        "Each image is counted as a case of its own: if several are of one case, the confidence intervals are too "
        "narrow. Pass cases=, the case of each image, or a Dataset with cases."
    )
    return f"{format_count(images, 'image')} of unknown cases", [*few, sentence]


def too_few_cases(cases: int) -> str:
    """Return a sentence on what fewer than five cases do not show.

    Example:
        >>> too_few_cases(1)
        'The images are of only 1 case, which is too few to show that heat-maps are better than random maps.'
    """
    are = choose_form(cases, "is", "are")
    return (
        f"The images are of only {format_count(cases, 'case')}, which {are} too few to show that heat-maps are better "
        "than random maps."
    )


def interval_text(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """Return a value with its confidence interval.

    Example:
        >>> interval_text(0.5, 0.25, 0.75), interval_text(0.5, np.nan, np.nan, signed=True)
        ('0.500 (0.250 to 0.750)', '+0.500 (CI not estimable)')
    """
    if not np.isfinite(value):
        return NOT_DEFINED
    sign = "+" if signed else ""
    interval = f"{low:{sign}.3f} to {high:{sign}.3f}" if np.isfinite(low) else f"CI {NOT_ESTIMABLE}"
    return f"{value:{sign}.3f} ({interval})"
