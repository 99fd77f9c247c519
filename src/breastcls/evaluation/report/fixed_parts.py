"""The parts of the report that every evaluation has in addition to its sections."""

from __future__ import annotations

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import (
    Block,
    BulletList,
    FactList,
    FigureRow,
    Glossary,
    Heading,
    Paragraph,
    Part,
    Verdict,
)
from breastcls.evaluation.report.headline_block import first_limitations, first_page
from breastcls.evaluation.report.leak_audit_text import audit_facts, audit_verdict
from breastcls.evaluation.report.model_card_part import (
    FOR_THE_AUTHORS,
    GENERAL_LIMITATIONS,
    environment_facts,
    model_card,
)
from breastcls.evaluation.report.provenance import is_setting, training_facts
from breastcls.evaluation.report.training_curves import training_curves
from breastcls.evaluation.section import without_approval
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.sections.metrics_section import shown_metrics
from breastcls.metrics.metric_descriptions import describe_metric, upper_end

_LEAK = (
    "Leak",
    "If a case, a slide or an image is in both the training and the test set, a model can classify it by recognising "
    "the tissue. The scores are then too high for new cases.",
)


def result_part(evaluation: EvaluationData, findings: tuple[tuple[Verdict, str, str], ...]) -> Part:
    """Return the first page."""
    return Part("result", "Result", [first_page(evaluation, findings)])


def audit_part(evaluation: EvaluationData) -> Part:
    """Return the leakage audit."""
    facts = audit_facts(evaluation)
    finding = without_approval(audit_verdict(evaluation), evaluation)
    blocks: list[Block] = [] if finding is None else [finding]
    return Part("leakage-audit", "Leakage audit", [*blocks, *([FactList(facts)] if facts else [])])


def training_part(evaluation: EvaluationData) -> Part:
    """Return what is known of the model and its training."""
    facts = [fact for fact in training_facts(evaluation) if not is_setting(fact[0])]
    curves = training_curves(evaluation)
    blocks: list[Block] = [FigureRow([curves])] if curves else []
    blocks.append(
        FactList(facts)
        if facts
        else Paragraph("These predictions have no model card: the model and its training set are not recorded here.")
    )
    return Part("model-and-training", "Model and training", blocks)


def limitations_part(evaluation: EvaluationData) -> Part:
    """Return the limitations: those that the first page does not show, and those of every such evaluation."""
    first = first_limitations(evaluation)
    blocks: list[Block] = [Paragraph("In addition to those on the first page:")] if first else []
    items = [*(one for one in evaluation.limitations if one not in first), *GENERAL_LIMITATIONS]
    return Part("limitations", "Limitations", [*blocks, BulletList(items)])


def reading_part(evaluation: EvaluationData) -> Part:
    """Return the terms of the sections that are there, and the metrics."""
    terms = [_LEAK]
    for section in SECTIONS.values():
        if evaluation.value_of(section.name) is not None or section.report_absent is not None:
            terms += section.glossary
    classes = len(evaluation.classes)
    names = shown_metrics(evaluation.value_of("metrics"))
    calibration = evaluation.value_of("calibration")
    if calibration is not None:
        tables = (calibration.errors, calibration.bias, calibration.brier)
        names += [str(name) for table in tables for name in table.index if name not in names]
    for name in names:
        metric = describe_metric(name)
        if metric.meaning:
            # A loss has a scale of its own; the others end at 1.
            end = upper_end(name, classes)
            scale = "" if not metric.is_loss else " Scale: no upper end." if end is None else f" Scale: 0 to {end:g}."
            terms.append((metric.name, metric.meaning + scale))
    return Part("how-to-read-the-values", "How to read the values", [Glossary(terms)])


def card_part(evaluation: EvaluationData) -> Part:
    """Return the model card."""
    note = (
        "After the items of TRIPOD+AI (doi 10.1136/bmj-2023-078378) and CLAIM (doi 10.1148/ryai.240300) that an "
        "evaluation can answer by itself."
    )
    blocks: list[Block] = [Paragraph(note, note=True)]
    for title, facts in model_card(evaluation):
        blocks += [Heading(title), FactList(facts, small=True)]
    blocks.append(Paragraph(FOR_THE_AUTHORS, note=True))
    return Part("model-card", "Model card", blocks)


def settings_part(evaluation: EvaluationData) -> Part:
    """Return every setting of the training, the versions of the packages and the fingerprints."""
    settings = [fact for fact in training_facts(evaluation) if is_setting(fact[0])]
    blocks: list[Block] = [Heading("Training"), FactList(settings, small=True)] if settings else []
    blocks += [Heading("Versions and fingerprints"), FactList(environment_facts(evaluation), small=True)]
    return Part("settings-and-versions", "Settings and versions", blocks)
