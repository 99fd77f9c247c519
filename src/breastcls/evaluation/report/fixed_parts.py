"""The parts of the report that every evaluation has in addition to its sections."""

from __future__ import annotations

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.report.blocks import (
    Block,
    BulletList,
    Details,
    FactList,
    Glossary,
    Heading,
    Paragraph,
    Part,
    Verdict,
)
from breastcls.evaluation.report.headline_block import headline_block
from breastcls.evaluation.report.leak_audit_text import audit_facts, audit_verdict
from breastcls.evaluation.report.model_card_part import model_card, sample_facts
from breastcls.evaluation.report.provenance import is_setting, training_facts
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.metrics.metric_descriptions import describe_metric

_LEAK = (
    "Leak",
    "If a case, a slide or a picture is in both the training and the test set, a model can recognise it instead of its "
    "disease. Scores then rise without the model being any better.",
)


def result_part(evaluation: EvaluationData, findings: tuple[tuple[Verdict, str], ...]) -> Part:
    """Return the headline."""
    return Part("result", "Result", [headline_block(evaluation, findings)])


def audit_part(evaluation: EvaluationData) -> Part:
    """Return the leak audit."""
    facts = audit_facts(evaluation)
    return Part("leak-audit", "Leak audit", [audit_verdict(evaluation), *([FactList(facts)] if facts else [])])


def training_part(evaluation: EvaluationData) -> Part:
    """Return what is known of the model and its training, and what was scored."""
    training = training_facts(evaluation)
    settings = [fact for fact in training if is_setting(fact[0])]
    blocks: list[Block] = [
        FactList([fact for fact in training if not is_setting(fact[0])])
        if training
        else Paragraph("These predictions have no model card: the model and its training set are not recorded here.")
    ]
    if settings:
        blocks.append(Details("Every setting and score of the training", [FactList(settings)]))
    return Part(
        "training-and-test-data",
        "Training and test data",
        [*blocks, Heading("Scored on"), FactList(sample_facts(evaluation))],
    )


def limitations_part(evaluation: EvaluationData) -> Part:
    """Return the limitations; a part without blocks where there are none."""
    limitations = evaluation.limitations
    return Part("limitations", "Limitations", [BulletList(limitations)] if limitations else [])


def reading_part(evaluation: EvaluationData) -> Part:
    """Return the terms of the sections that are there, and the metrics."""
    terms = [_LEAK]
    for section in SECTIONS.values():
        if evaluation.value_of(section.name) is not None or section.report_absent is not None:
            terms += section.glossary
    metrics = [describe_metric(str(name)) for name in evaluation.value_of("metrics").index]
    terms += [(metric.name, metric.meaning) for metric in metrics if metric.meaning]
    return Part("how-to-read-the-values", "How to read the values", [Glossary(terms)])


def card_part(evaluation: EvaluationData) -> Part:
    """Return the model card."""
    note = (
        "After the items of TRIPOD+AI (doi 10.1136/bmj-2023-078378) and CLAIM (doi 10.1148/ryai.240300) that an "
        "evaluation can answer by itself."
    )
    blocks: list[Block] = [Paragraph(note, note=True)]
    groups = model_card(evaluation)
    for place, (title, facts) in enumerate(groups):
        blocks += [Heading(title), FactList(facts, long=place < len(groups) - 1)]
    return Part("model-card", "Model card", blocks)
