"""The parts of the report that follow from the registered sections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from breastcls.drawing.figures import drawing_style, new_axes
from breastcls.drawing.html_figure import figure_to_html
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import (
    Beside,
    Block,
    FigureRow,
    Heading,
    Paragraph,
    Part,
    Table,
    Verdict,
)
from breastcls.evaluation.report.leak_audit_text import audit_verdict
from breastcls.evaluation.section import Section, without_approval
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.metrics.number_format import format_count, join_words

# A table of more columns than this does not fit beside a figure.
MOST_COLUMNS_BESIDE = 4


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
            found = [block for block in _section_blocks(section, evaluation) if not _is_repeated(block, blocks)]
            # A figure has a title of its own, and a finding names its subject.
            titled = section.title != heading and not all(isinstance(one, FigureRow | Verdict) for one in found)
            blocks += [Heading(section.title)] if titled else []
            blocks += found
        if blocks:
            blocks = _arrange_figures(_merge_figures(blocks))
            parts.append(Part(part_key(heading), heading, [*blocks, *_cases(sections, evaluation)]))
    return parts


def collect_findings(evaluation: EvaluationData) -> tuple[tuple[Verdict, str, str], ...]:
    """Return the findings of the audit and of the sections.

    Each comes with the anchor and the heading of the part that explains it.
    """
    audit = without_approval(audit_verdict(evaluation), evaluation)
    found: list[tuple[Verdict | None, str]] = [(audit, "Leakage audit")]
    for section in SECTIONS.values():
        value = evaluation.value_of(section.name)
        if value is not None:
            found.append((section.verdict_of(value, evaluation), section.heading))
    return tuple((verdict, part_key(heading), heading) for verdict, heading in found if verdict is not None)


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


def _is_repeated(block: Block, shown: Sequence[Block]) -> bool:
    """Return whether a paragraph is shown in this part already, since several sections of it have the same note."""
    return isinstance(block, Paragraph) and block in shown


def _merge_figures(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with the figures below one heading in one row, where the first of them is."""
    merged: list[Block] = []
    row: int | None = None
    for block in blocks:
        if isinstance(block, Heading):
            row = None
        if isinstance(block, FigureRow) and row is not None:
            earlier = merged[row]
            assert isinstance(earlier, FigureRow)
            merged[row] = FigureRow([*earlier.figures, *block.figures])
            continue
        row = len(merged) if isinstance(block, FigureRow) else row
        merged.append(block)
    return merged


def _arrange_figures(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with those that fit put beside a single figure, so that no half of a page is empty."""
    arranged: list[Block] = []
    rest = list(blocks)
    while rest:
        block = rest.pop(0)
        if isinstance(block, FigureRow) and len(block.figures) == 1:
            beside: list[Block] = []
            while rest and _fits_beside(rest[0]):
                beside.append(rest.pop(0))
            block = Beside(block.figures[0], beside)
        arranged.append(block)
    return arranged


def _fits_beside(block: Block) -> bool:
    if isinstance(block, Table):
        return len(block.columns) <= MOST_COLUMNS_BESIDE
    return isinstance(block, Paragraph | Verdict)


def _cases(sections: Sequence[Section], evaluation: EvaluationData) -> list[Block]:
    """Return the number of cases of each class that a section is based on, where it differs from the first page."""
    scored = {name: int(of["cases"]) for name, of in evaluation.counts["classes"].items()}
    texts: dict[str, list[str]] = {}
    for section in sections:
        cases = evaluation.section_cases.get(section.name)
        if cases and dict(cases) != scored and evaluation.value_of(section.name) is not None:
            words = join_words([f"{format_count(count, 'case')} of {name}" for name, count in cases.items()])
            texts.setdefault(words, []).append(section.title)
    if len(texts) == 1:
        return [Paragraph(f"Based on {next(iter(texts))}.", note=True)]
    return [Paragraph(f"{', '.join(titles)}: based on {words}.", note=True) for words, titles in texts.items()]
