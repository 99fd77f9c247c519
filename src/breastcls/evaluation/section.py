"""A section of an evaluation: what it needs, how it is computed, and how it is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluation_context import EvaluationContext, Need
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.figures.figure_text import FigureText
from breastcls.evaluation.report.any_table import any_table
from breastcls.evaluation.report.blocks import Block, Verdict
from breastcls.intervals.limitations import absent_classes_sentence, few_cases

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cases_of_classes(value: Any, context: EvaluationContext) -> Mapping[str, int]:
    """Return the number of scored cases of each class; nothing where cases are not known."""
    if context.predictions.cases is None:
        return {}
    return {name: int(of_class["cases"]) for name, of_class in context.counts["classes"].items()}


def _nothing(value: Any, of: Any) -> tuple[()]:
    return ()


def without_approval(verdict: Verdict | None, evaluation: EvaluationData) -> Verdict | None:
    """Return a finding that is neutral instead of "good" where a class has fewer than five cases, or no image."""
    few = few_cases(evaluation.counts) or absent_classes_sentence(evaluation.counts)
    if verdict is None or verdict.tone != "good" or not few:
        return verdict
    return dataclasses.replace(verdict, tone="")


def no_blocks(value: Any, evaluation: EvaluationData) -> Sequence[Block]:
    """Return no blocks: for a section whose figures show all of it."""
    return ()


def _no_verdict(value: Any, evaluation: EvaluationData) -> None:
    return None


def _whole_table(value: Any, evaluation: EvaluationData) -> Sequence[Block]:
    return [any_table(evaluation, value, "", "")] if isinstance(value, pd.DataFrame) else []


def _table_itself(value: Any) -> pd.DataFrame | None:
    return value if isinstance(value, pd.DataFrame) else None


@dataclass(frozen=True)
class SectionFigure:
    """A figure of a section.

    Attributes:
        name: What `Evaluation.plot(figure=...)` calls it, such as "roc".
        draw: From the value of the section, the evaluation, and the axes to draw into (None for a new figure) to a
            Matplotlib figure. Matplotlib is imported within, so that `evaluate` does not load it.
        describe: From the same to its alternative text and caption in the report; None for a figure that the report
            leaves out, since a table shows the same.
        width: Width in the report in millimetres: the narrower, the larger is the text in the page.
        height: Height in the report in millimetres; the width if None.
    """

    name: str
    draw: Callable[[Any, EvaluationData, Axes | None], Figure]
    describe: Callable[[Any, EvaluationData], FigureText] | None = None
    width: float = 85.0
    height: float | None = None


@dataclass(frozen=True)
class Section:
    """One section of an evaluation. `register_section` adds it to every evaluation made afterwards.

    The JSON and its schema, the printed text, the figures, and the contents and body of the HTML report follow from it.

    Attributes:
        name: Key in the JSON, and name of the attribute of `Evaluation`: "calibration".
        title: Heading in the report, a term of the field: "Calibration".
        description: What the value holds, in one sentence, for the JSON Schema and the documentation.
        part: Heading of the part of the report that it belongs to; the title by default. Sections of one part are shown
            together, in order of registration.
        needs: What must be given or known for it to be computed.
        compute: From the context to the value: a table, an object with `to_dict`, or a mapping; None where the data
            do not allow it. Without `compute` the section is attached by `Evaluation.with_sections`.
        attachable: Whether `Evaluation.with_sections` may set it; always if there is no `compute`.
        always: Whether every evaluation has it, so that the JSON never holds null.
        columns: Columns that its table has; a table may have more.
        index: Names of the levels of the index, where there are several.
        rows: What each row of the table is, such as "subtype", where the table holds groups: `x_low` and `x_high`
            are the confidence interval of `x`. Limitations on groups of few cases name the table by it.
        schema: JSON Schema of the value, where it is no table, or there is more to check than the names of columns.
        table: From the value to the table that `to_markdown` and `to_latex` write; the value itself by default.
        text: From the value and the evaluation to the lines that `print` shows.
        figures: Its figures.
        report: From the value and the evaluation to the blocks that follow the verdict and the figures in the HTML
            report; by default the table as it is.
        report_absent: The blocks where the evaluation does not have the section; nothing by default.
        verdict: From the value and the evaluation to a finding in words, which the summary of the report repeats.
        glossary: Terms and their explanations for the part "How to read the values" of the report.
        limitations: From the value and the context to sentences to read with it.
        cases: From the value and the context to the number of cases of each class that the value is based on; the
            scored cases of each class by default.
    """

    name: str
    title: str
    description: str
    part: str = ""
    needs: tuple[Need, ...] = ()
    compute: Callable[[EvaluationContext], Any] | None = None
    attachable: bool = False
    always: bool = False
    columns: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    rows: str = ""
    schema: Mapping[str, Any] | None = None
    table: Callable[[Any], pd.DataFrame | None] = _table_itself
    text: Callable[[Any, EvaluationData], Sequence[str]] = _nothing
    figures: tuple[SectionFigure, ...] = ()
    report: Callable[[Any, EvaluationData], Sequence[Block]] = _whole_table
    report_absent: Callable[[EvaluationData], Sequence[Block]] | None = None
    verdict: Callable[[Any, EvaluationData], Verdict | None] = _no_verdict
    glossary: tuple[tuple[str, str], ...] = ()
    limitations: Callable[[Any, EvaluationContext], Sequence[str]] = _nothing
    cases: Callable[[Any, EvaluationContext], Mapping[str, int]] = cases_of_classes

    def verdict_of(self, value: Any, evaluation: EvaluationData) -> Verdict | None:
        """Return the finding; where a class has fewer than five cases, or no image, it is never "good"."""
        return without_approval(self.verdict(value, evaluation), evaluation)

    @property
    def heading(self) -> str:
        """Heading of the part of the report that it belongs to."""
        return self.part or self.title

    @property
    def can_be_attached(self) -> bool:
        """Whether `Evaluation.with_sections` may set it."""
        return self.attachable or self.compute is None

    def check(self, value: Any) -> None:
        """Raise `EvaluationError` unless a value has the form that the section declares.

        Args:
            value: What is to be attached or was computed.

        Raises:
            EvaluationError: If the value is not a table with the columns of the section or, for a section with a
                schema, a mapping.
        """
        if self.schema is not None and not self.columns:
            if not (isinstance(value, Mapping) or hasattr(value, "to_dict")):
                raise EvaluationError(f"`{self.name}` must be a mapping, not {type(value).__name__}.")
            return
        if not isinstance(value, pd.DataFrame) or value.empty:
            found = "an empty table" if isinstance(value, pd.DataFrame) else type(value).__name__
            raise EvaluationError(f"`{self.name}` must be a DataFrame with rows; found {found}.")
        missing = [column for column in self.columns if column not in value.columns]
        if missing:
            raise EvaluationError(
                f"`{self.name}` has no columns {', '.join(missing)}; it has {', '.join(map(str, value.columns))}. "
                f"Expected {', '.join(self.columns)}."
            )
