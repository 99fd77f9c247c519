"""`ProtocolResult`: the rates of the BreakHis protocol, by fold and over all folds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from breastcls.files import write_text
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import escape_markdown, markdown_table, text_table

SCHEMA = "breastcls.breakhis-protocol/1"
RATES = ("image_recognition_rate", "patient_recognition_rate")
SCORES = (*RATES, "balanced_accuracy", "roc_auc")
OFFICIAL, UNSEEN, CASE_CLEAN = "official", "unseen cases", "case-clean"
VARIANTS = {
    OFFICIAL: "the published folds as they are",
    UNSEEN: "the same predictions, on the test images whose case is not in training",
    CASE_CLEAN: "trained without the cases of the test images; all test images",
}
"""The variants that are compared, by name."""


@dataclass(frozen=True, eq=False, repr=False)
class ProtocolResult(Result):
    """What `evaluate_protocol` found. Print it, or write it as JSON or Markdown.

    Attributes:
        by_fold: One row per fold and variant, index `(magnification, fold, variant)`: `train_images`, `test_images`,
            `shared_case_fraction` (of the test images, those whose case is in training), and `image_recognition_rate`,
            `patient_recognition_rate`, `balanced_accuracy`, `roc_auc`. NaN where a metric is not defined in a fold.
        missing: Sentences on which images, folds and classes are missing.
        predictions: By `(magnification, fold, variant)`.
        settings: `seed`, `fit`, and `external`: whether the predictions were given.
        environment: Versions and system.
        seconds: How long it took.
    """

    by_fold: pd.DataFrame
    missing: tuple[str, ...]
    predictions: Mapping[tuple[int, int, str], Predictions] = field(repr=False)
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    seconds: float

    @property
    def summary(self) -> pd.DataFrame:
        """Over the folds, as the paper reports it: index `(magnification, variant)`.

        Columns `folds`, and for each metric `<metric>_mean` and `<metric>_sd` (of the sample; NaN for one fold). The
        folds share images, so that the sd describes how much they vary and is no standard error.
        """
        rows: dict[tuple[int, str], dict[str, float]] = {}
        for key, group in self.by_fold.groupby(level=["magnification", "variant"], sort=False):
            row: dict[str, float] = {"folds": len(group)}
            for metric in SCORES:
                values = group[metric].dropna().to_numpy()
                row[f"{metric}_mean"] = float(values.mean()) if len(values) else np.nan
                row[f"{metric}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
            rows[key] = row  # type: ignore[index]
        table = pd.DataFrame.from_dict(rows, orient="index").astype({"folds": np.int64})
        table.index = pd.MultiIndex.from_tuples(list(rows), names=["magnification", "variant"])
        return table

    def _rows(self, digits: int = 3) -> list[list[str]]:
        rows = [["magnification", "folds", "variant", "image rate", "patient rate", "test images of training cases"]]
        shares = self.by_fold.groupby(level=["magnification", "variant"], sort=False)["shared_case_fraction"].mean()
        summary = self.summary
        for (magnification, variant), row in zip(summary.index, summary.to_dict("records"), strict=True):
            rates = [_percent(row[f"{rate}_mean"], row[f"{rate}_sd"], digits) for rate in RATES]
            share = f"{shares[magnification, variant]:.0%}"
            rows.append([f"{magnification}X", str(row["folds"]), str(variant), *rates, share])
        return rows

    def _legend(self) -> list[str]:
        variants = self.by_fold.index.get_level_values("variant")
        return [f"{name}: {VARIANTS[name]}" for name in VARIANTS if name in variants]

    def __str__(self) -> str:
        head = "BreakHis protocol: mean and sd over the published folds, in percent; a slide counts as a patient"
        missing = ["", "Missing", *(f"  - {sentence}" for sentence in self.missing)] if self.missing else []
        return "\n".join([head, "", text_table(self._rows()), "", *self._legend(), *missing])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values; NaN becomes None."""
        return {
            "schema": SCHEMA,
            "summary": table_to_dict(self.summary),
            "by_fold": table_to_dict(self.by_fold),
            "missing": list(self.missing),
            "settings": to_json_values(self.settings),
            "environment": to_json_values(self.environment),
            "seconds": self.seconds,
        }

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            digits: Decimals of the rates as fractions; in percent, as they are written, two fewer.

        Raises:
            OutputError: If it cannot be written.
        """
        lines = [markdown_table(self._rows(digits)), ""]
        lines += [f"- {escape_markdown(sentence)}" for sentence in (*self._legend(), *self.missing)]
        text = "\n".join(lines) + "\n"
        if path is not None:
            write_text(path, text)
        return text


def _percent(mean: float, sd: float, digits: int = 3) -> str:
    if np.isnan(mean):
        return "not defined"
    decimals = max(0, digits - 2)
    return f"{100 * mean:.{decimals}f}" + ("" if np.isnan(sd) else f" ± {100 * sd:.{decimals}f}")
