"""`SplitComparison`: the scores of the same model with several splits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from breastcls.files import write_text
from breastcls.intervals.paired_scores import score_text
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.predictions.predictions import Predictions
from breastcls.result import Result
from breastcls.text_tables import escape_markdown, markdown_table, text_table
from breastcls.training.run import Run

SCHEMA = "breastcls.split-comparison/1"
SPLIT_NAMES = {"image": "image-wise", "slide": "slide-wise", "case": "case-wise"}


@dataclass(frozen=True, eq=False, repr=False)
class SplitComparison(Result):
    """The result of `compare_splits`. Print it, or write it as JSON or Markdown.

    Attributes:
        table: One row per model and split, index `(model, split)`: `model` is "model" or the name of a baseline,
            `split` "image", "slide" or "case"; for each metric `<metric>`, `<metric>_low`, `<metric>_high`; and
            `shared_case_fraction`, the fraction of test images whose case is in training too.
        inflation: One row per model, split and metric, index `(model, split, metric)`: `difference` between that split
            and the case-wise split, `low`, `high`.
        verdicts: Sentences on the effect of the split, and on the model and the baselines with the case-wise split.
        predictions: The pooled predictions by `(model, split)`, all in the order of the data.
        runs: The records of the trainings of each split.
        counts: `images`, `slides`, `cases`, `classes`.
        settings: `folds`, `seed`, `metrics`, `bootstrap`, `fit`, and `model`, its description.
        limitations: Sentences on the limitations of the result.
        environment: Versions and system.
        seconds: Time of each split, trainings and baselines.
    """

    table: pd.DataFrame
    inflation: pd.DataFrame
    verdicts: tuple[str, ...]
    predictions: Mapping[tuple[str, str], Predictions] = field(repr=False)
    runs: Mapping[str, tuple[Run, ...]] = field(repr=False)
    counts: Mapping[str, Any]
    settings: Mapping[str, Any]
    limitations: tuple[str, ...]
    environment: Mapping[str, Any]
    seconds: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self._headline()}\n\n{text_table(self._rows())}\n\n{self._sentences('')}"

    def _headline(self) -> str:
        counts, confidence = self.counts, f"{100 * self.settings['bootstrap']['confidence']:g}%"
        return (
            f"{counts['images']} images, {counts['slides']} slides, {counts['cases']} cases; {self.settings['folds']} "
            f"folds, test folds pooled, seed {self.settings['seed']}; {confidence} confidence intervals over cases"
        )

    def _rows(self, digits: int = 3) -> list[list[str]]:
        metrics = list(self.settings["metrics"])
        names = [metric_title(metric) for metric in metrics]
        rows = [["", "split", *names, "test images of cases in training"]]
        for (name, split), row in zip(self.table.index, self.table.to_dict("records"), strict=True):
            scores = [score_text(row, name, f"{name}_low", f"{name}_high", digits=digits) for name in metrics]
            rows.append([str(name), SPLIT_NAMES[str(split)], *scores, f"{row['shared_case_fraction']:.0%}"])
        return rows

    def _sentences(self, mark: str) -> str:
        return "\n".join([*(f"{mark}{one}" for one in self.verdicts), *(f"{mark}{one}" for one in self.limitations)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values; NaN becomes None."""
        return {
            "schema": SCHEMA,
            "table": table_to_dict(self.table),
            "inflation": table_to_dict(self.inflation),
            "verdicts": list(self.verdicts),
            "limitations": list(self.limitations),
            "counts": to_json_values(self.counts),
            "settings": to_json_values(self.settings),
            "runs": {split: [run.to_dict() for run in runs] for split, runs in self.runs.items()},
            "environment": to_json_values(self.environment),
            "seconds": to_json_values(self.seconds),
        }

    def to_markdown(self, path: str | os.PathLike[str] | None = None, *, digits: int = 3) -> str:
        """Return the table and the sentences as Markdown and, given a path, write them there.

        Args:
            path: Where to write.
            digits: Decimals of the table.

        Raises:
            OutputError: If it cannot be written.
        """
        sentences = "\n".join(map(escape_markdown, self._sentences("- ").splitlines()))
        text = "\n".join([f"{self._headline()}.", "", markdown_table(self._rows(digits)), "", sentences]) + "\n"
        if path is not None:
            write_text(path, text)
        return text
