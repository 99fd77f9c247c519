"""The report of an evaluation: one HTML file that opens without a network."""

from __future__ import annotations

import base64
import hashlib
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from breastcls._version import __version__
from breastcls.files import write_text
from breastcls.reporting import card, drawing, provenance, report_tables, scores, sections, wording
from breastcls.reporting.mistakes import find_mistakes, show_mistakes

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def write_report(
    evaluation: Evaluation, path: str | os.PathLike[str], *, title: str | None = None, thumbnails: int = 12
) -> Path:
    """Write an evaluation as one HTML file, whole or not at all.

    The file asks nothing of any network: style, script, drawings and pictures are inside it. The same
    evaluation gives the same bytes in the same environment. Its model card follows the items of TRIPOD+AI
    (DOI 10.1136/bmj-2023-078378) and CLAIM (DOI 10.1148/ryai.2020200029) that an evaluation can answer.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        path: Where to write; folders are made.
        title: Heading of the report; says the task if None.
        thumbnails: How many of the most confident mistakes to show, 0 to 100.

    Returns:
        The path written.

    Raises:
        EvaluationError: If `thumbnails` is out of range.
        OutputError: If the file cannot be written.
    """
    return write_text(path, render_report(evaluation, title=title, thumbnails=thumbnails))


def render_report(evaluation: Evaluation, *, title: str | None = None, thumbnails: int = 12) -> str:
    """Return the report as text; see `write_report`."""
    environment = Environment(
        loader=PackageLoader("breastcls.reporting", "templates"),
        autoescape=True,  # names of files, classes and cases come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = _read_template("script.js")
    style = environment.get_template("style.css.j2").render()
    classes = evaluation.predictions.classes
    mistakes = find_mistakes(evaluation.predictions)
    context: dict[str, Any] = {
        "title": title if title is not None else _task_title(classes),
        "script": Markup(script),  # our own files, the only text that is not escaped
        "style": Markup(style),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        "version": __version__,
        "unit": scores.unit_of(evaluation),
        "percent": scores.percent_of(evaluation),
        "settings": evaluation.settings,
        "sample": sections.sample_in_words(evaluation),
        "task": sections.task_in_words(evaluation),
        "balanced_accuracy": sections.headline_score(evaluation, "balanced_accuracy"),
        "roc_auc": sections.headline_score(evaluation, "roc_auc"),
        "key_figures": sections.key_figures(evaluation),
        "leak_allowed": evaluation.leak_allowed,
        "audit": sections.audit_verdict(evaluation),
        "audit_facts": sections.audit_facts(evaluation),
        "training_facts": provenance.training_facts(evaluation),
        "sample_facts": card.sample_facts(evaluation),
        "baseline": report_tables.baseline_table(evaluation),
        "baseline_verdict": sections.baseline_verdict(evaluation),
        "metrics": report_tables.metrics_table(evaluation),
        "charts": [drawing.draw_roc(evaluation), drawing.draw_precision_recall(evaluation)],
        "confusion": _confusion(evaluation),
        "groups": [
            (name, table)
            for name, table in (
                ("By class", report_tables.class_table(evaluation)),
                ("By subtype", report_tables.subtype_table(evaluation)),
                ("By magnification", report_tables.magnification_table(evaluation)),
            )
            if table is not None
        ],
        "mistakes": show_mistakes(evaluation.predictions, thumbnails),
        "mistake_count": wording.format_count(len(mistakes), "mistake"),
        "mistake_total": len(mistakes),
        "mistake_cases": _cases_of(evaluation, mistakes.tolist()),
        "caveats": evaluation.caveats,
        "glossary": [wording.describe_metric(str(name)) for name in evaluation.metrics.index],
        "card": card.model_card(evaluation),
        "seed": evaluation.settings.get("seed"),
        "number": wording.format_number,
    }
    return environment.get_template("report.html.j2").render(context)


def _read_template(name: str) -> str:
    return resources.files("breastcls.reporting").joinpath("templates", name).read_text(encoding="utf-8")


def _task_title(classes: tuple[str, ...]) -> str:
    if len(classes) == 2:
        return f"{classes[0][:1].upper()}{classes[0][1:]} or {classes[1]}"
    return f"{len(classes)} classes of breast tissue"


def _confusion(evaluation: Evaluation) -> dict[str, Any]:
    names = [str(name) for name in evaluation.confusion.columns]
    rows = []
    for index, (name, counts) in enumerate(evaluation.confusion.iterrows()):
        total = int(counts.sum())
        cells = [
            {
                "count": f"{int(count):,}",
                "share": float(count) / total if total else 0.0,
                "percent": f"{100 * count / total:.0f}%" if total else "–",
                "right": index == column,
            }
            for column, count in enumerate(counts)
        ]
        rows.append({"name": str(name), "total": f"{total:,}", "cells": cells})
    return {"names": names, "rows": rows, "many": len(names) > 4}


def _cases_of(evaluation: Evaluation, rows: list[int]) -> str:
    cases = evaluation.predictions.cases
    if cases is None:
        return ""
    return wording.format_count(len({str(cases[row]) for row in rows}), "case")
