"""The registry of the sections of an evaluation: the built-in ones, and those that others add."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from breastcls.errors import RegistryError
from breastcls.evaluation.evaluation_scores import EvaluationScores
from breastcls.evaluation.section import Section
from breastcls.evaluation.sections import (
    baselines_section,
    by_column_section,
    by_level_section,
    by_magnification_section,
    by_sharpness_section,
    by_stain_section,
    by_subtype_section,
    calibration_section,
    colour_baseline_section,
    colour_difference_section,
    conformal_section,
    confusion_section,
    decision_curve_section,
    folds_section,
    metrics_section,
    ood_section,
    operating_section,
    per_class_section,
    precision_recall_section,
    risk_coverage_section,
    risk_histogram_section,
    robustness_section,
    roc_section,
    shortcuts_section,
    threshold_section,
    worst_cases_section,
)
from breastcls.registry import Registry, RegistryTable
from breastcls.result import Result

_METHODS = ("with_sections", "with_pseudonyms", "table_of", "to_markdown", "to_latex", "plot", "to_html")
# Attributes of an evaluation, and keys of its JSON, which no section may hide.
RESERVED = frozenset(
    (*dir(Result), *dir(EvaluationScores), *(field.name for field in fields(EvaluationScores)), "schema", *_METHODS)
)

SECTIONS: Registry[Section] = Registry("section of an evaluation")
"""In the order in which they are computed, printed and reported; a section may use the values of those before it."""


def register_section(section: Section) -> Section:
    """Add a section to every evaluation made from now on, and return it.

    Print, JSON and its schema, figures and HTML report show it without further changes.

    Args:
        section: The section; see `Section` for what it consists of.

    Raises:
        RegistryError: If the name is taken, by a section, an attribute of `Evaluation` or a key of its JSON; if the
            name is no identifier; or if a figure of that name is registered already.

    Example:
        >>> from breastcls.evaluation.section_registry import SECTIONS
        >>> list(SECTIONS)[:2]
        ['metrics', 'by_level']
    """
    if not section.name.isidentifier() or section.name.startswith("_"):
        raise RegistryError(f"A section is named {section.name!r}; expected an identifier such as 'nuclear_size'.")
    if section.name in RESERVED:
        raise RegistryError(f"The name {section.name!r} is taken by the evaluation itself. Choose another name.")
    taken = {figure.name for other in SECTIONS.values() for figure in other.figures} | {"overview"}
    for figure in section.figures:
        if figure.name in taken:
            raise RegistryError(f"A figure named {figure.name!r} is registered already. Choose another name.")
    return SECTIONS.register(section.name, section)


class SectionTable(RegistryTable[Section]):
    """What `list_sections` returns: prints as a table, iterates over the sections, has their `names`."""

    headers = ("section", "title", "needs", "figures", "attached")

    def cells(self, entry: Section) -> tuple[str, ...]:
        """What is printed of a section."""
        return (
            entry.name,
            entry.title,
            ", ".join(need.value for need in entry.needs) or "-",
            ", ".join(figure.name for figure in entry.figures) or "-",
            "only" if entry.compute is None else "can be" if entry.attachable else "no",
        )

    def record(self, entry: Section) -> dict[str, Any]:
        """Everything that can be shown of a section."""
        return {
            "name": entry.name,
            "title": entry.title,
            "part": entry.heading,
            "description": entry.description,
            "needs": tuple(need.value for need in entry.needs),
            "columns": entry.columns,
            "figures": tuple(figure.name for figure in entry.figures),
            "computed": entry.compute is not None,
            "can_be_attached": entry.can_be_attached,
        }


def list_sections() -> SectionTable:
    """Return all sections, to print or to iterate over.

    Example:
        >>> "calibration" in list_sections().names
        True
    """
    return SectionTable(tuple(SECTIONS.values()))


for _module in (
    metrics_section,
    by_level_section,
    folds_section,
    colour_baseline_section,
    colour_difference_section,
    baselines_section,
    shortcuts_section,
    roc_section,
    precision_recall_section,
    calibration_section,
    risk_histogram_section,
    threshold_section,
    operating_section,
    decision_curve_section,
    confusion_section,
    per_class_section,
    by_subtype_section,
    by_magnification_section,
    by_column_section,
    by_stain_section,
    by_sharpness_section,
    robustness_section,
    risk_coverage_section,
    conformal_section,
    ood_section,
    worst_cases_section,
):
    register_section(_module.SECTION)
