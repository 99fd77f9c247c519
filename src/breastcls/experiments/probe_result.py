"""`ProbeResult`: the result of `probe`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd

from breastcls.drawing.paged_result import PagedResult
from breastcls.errors import EvaluationError
from breastcls.experiments.permutation_result import PermutationTest
from breastcls.experiments.probe_tables import CURVE_NOTE, curve_rows, probe_headline, probe_rows
from breastcls.files import export_text
from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.intervals.table_export import latex_table
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.predictions.predictions import Predictions
from breastcls.text_tables import escape_markdown, limitation_lines, markdown_table, wide_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from breastcls.drawing.result_page import PagePart

SCHEMA = "breastcls.probe/1"
Table = Literal["scores", "few_shot"]


@dataclass(frozen=True, eq=False, repr=False)
class ProbeResult(PagedResult):
    """The result of `probe`. Print it, plot it, or write it as HTML, JSON, Markdown or LaTeX.

    Attributes:
        table: One row per encoder and probe, and per baseline (`probe` is "baseline"), index `(encoder, probe)`; for
            each metric the value of the pooled predictions `<metric>` with `<metric>_low`, `<metric>_high`, and
            `<metric>_mean_over_folds`; where the images are known `difference`, `difference_low`, `difference_high`:
            the first metric minus that of the first baseline, paired over cases; and with permutations `p` and
            `p_mean_over_folds`.
        few_shot: One row per encoder, probe and number of training cases per class, index `(encoder, probe,
            cases_per_class)`: each metric as the mean over draws with its confidence interval, and `<metric>_lowest`
            and `<metric>_highest` of single draws; None without few-shot curves.
        predictions: The out-of-fold predictions of each image by `(encoder, probe)`.
        permutation_tests: By `(encoder, probe)`, for the first metric; empty without permutations.
        verdicts: Sentences on the comparison with the baseline and with permuted labels.
        counts: Images, cases and classes of each set of images, by the name of its first encoder.
        settings: The arguments, `levels` by encoder among them.
        limitations: Sentences on the limitations of the result.
        environment: Versions and system.
        seconds: Time of each encoder.
    """

    _page_title: ClassVar[str] = "Probes of encoders"

    table: pd.DataFrame
    few_shot: pd.DataFrame | None
    predictions: Mapping[tuple[str, str], Predictions] = field(repr=False)
    permutation_tests: Mapping[tuple[str, str], PermutationTest] = field(repr=False)
    verdicts: tuple[str, ...]
    counts: Mapping[str, Any]
    settings: Mapping[str, Any]
    limitations: tuple[str, ...]
    environment: Mapping[str, Any]
    seconds: Mapping[str, float]

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of `table`."""
        return self.table.copy()

    def __str__(self) -> str:
        parts = [
            probe_headline(self.counts, self.settings),
            "",
            wide_table(probe_rows(self.table, self.settings), names=2),
        ]
        if self.few_shot is not None:
            parts += ["", CURVE_NOTE, wide_table(curve_rows(self.few_shot, self.settings), names=3)]
        return "\n".join([*parts, "", *self.verdicts, *limitation_lines(self.limitations)])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        curves = "" if self.few_shot is None else html_table(curve_rows(self.few_shot, self.settings), names=3)
        return (
            html_paragraph(probe_headline(self.counts, self.settings))
            + html_table(probe_rows(self.table, self.settings), names=2)
            + (html_paragraph(CURVE_NOTE) + curves if curves else "")
            + html_list("Verdicts", self.verdicts)
            + html_list("Limitations", self.limitations)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON values; NaN becomes None."""
        return {
            "schema": SCHEMA,
            "table": table_to_dict(self.table),
            "few_shot": None if self.few_shot is None else table_to_dict(self.few_shot),
            "permutation_tests": [
                {"encoder": encoder, "probe": head, **test.to_dict()}
                for (encoder, head), test in self.permutation_tests.items()
            ],
            "verdicts": list(self.verdicts),
            "limitations": list(self.limitations),
            "counts": to_json_values(self.counts),
            "settings": to_json_values(self.settings),
            "environment": to_json_values(self.environment),
            "seconds": to_json_values(self.seconds),
        }

    def to_markdown(
        self, path: str | os.PathLike[str] | None = None, *, table: Table = "scores", digits: int = 3
    ) -> str:
        """Return a table with the verdicts and limitations as Markdown and, given a path, write it there.

        Args:
            path: Where to write.
            table: "scores" or "few_shot".
            digits: Decimals.

        Raises:
            EvaluationError: If there is no such table.
            OutputError: If it cannot be written.
        """
        sentences = [f"- {escape_markdown(one)}" for one in (*self.verdicts, *self.limitations)]
        rows = markdown_table(self._rows(table, digits))
        text = "\n".join([probe_headline(self.counts, self.settings), "", rows, "", *sentences]) + "\n"
        return export_text(text, path)

    def to_latex(self, path: str | os.PathLike[str] | None = None, *, table: Table = "scores", digits: int = 3) -> str:
        """Return a table as LaTeX for the package booktabs; see `to_markdown`."""
        text = latex_table(self._rows(table, digits), names=2 if table == "scores" else 3)
        return export_text(text, path)

    def _page_parts(self) -> list[PagePart]:
        from breastcls.drawing.html_figure import figure_to_html
        from breastcls.drawing.result_page import PagePart, table_part

        figure = figure_to_html(self.plot(), "The first metric of each encoder and probe.", key="probes")
        parts = [
            PagePart(
                "", html_paragraph(probe_headline(self.counts, self.settings)) + html_list("Result", self.verdicts)
            ),
            PagePart("Encoders and probes", str(figure)),
            table_part("", probe_rows(self.table, self.settings), names=2),
        ]
        if self.few_shot is not None:
            curves = figure_to_html(self.plot(kind="few_shot"), "Few-shot curves.", key="curves")
            parts += [
                PagePart("Few-shot curves", str(curves)),
                table_part(CURVE_NOTE, curve_rows(self.few_shot, self.settings), names=3),
            ]
        parts.append(PagePart("Limitations", html_list("", self.limitations)))
        return parts

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        kind: Table = "scores",
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw the first metric of every row with its confidence interval, or few-shot curves; given a path, save it.

        Args:
            path: Where to save, as `.svg`, `.png` or `.pdf`.
            kind: "scores" or "few_shot".
            width_mm: Width in millimetres; default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If there are no few-shot curves.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.experiments.probe_figure import plot_curves, plot_scores

        self._check(kind)
        if kind == "scores":
            figure = plot_scores(self.table, self.settings)
        else:
            assert self.few_shot is not None
            figure = plot_curves(self.few_shot, self.settings)
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)

    def _check(self, table: str) -> None:
        known = ("scores",) if self.few_shot is None else ("scores", "few_shot")
        if table not in known:
            raise EvaluationError(
                f"There is no {table!r} in this result, which has {', '.join(known)}; few-shot curves come from "
                "probe(..., few_shot=(1, 2, 5))."
            )

    def _rows(self, table: str, digits: int) -> list[list[str]]:
        self._check(table)
        if table == "scores":
            return probe_rows(self.table, self.settings, digits)
        assert self.few_shot is not None
        return curve_rows(self.few_shot, self.settings, digits)
