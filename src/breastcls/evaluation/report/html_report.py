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
from breastcls.drawing.theme import theme_css
from breastcls.evaluation.figures.evaluation_figures import figure_html, perturbations_html
from breastcls.evaluation.report import (
    findings,
    model_card_section,
    provenance,
    report_tables,
    report_text,
    section_tables,
    settings_text,
)
from breastcls.evaluation.report.gallery import show_gallery
from breastcls.files import write_text
from breastcls.metrics import metric_descriptions

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation
    from breastcls.explanation.explanation import Explanation


def write_report(
    evaluation: Evaluation,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    thumbnails: int = 12,
    model: Any = None,
    heatmaps: Explanation | None = None,
    method: str = "grad-cam",
) -> Path:
    """Write an evaluation as one HTML file, whole or not at all.

    The file asks nothing of any network: style, script, drawings and pictures are inside it. The same
    evaluation gives the same bytes in the same environment. Its model card follows the items of TRIPOD+AI
    (DOI 10.1136/bmj-2023-078378) and CLAIM (DOI 10.1148/ryai.240300) that an evaluation can answer.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        path: Where to write; folders are made.
        title: Heading of the report; says the task if None.
        thumbnails: How many of the most confident mistakes to show, 0 to 100.
        model: The model that was scored, or its file: the mistakes shown are explained.
        heatmaps: Heat-maps made before, instead of a model.
        method: How the model is explained; see `breastcls.explain`.

    Returns:
        The path written.

    Raises:
        EvaluationError: If `thumbnails` is out of range, or both a model and heat-maps are given.
        ExplanationError: If the model or the method cannot be used.
        OutputError: If the file cannot be written.
    """
    text = render_report(evaluation, title=title, thumbnails=thumbnails, model=model, heatmaps=heatmaps, method=method)
    return write_text(path, text)


def render_report(
    evaluation: Evaluation,
    *,
    title: str | None = None,
    thumbnails: int = 12,
    model: Any = None,
    heatmaps: Explanation | None = None,
    method: str = "grad-cam",
) -> str:
    """Return the report as text; see `write_report`."""
    environment = Environment(
        loader=PackageLoader("breastcls.evaluation.report", "templates"),
        autoescape=True,  # names of files, classes and cases come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    script = _read_template("script.js")
    style = theme_css() + _read_template("style.css")
    classes = evaluation.predictions.classes
    context: dict[str, Any] = {
        "title": title if title is not None else _task_title(classes),
        "script": Markup(script),  # our own files, the only text that is not escaped
        "style": Markup(style),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        "version": __version__,
        "unit": settings_text.unit_of(evaluation),
        "percent": settings_text.percent_of(evaluation),
        "positive": classes[-1],
        "seed": evaluation.settings["bootstrap"]["seed"],
        "number": metric_descriptions.format_number,
        **_results(evaluation),
        **_decisions(evaluation),
        **_attached(evaluation),
        **show_gallery(evaluation, thumbnails, model=model, heatmaps=heatmaps, method=method),
        "limitations": evaluation.limitations,
        "glossary": [metric_descriptions.describe_metric(str(name)) for name in evaluation.metrics.index],
        "card": model_card_section.model_card(evaluation),
    }
    context["contents"] = [(key, name) for key, name, needs in _CONTENTS if not needs or any(map(context.get, needs))]
    return environment.get_template("report.html.j2").render(context)


# Sections in their order: id, name in the list of contents, and what must be there for the section to be.
_CONTENTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("result", "Result", ()),
    ("audit", "Leak audit", ()),
    ("trained", "Trained on", ()),
    ("colour", "Yardsticks", ()),
    ("metrics", "All metrics", ()),
    ("curves", "Curves", ()),
    ("probabilities", "Probabilities", ("reliability",)),
    ("decisions", "Decisions", ()),
    ("confusion", "Confusion", ()),
    ("groups", "Groups", ()),
    ("robustness", "Robustness", ("robustness",)),
    ("doubt", "Doubt", ("ood", "risk_coverage", "conformal_facts", "conformal_tables")),
    ("mistakes", "Mistakes", ()),
    ("limitations", "Limitations", ("limitations",)),
    ("reading", "How to read", ()),
    ("card", "Model card", ()),
)


