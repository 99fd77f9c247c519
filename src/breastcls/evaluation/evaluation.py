"""Evaluation: every figure of a test set with its interval, in one object."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.evaluation.predictions import Predictions
from breastcls.files import write_text

if TYPE_CHECKING:
    from breastcls.datasets.leakage import LeakageReport

# Grows with the fields that `to_dict` writes; a reader can refuse what it does not know.
SCHEMA = "breastcls.evaluation/1"
HEADLINE = ("balanced_accuracy", "roc_auc")


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What `breastcls.evaluate` found. Print it, plot it, write it as HTML or JSON.

    Attributes:
        metrics: One row a metric, columns `value`, `low`, `high`; NaN where a figure is not defined.
        per_class: One row a class: `precision`, `recall`, `specificity`, `f1`, each also with `_low` and `_high`, and
            the counts `images` and `cases`.
        confusion: int, one row a true class, one column a decided class.
        roc: Two classes: columns `threshold`, `fpr`, `tpr`, `low`, `high`; `low` and `high` bound `tpr` at that `fpr`.
            More: one curve a class against the rest, one below the other, with a column `class`.
        precision_recall: Columns `threshold`, `recall`, `precision`, `low`, `high`, and `class` as in `roc`.
        predictions: What was scored, at the level it was scored at.
        counts: `images`, `slides`, `cases`, `classes` ({class: {`images`, `cases`}}).
        settings: `resamples`, `confidence`, `interval`, `seed`, `level`, `how`, `threshold`, `average`.
        by_subtype: One row a subtype: `images`, `slides`, `cases`, and `accuracy`, `balanced_accuracy`, `roc_auc`,
            each also with `_low` and `_high`. None where no subtype is known.
        by_magnification: The same by magnification.
        colour_baseline: What six colour numbers an image reach on the same split, shaped as `metrics`. None where no
            training set was given.
        leakage: The audit of training against test images, or None.
        leak_allowed: Whether a leak was found and the caller went on knowingly.
        caveats: Plain sentences on what to keep in mind with these numbers.
        model: What is known of the model: `classes`, `backbone`, `provenance`, ... Empty for foreign predictions.
    """

    metrics: pd.DataFrame
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    roc: pd.DataFrame
    precision_recall: pd.DataFrame
    predictions: Predictions
    counts: Mapping[str, Any]
    settings: Mapping[str, Any]
    by_subtype: pd.DataFrame | None = None
    by_magnification: pd.DataFrame | None = None
    colour_baseline: pd.DataFrame | None = None
    leakage: LeakageReport | None = None
    leak_allowed: bool = False
    caveats: tuple[str, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [self._headline(), self._origin(), "", _metrics_text(self.metrics, self.settings)]
        if self.colour_baseline is not None:
            lines.append("")
            lines.append("Colour alone (mean and sd of R, G, B; no network) on the same split")
            lines.extend(
                f"  {name:<26}{_interval_text(self.colour_baseline.loc[name])}"
                for name in HEADLINE
                if name in self.colour_baseline.index
            )
        lines += ["", "Confusion (rows true, columns decided)", self.confusion.to_string()]
        if self.leak_allowed:
            lines += ["", "LEAK: training and test images are not independent, and this was allowed by the caller."]
        if self.caveats:
            lines += ["", "Keep in mind"] + [f"  - {caveat}" for caveat in self.caveats]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Evaluation({self._headline()})"

    def _headline(self) -> str:
        titles = {"balanced_accuracy": "Balanced accuracy", "roc_auc": "AUC"}
        return ", ".join(f"{titles[name]} {_interval_text(self.metrics.loc[name])}" for name in HEADLINE)

    def _origin(self) -> str:
        counts = self.counts
        classes = ", ".join(f"{name} {of['images']} of {of['cases']} cases" for name, of in counts["classes"].items())
        slides = f", {counts['slides']} slides" if counts.get("slides") else ""
        confidence = f"{100 * self.settings['confidence']:g}%"
        return (
            f"{counts['images']} images{slides}, {counts['cases']} cases ({classes}); by {self.settings['level']}; "
            f"{confidence} intervals over cases"
        )

    def print(self) -> None:
        """Print everything as a table."""
        print(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single predictions as plain dicts, lists, numbers and strings; NaN becomes None."""
        tables = {
            name: None if getattr(self, name) is None else _table_to_dict(getattr(self, name))
            for name in (
                "metrics",
                "per_class",
                "confusion",
                "roc",
                "precision_recall",
                "by_subtype",
                "by_magnification",
                "colour_baseline",
            )
        }
        return {
            "schema": SCHEMA,
            "counts": _plain(self.counts),
            "settings": _plain(self.settings),
            **tables,
            "leakage": None if self.leakage is None else _plain(self.leakage.to_dict()),
            "leak_allowed": self.leak_allowed,
            "caveats": list(self.caveats),
            "model": _plain(self.model),
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return `to_dict()` as JSON and, given a path, write it there."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        if path is not None:
            write_text(path, text + "\n")
        return text

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw curves, confusion matrix and intervals on one `matplotlib.figure.Figure`; given a path, save it."""
        from breastcls.reporting.plots import plot_evaluation

        figure = plot_evaluation(self)
        if path is not None:
            from breastcls.files import atomic_path

            with atomic_path(path) as temporary:
                figure.savefig(temporary)
        return figure

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one HTML file that opens offline, and return its path."""
        from breastcls.reporting.html import write_report

        return Path(write_report(self, path))


def _interval_text(row: Any) -> str:
    if np.isnan(row["value"]):
        return "not defined"
    if np.isnan(row["low"]):
        return f"{row['value']:.3f} (no interval)"
    return f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})"


def _metrics_text(metrics: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    percent = f"{100 * settings['confidence']:g}%"
    lines = [f"{'':<28}{'value':>7}   {percent + ' interval':<16}"]
    for name, row in metrics.iterrows():
        value = "-" if np.isnan(row["value"]) else f"{row['value']:.3f}"
        interval = "-" if np.isnan(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"
        lines.append(f"  {name!s:<26}{value:>7}   {interval}")
    return "\n".join(lines)


def _table_to_dict(table: pd.DataFrame) -> dict[str, Any]:
    return {
        "index": [_plain(value) for value in table.index.tolist()],
        "columns": [str(name) for name in table.columns],
        "data": [[_plain(value) for value in row] for row in table.astype(object).to_numpy().tolist()],
    }


def _plain(value: Any) -> Any:
    """Turn what NumPy and pandas hold into what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return [_plain(inner) for inner in value.tolist()]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return str(value)
