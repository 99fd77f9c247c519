"""An evaluation in a notebook: tables of the metrics and the confusion matrix, and the text of the other sections."""

from __future__ import annotations

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.text_summary import leak_sentence, opening_lines
from breastcls.html_parts import html_list, html_paragraph, html_table, html_text
from breastcls.metrics.number_format import format_number


def show_evaluation(evaluation: EvaluationData) -> str:
    """Return the content of `print(evaluation)` as HTML."""
    parts = [html_paragraph(line) for line in opening_lines(evaluation)]
    for section in SECTIONS.values():
        value = evaluation.value_of(section.name)
        if value is None:
            continue
        if section.name == "metrics":
            rows = [
                [str(name), *(format_number(row[column], 3) for column in ("value", "low", "high"))]
                for name, row in value.iterrows()
            ]
            parts.append(html_table([["metric", "value", f"{evaluation.percent} CI from", "to"], *rows]))
        elif section.name == "confusion":
            head = ["true class, predicted as", *map(str, value.columns)]
            rows = [[str(name), *map(str, counts)] for name, counts in zip(value.index, value.to_numpy(), strict=True)]
            parts.append(html_table([head, *rows], caption="Confusion matrix"))
        else:
            lines = list(section.text(value, evaluation))
            parts.append(f"<div>{html_text(chr(10).join(lines))}<br></div>" if lines else "")
    return "".join(
        [*parts, html_paragraph(leak_sentence(evaluation)), html_list("Limitations", evaluation.limitations)]
    )
