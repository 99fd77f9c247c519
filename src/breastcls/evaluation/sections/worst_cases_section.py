"""The cases with the largest share of misclassified images."""

from __future__ import annotations

import pandas as pd

from breastcls.datasets.subtype_names import describe_subtype
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Block, Cell, Column, Paragraph, Table
from breastcls.evaluation.report.table_cells import count_cell, sort_value, text_cell
from breastcls.evaluation.section import Section
from breastcls.evaluation.worst_cases import rank_cases
from breastcls.metrics.number_format import choose_form, format_count, format_number

# A longer table makes the page large; the JSON holds all cases.
MOST_CASES = 12


def worst_case_table(worst_cases: pd.DataFrame) -> Table | None:
    """Return the cases with misclassified images, or None where there are none."""
    wrong = worst_cases[worst_cases["mistakes"] > 0]
    if wrong.empty:
        return None
    rows = []
    has_subtype = "subtype" in wrong
    for name, row in zip(wrong.index[:MOST_CASES], wrong[:MOST_CASES].to_dict("records"), strict=True):
        cells = [text_cell(str(name)), text_cell(str(row["class"]))]
        cells += [Cell(describe_subtype(str(row["subtype"])), str(row["subtype"]))] if has_subtype else []
        cells += [count_cell(row[count]) for count in ("images", "mistakes")]
        cells.append(Cell(f"{100 * row['error']:.0f}%", sort_value(row["error"])))
        cells.append(Cell(format_number(row["probability"], 2), sort_value(row["probability"])))
        rows.append(tuple(cells))
    columns = [Column("Case", "text"), Column("Class", "text"), *([Column("Subtype", "text")] * has_subtype)]
    titles = ("Images", "Misclassified", "Error rate", "Probability of the true class")
    columns += [Column(title, "number") for title in titles]
    some = "" if len(rows) == len(wrong) else f", of which the {len(rows)} with the highest error rate are shown"
    caption = (
        f"{len(wrong):,} of {format_count(len(worst_cases), 'case')} {choose_form(len(wrong), 'has', 'have')} "
        f"misclassified images{some}."
    )
    return Table(caption, tuple(columns), tuple(rows))


def _report(worst_cases: pd.DataFrame, evaluation: EvaluationData) -> list[Block]:
    table = worst_case_table(worst_cases)
    return [Paragraph("No misclassified images.") if table is None else table]


SECTION = Section(
    name="worst_cases",
    title="Misclassified cases",
    description="One row per case, sorted by the share of misclassified images.",
    compute=lambda context: rank_cases(context.predictions),
    columns=("class", "images", "mistakes", "error", "probability", "log_loss"),
    report=_report,
)
