"""The report of an evaluation: one HTML file that opens without a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from breastcls._version import __version__
from breastcls.drawing.html_page import hash_script, page_environment, read_style, read_template, theme_script
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.evaluation_origin import date_in_words
from breastcls.evaluation.report.blocks import Part
from breastcls.evaluation.report.fixed_parts import (
    audit_part,
    card_part,
    limitations_part,
    reading_part,
    result_part,
    settings_part,
    training_part,
)
from breastcls.evaluation.report.gallery import gallery_parts
from breastcls.evaluation.report.heatmap_viewer import HeatmapViewer, viewer_script, viewer_style
from breastcls.evaluation.report.section_parts import collect_findings, section_parts
from breastcls.files import write_text
from breastcls.metrics.number_format import format_number

if TYPE_CHECKING:
    from breastcls.explanation.explanation import Explanation
    from breastcls.features.similar_images import SimilarImages

PACKAGE = "breastcls.evaluation.report"


def write_report(
    evaluation: EvaluationData,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    thumbnails: int = 8,
    model: Any = None,
    heatmaps: Explanation | None = None,
    method: str = "grad-cam",
    similar: SimilarImages | None = None,
) -> Path:
    """Write an evaluation as one HTML file, atomically.

    The file needs no network: style, script, figures and pictures are inside it. The same evaluation gives the same
    bytes in the same environment. Its model card follows the items of TRIPOD+AI (DOI 10.1136/bmj-2023-078378) and
    CLAIM (DOI 10.1148/ryai.240300) that an evaluation can answer.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        path: Where to write; folders are made.
        title: Heading of the report; the task if None.
        thumbnails: How many misclassified and how many correctly classified images to show at most, 0 to 100 of each.
            They are spread over the cases, the most confident predictions first.
        model: The model that was scored, or its file, whose heat-maps of these images are shown; by default the one
            that was evaluated, as long as it is in memory and has not been trained further.
        heatmaps: Heat-maps made before, instead of a model.
        method: How the model is explained; see `breastcls.explain`.
        similar: Similar training images, from `breastcls.features.find_similar`, which are shown with each image. In a
            report under pseudonyms they are shown without the names of their cases and files.

    Returns:
        The path written.

    Raises:
        EvaluationError: If `thumbnails` is out of range, or both a model and heat-maps are given.
        ExplanationError: If the model or the method cannot be used.
        OutputError: If the file cannot be written.
    """
    options: dict[str, Any] = {"model": model, "heatmaps": heatmaps, "method": method, "similar": similar}
    text = render_report(evaluation, title=title, thumbnails=thumbnails, **options)
    return write_text(path, text)


def render_report(
    evaluation: EvaluationData,
    *,
    title: str | None = None,
    thumbnails: int = 8,
    model: Any = None,
    heatmaps: Explanation | None = None,
    method: str = "grad-cam",
    similar: SimilarImages | None = None,
) -> str:
    """Return the report as text; see `write_report`."""
    galleries = gallery_parts(evaluation, thumbnails, model=model, heatmaps=heatmaps, method=method, similar=similar)
    scripts, style = [theme_script(), read_template(PACKAGE, "script.js")], read_style(PACKAGE, "style.css")
    if any(isinstance(block, HeatmapViewer) for part in galleries for block in part.blocks):
        scripts.append(viewer_script())
        style += viewer_style()
    context: dict[str, Any] = {
        "title": title if title is not None else _task_title(evaluation.classes),
        "scripts": [Markup(script) for script in scripts],  # our own files, not to be escaped
        "style": style,
        "script_hashes": [hash_script(script) for script in scripts],
        "version": __version__,
        "percent": evaluation.percent,
        "seed": evaluation.settings["bootstrap"]["seed"],
        "number": format_number,
        "leak_allowed": evaluation.leak_allowed,
        "parts": _parts(evaluation, galleries),
        "about": " · ".join(_about(evaluation)),
    }
    return page_environment(PACKAGE).get_template("report.html.j2").render(context)


def _parts(evaluation: EvaluationData, galleries: list[Part]) -> list[Part]:
    parts = [
        result_part(evaluation, collect_findings(evaluation)),
        audit_part(evaluation),
        training_part(evaluation),
        *section_parts(evaluation),
        *galleries,
        limitations_part(evaluation),
        reading_part(evaluation),
        card_part(evaluation),
        settings_part(evaluation),
    ]
    return [part for part in parts if part.blocks]


def _about(evaluation: EvaluationData) -> list[str]:
    """Return the name of the test data and the date, where known."""
    known = (str(evaluation.origin.get("test_data", "")), date_in_words(evaluation.origin))
    return [text for text in known if text]


def _task_title(classes: tuple[str, ...]) -> str:
    if len(classes) == 2:
        return f"{classes[0]} or {classes[1]}"  # names are not changed
    return f"{len(classes)} classes of breast tissue"
