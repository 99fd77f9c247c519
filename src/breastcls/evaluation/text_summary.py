"""An evaluation as plain text: what `print` shows."""

from __future__ import annotations

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.headline_text import headline
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.intervals.limitations import absent_classes_sentence, not_estimable_sentence
from breastcls.metrics.number_format import format_count


def summarise(evaluation: EvaluationData) -> str:
    """Return the headline, what was scored, the text of each section, and the limitations.

    The first line is why values are not defined or confidence intervals not estimable, where a class has no image or
    too few cases.
    """
    blocks = [opening_lines(evaluation)]
    for section in SECTIONS.values():
        value = evaluation.value_of(section.name)
        lines = [] if value is None else list(section.text(value, evaluation))
        blocks += [lines] if lines else []
    leak = leak_sentence(evaluation)
    blocks += [[leak]] if leak else []
    if evaluation.limitations:
        blocks.append(["Limitations", *(f"  - {limitation}" for limitation in evaluation.limitations)])
    return "\n\n".join("\n".join(lines) for lines in blocks)


def opening_lines(evaluation: EvaluationData) -> list[str]:
    """Return the headline and what was scored; before them why values or confidence intervals are missing, if so."""
    why = (absent_classes_sentence(evaluation.counts), not_estimable_sentence(evaluation.counts))
    return [*(one for one in why if one), headline(evaluation.value_of("metrics")), _scored(evaluation)]


def leak_sentence(evaluation: EvaluationData) -> str:
    """Return the sentence on a leak that the caller allowed, or nothing."""
    return (
        "LEAK: training and test images are not independent; the caller allowed this."
        if evaluation.leak_allowed
        else ""
    )


def _scored(evaluation: EvaluationData) -> str:
    counts = evaluation.counts
    classes = ", ".join(
        f"{name}: {format_count(of['images'], 'image')} of {format_count(of['cases'], 'case')}"
        for name, of in counts["classes"].items()
    )
    sample = ", ".join(
        format_count(counts[name], name[:-1]) for name in ("images", "slides", "cases") if counts.get(name)
    )
    names = evaluation.classes
    positive = f"positive class {names[-1]}; " if len(names) == 2 else ""
    return f"{sample} ({classes}); by {evaluation.unit}; {positive}{evaluation.percent} confidence intervals over cases"
