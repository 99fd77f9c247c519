"""The result of comparing models on the same images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pandas as pd

from breastcls.comparison.comparison_tables import comparison_table
from breastcls.files import write_text
from breastcls.intervals.table_export import to_latex, to_markdown
from breastcls.json_values import to_json_values
from breastcls.result import Result

SHOWN = ("balanced_accuracy", "roc_auc", "average_precision", "f1", "mcc", "brier", "log_loss")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """The result of `compare`.

    Attributes:
        metrics: Every metric of every model: index metric, one column per model.
        differences: One row per pair of models and metric (`first`, `second`, `metric`), columns `difference` (first
            minus second), `low`, `high` (its confidence interval, not corrected for multiple comparisons), `p` (paired
            bootstrap over cases, below 0.05 where the 95% interval excludes 0) and `p_holm` (corrected for all pairs
            within the metric).
        tests: One row per pair (`first`, `second`): `delong_p` and `delong_p_holm` of the AUC (over cases; two classes
            of five cases or more), and `mcnemar_p` and `mcnemar_p_holm` of the predicted classes (where each case has
            one); NaN where not defined.
        verdicts: One sentence per pair.
        settings: `bootstrap`, `aggregation`, and the `metric` of the verdicts.
        counts: What was scored, as `Evaluation.counts`.
        limitations: Sentences on the limitations of these numbers.
    """

    metrics: pd.DataFrame
    differences: pd.DataFrame
    tests: pd.DataFrame
    verdicts: tuple[str, ...]
    settings: dict[str, Any]
    counts: dict[str, Any]
    limitations: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables that `to_markdown` and `to_latex` write, by name."""
        return {"metrics": self.metrics, "differences": self.differences, "tests": self.tests}

    def __str__(self) -> str:
        shown = self.metrics.loc[list(SHOWN)].round(3)
        lines = [shown.to_string(na_rep="-"), "", *self.verdicts]
        if self.limitations:
            lines += ["", "Limitations", *(f"  - {limitation}" for limitation in self.limitations)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
        tables = {}
        for name, table in self.tables.items():
            rows = table.reset_index()
            tables[name] = rows.astype(object).where(rows.notna(), None).to_dict("records")
        return {
            **tables,
            "verdicts": list(self.verdicts),
            "settings": dict(self.settings),
            "counts": to_json_values(self.counts),
            "limitations": list(self.limitations),
        }

    def to_markdown(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "differences", digits: int = 3
    ) -> str:
        """Return a table as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            table: "metrics", "differences" or "tests".
            digits: Decimals.

        Raises:
            EvaluationError: If there is no such table.
            OutputError: If it cannot be written.
        """
        return _written(to_markdown(comparison_table(self.tables, table, digits=digits), digits=digits), path)

    def to_latex(
        self, path: str | os.PathLike[str] | None = None, *, table: str = "differences", digits: int = 3
    ) -> str:
        """Return a table as LaTeX for the package booktabs; see `to_markdown`."""
        return _written(to_latex(comparison_table(self.tables, table, digits=digits), digits=digits), path)


def _written(text: str, path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        write_text(path, text)
    return text