def _results(evaluation: Evaluation) -> dict[str, Any]:
    training = provenance.training_facts(evaluation)
    return {
        "settings": evaluation.settings,
        "sample": report_text.sample_in_words(evaluation),
        "task": report_text.task_in_words(evaluation),
        "balanced_accuracy": report_text.headline_score(evaluation, "balanced_accuracy"),
        "roc_auc": report_text.headline_score(evaluation, "roc_auc"),
        "key_figures": report_text.key_figures(evaluation),
        "in_short": findings.in_short(evaluation),
        "leak_allowed": evaluation.leak_allowed,
        "audit": report_text.audit_verdict(evaluation),
        "audit_facts": report_text.audit_facts(evaluation),
        "training_facts": [fact for fact in training if not provenance.is_setting(fact[0])],
        "setting_facts": [fact for fact in training if provenance.is_setting(fact[0])],
        "sample_facts": model_card_section.sample_facts(evaluation),
        "baseline": report_tables.baseline_table(evaluation),
        "baseline_verdict": report_text.baseline_verdict(evaluation),
        "metrics": report_tables.metrics_table(evaluation),
        "levels": section_tables.level_table(evaluation),
        "curves": [figure_html(evaluation, name) for name in ("roc", "precision-recall")],
        "metrics_figure": figure_html(evaluation, "metrics", height=80.0),
        "confusion": _confusion(evaluation),
        "groups": [
            (name, table)
            for name, table in (
                ("By class", report_tables.class_table(evaluation)),
                ("By subtype", report_tables.subtype_table(evaluation)),
                ("By magnification", report_tables.magnification_table(evaluation)),
                *section_tables.attached_groups(evaluation),
            )
            if table is not None
        ],
    }


def _decisions(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "reliability": figure_html(evaluation, "reliability", width=70.0),
        "risk_figures": [figure_html(evaluation, name, width=70.0) for name in ("risk-histogram", "cumulative-risk")],
        "calibration": section_tables.calibration_table(evaluation),
        "calibration_verdict": findings.calibration_verdict(evaluation),
        "bins": section_tables.bin_table(evaluation),
        "threshold_verdict": findings.threshold_verdict(evaluation),
        "decision_curve": figure_html(evaluation, "decision-curve"),
        "operating": section_tables.operating_points(evaluation),
        "worst_cases": section_tables.worst_case_table(evaluation),
    }


def _attached(evaluation: Evaluation) -> dict[str, Any]:
    def table(name: str, title: str, caption: str) -> Any:
        content = getattr(evaluation, name)
        return None if content is None else section_tables.free_table(evaluation, content, title, caption)

    conformal = evaluation.conformal or {}
    return {
        "baselines": table("baselines", "Simple model", "What simple models reach on the same split."),
        "shortcuts": table("shortcuts", "Check", "What is left of the score when something is taken from the images."),
        "ood": table("ood", "Score", "Detection of out-of-distribution images."),
        "robustness": section_tables.robustness_table(evaluation),
        "robustness_figures": perturbations_html(evaluation),
        "risk_coverage": figure_html(evaluation, "risk-coverage"),
        "conformal_facts": section_tables.conformal_facts(conformal),
        "conformal_tables": section_tables.conformal_tables(evaluation, conformal),
    }


def _read_template(name: str) -> str:
    return resources.files("breastcls.evaluation.report").joinpath("templates", name).read_text(encoding="utf-8")


def _task_title(classes: tuple[str, ...]) -> str:
    if len(classes) == 2:
        return f"{classes[0]} or {classes[1]}"  # names stay as they are
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
