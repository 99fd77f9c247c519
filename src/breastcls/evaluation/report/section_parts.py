"""The parts of the report that follow from the registered sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from breastcls.drawing.figures import drawing_style, new_axes
from breastcls.drawing.html_figure import figure_to_html
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import Block, FigureRow, Heading, Paragraph, Part, Verdict
from breastcls.evaluation.report.headline_block import size_verdict
from breastcls.evaluation.report.leak_audit_text import audit_verdict
from breastcls.evaluation.section import Section, without_approval
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.metrics.number_format import format_count, join_words


def part_key(title: str) -> str:
    """Return the anchor of a part of the report.

    Example:
        >>> part_key("Uncertainty and selective prediction")
        'uncertainty-and-selective-prediction'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def section_parts(evaluation: EvaluationData) -> list[Part]:
    """Return one part per heading, with its sections in order of registration."""
    by_heading: dict[str, list[Section]] = {}
    for section in SECTIONS.values():
        by_heading.setdefault(section.heading, []).append(section)
    parts = []
    for heading, sections in by_heading.items():
        blocks: list[Block] = []
        for section in sections:
            found = _section_blocks(section, evaluation)
            # A figure has a title of its own.
            titled = section.title != heading and any(not isinstance(block, FigureRow) for block in found)
            blocks += [Heading(section.title)] if titled else []
            blocks += found
        if blocks:
            parts.append(Part(part_key(heading), heading, [*_merge_figures(blocks), *_cases(sections, evaluation)]))
    return parts


def collect_findings(evaluation: EvaluationData) -> tuple[tuple[Verdict, str], ...]:
    """Return the findings of the audit, of the size of the test set and of the sections, each with its anchor."""
    found: list[tuple[Verdict | None, str]] = [
        (without_approval(audit_verdict(evaluation), evaluation), part_key("Leak audit")),
        (size_verdict(evaluation), part_key("Model card")),
    ]
    for section in SECTIONS.values():
        value = evaluation.value_of(section.name)
        if value is not None:
            found.append((section.verdict_of(value, evaluation), part_key(section.heading)))
    return tuple((verdict, key) for verdict, key in found if verdict is not None)


def _section_blocks(section: Section, evaluation: EvaluationData) -> list[Block]:
    value = evaluation.value_of(section.name)
    if value is None:
        return list(section.report_absent(evaluation)) if section.report_absent is not None else []
    verdict = section.verdict_of(value, evaluation)
    figures = _figures(section, value, evaluation)
    return [
        *([] if verdict is None else [verdict]),
        *([FigureRow(figures)] if figures else []),
        *section.report(value, evaluation),
    ]


def _figures(section: Section, value: Any, evaluation: EvaluationData) -> list[Markup]:
    fragments = []
    for figure in section.figures:
        if figure.describe is None:
            continue
        text = figure.describe(value, evaluation)
        with drawing_style():
            axes = new_axes(None, width=figure.width, height=figure.height or figure.width)
            drawn = figure.draw(value, evaluation, axes)
        fragments.append(figure_to_html(drawn, text.alt, key=figure.name, caption=text.caption))
    return fragments


def _merge_figures(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with neighbouring rows of figures joined to one row."""
    merged: list[Block] = []
    for block in blocks:
        if isinstance(block, FigureRow) and merged and isinstance(merged[-1], FigureRow):
            merged[-1] = FigureRow([*merged[-1].figures, *block.figures])
        else:
            merged.append(block)
    return merged


def _cases(sections: Sequence[Section], evaluation: EvaluationData) -> list[Block]:
    """Return the number of cases of each class that the sections are based on, once where it is the same for all."""
    texts: dict[str, list[str]] = {}
    for section in sections:
        cases = evaluation.section_cases.get(section.name)
        if cases and evaluation.value_of(section.name) is not None:
            words = join_words([f"{format_count(count, 'case')} of {name}" for name, count in cases.items()])
            texts.setdefault(words, []).append(section.title)
    if len(texts) == 1:
        return [Paragraph(f"Based on {next(iter(texts))}.", note=True)]
    return [Paragraph(f"{', '.join(titles)}: based on {words}.", note=True) for words, titles in texts.items()]
