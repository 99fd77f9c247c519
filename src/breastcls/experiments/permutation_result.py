"""`PermutationTest`: the result of `permutation_test`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.errors import EvaluationError
from breastcls.intervals.limitations import few_cases
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.metrics.classification_metrics import LOSSES
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.result import Result
from breastcls.text_tables import choose_form, limitation_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCHEMA = "breastcls.permutation-test/1"
Kind = Literal["pooled", "mean_over_folds"]
KINDS: dict[str, str] = {"pooled": "pooled over folds", "mean_over_folds": "mean over folds"}
RANGE = 0.95
ONLY_THESE = " With fewer than five cases of a class this holds for these cases, and does not show it for others."


def permutation_p(observed: float, null: npt.NDArray[np.float64], *, lower_is_better: bool = False) -> float:
    """Return (b + 1) / (m + 1), where b of m values of the null distribution are at least as good as the observed one.

    Phipson & Smyth 2010, DOI 10.2202/1544-6115.1585: the observed labels are one of the permutations, so p is never 0.

    Example:
        >>> permutation_p(0.9, np.array([0.4, 0.5, 0.95, 0.6]))
        0.4
    """
    # Equal scores may differ by a rounding error.
    better = null <= observed + 1e-12 if lower_is_better else null >= observed - 1e-12
    return float((better.sum() + 1) / (len(null) + 1))


@dataclass(frozen=True, eq=False, repr=False)
class PermutationTest(Result):
    """The result of `permutation_test`.

    Attributes:
        metric: The metric that was tested.
        observed: Its value with the true labels: `pooled` over the predictions of all folds, and `mean_over_folds`.
        null: Its values with permuted labels, of the same two kinds.
        null_hypothesis: What is tested, in a sentence.
        counts: Images and cases, as `Evaluation.counts`.
        settings: `folds`, `by`, `seed`, `permute`, `strata`, `level`, `val_fraction`, and whether features were kept.
        distinct: Number of different ways to permute the labels, those that only exchange the names of classes counted
            once; at most 10^9 are counted.
    """

    metric: str
    observed: Mapping[str, float]
    null: Mapping[str, tuple[float, ...]]
    null_hypothesis: str
    counts: Mapping[str, Any]
    settings: Mapping[str, Any]
    distinct: int

    @property
    def table(self) -> pd.DataFrame:
        """Both kinds of score: `observed`, `null_mean`, `null_low`, `null_high` (95% of the null), `p`.

        p is (b + 1) / (m + 1), where b of m permutations score at least as well as the true labels, and not below
        1 / `distinct`.
        """
        return pd.DataFrame([self._row(kind) for kind in KINDS], index=pd.Index(list(KINDS), name="score"))

    @property
    def p(self) -> float:
        """The p-value of the pooled score."""
        return self._row("pooled")["p"]

    @property
    def smallest_p(self) -> float:
        """The smallest p-value that these permutations and cases allow."""
        return max(1 / (len(self.null["pooled"]) + 1), 1 / self.distinct)

    def _row(self, kind: str) -> dict[str, float]:
        observed, null = self.observed[kind], np.array(self.null[kind])
        null = null[np.isfinite(null)]
        if not np.isfinite(observed) or not len(null):
            return {"observed": observed, **dict.fromkeys(("null_mean", "null_low", "null_high", "p"), float("nan"))}
        low, high = np.quantile(null, [(1 - RANGE) / 2, (1 + RANGE) / 2])
        # With few different permutations the observed labels are among the drawn ones, as often as chance has it.
        p = max(permutation_p(observed, null, lower_is_better=self.metric in LOSSES), 1 / self.distinct)
        return {"observed": observed, "null_mean": null.mean(), "null_low": low, "null_high": high, "p": p}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One sentence for each kind of score."""
        return tuple(self._verdict(kind, row) for kind, row in self.table.to_dict("index").items())

    def _verdict(self, kind: Any, row: Mapping[Any, float]) -> str:
        name = f"{metric_title(self.metric, capital=True)} {KINDS[kind]}"
        if not np.isfinite(row["p"]):
            return f"{name}: not defined."
        chance = (
            f"{name} {row['observed']:.3f}; with permuted labels {row['null_mean']:.3f} on average, 95% of them "
            f"{row['null_low']:.3f} to {row['null_high']:.3f}; p = {row['p']:.2g}"
        )
        if self.smallest_p >= 1 - RANGE:
            few = "cases" if 1 / self.distinct >= 1 - RANGE else "permutations"
            return f"{chance}: the {few} are too few to show that the classes are distinguished."
        if row["p"] < 1 - RANGE:
            return f"{chance}: better than permuted labels.{ONLY_THESE if few_cases(self.counts) else ''}"
        worse = row["observed"] > row["null_mean"] if self.metric in LOSSES else row["observed"] < row["null_mean"]
        if worse:
            return (
                f"{chance}: no evidence that the classes are distinguished. A score below that of permuted labels does "
                "not mean that reversed predictions would be right; it is what this procedure gives by chance, or a "
                "sign that folds differ."
            )
        return f"{chance}: no evidence that the classes are distinguished."

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences to read with the p-values."""
        count = len(self.null["pooled"])
        found = list(few_cases(self.counts))
        if self.distinct < 200:
            ways = f"{self.distinct} different {choose_form(self.distinct, 'way')}"
            found.append(f"The labels can be permuted in only {ways}: p is at least {1 / self.distinct:.2g}.")
        if count < 99 and 1 / (count + 1) > 1 / self.distinct:
            found.append(f"{count} permutations are few: p is at least {1 / (count + 1):.2g}. Use 200 or more.")
        return tuple(found)

    def __str__(self) -> str:
        counts, settings = self.counts, self.settings
        lines = [
            f"Permutation test of the {metric_title(self.metric)} by {settings['level']}: "
            f"{len(self.null['pooled'])} permutations, {settings['folds']} folds by {settings['by']}, seed "
            f"{settings['seed']}; {counts['images']} images of {counts['cases']} cases",
            f"Null hypothesis: {self.null_hypothesis}",
            "",
            *self.verdicts,
        ]
        return "\n".join([*lines, *limitation_lines(self.limitations)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
        return {
            "schema": SCHEMA,
            "metric": self.metric,
            "null_hypothesis": self.null_hypothesis,
            "distinct_permutations": self.distinct,
            "table": table_to_dict(self.table),
            "null": to_json_values(self.null),
            "verdicts": list(self.verdicts),
            "limitations": list(self.limitations),
            "counts": to_json_values(self.counts),
            "settings": to_json_values(self.settings),
        }

    def plot(
        self, path: str | os.PathLike[str] | None = None, *, kind: Kind = "pooled", axes: Axes | None = None
    ) -> Figure:
        """Draw the null distribution with the observed score; given a path, save it as SVG, PNG or PDF.

        Args:
            path: Where to save; the suffix chooses the format.
            kind: "pooled" or "mean_over_folds".
            axes: Axes to draw into; None for a new figure.

        Raises:
            EvaluationError: If there is no such kind, or its score is not defined.
            OutputError: If the file cannot be written.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.experiments.permutation_figure import plot_null

        check_choice("kind", kind, tuple(KINDS), error=EvaluationError)
        row: Any = self.table.loc[kind]
        if not np.isfinite(row["p"]):
            raise EvaluationError(f"The {metric_title(self.metric)} {KINDS[kind]} is not defined, so it is not drawn.")
        label = f"{metric_title(self.metric, capital=True)} by {self.settings['level']}, {KINDS[kind]}"
        return export_figure(plot_null(self.null[kind], row.to_dict(), label, axes), path)
