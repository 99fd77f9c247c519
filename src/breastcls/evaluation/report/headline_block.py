"""The first page of the report: what was tested on what, the most important metrics, the classes and the findings."""

from __future__ import annotations

from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.evaluation.headline_text import HEADLINE
from breastcls.evaluation.report.blocks import Column, FirstPage, Table, Verdict
from breastcls.evaluation.report.table_cells import score_cell, text_cell
from breastcls.evaluation.report.tested_data import count_table, data_facts, kinds_in_words, lead_in_words
from breastcls.evaluation.sections.confusion_section import confusion_matrix
from breastcls.intervals.limitations import absent_classes_sentence, classes_not_estimable, not_estimable_sentence
from breastcls.intervals.score_values import UNDEFINED, read_scores
from breastcls.metrics.number_format import choose_form, format_count, join_words

FEW_CASES = 10
# More of them would push the result off the first page; the part "Limitations" has the others.
MOST_LIMITATIONS = 2
_NAMES = {
    "balanced_accuracy": "Balanced accuracy",
    "roc_auc": "ROC AUC",
    "recall": "Sensitivity",
    "specificity": "Specificity",
}


def first_page(evaluation: EvaluationData, findings: tuple[tuple[Verdict, str, str], ...]) -> FirstPage:
    """Return the first page of the report.

    Args:
        evaluation: The evaluation.
        findings: Verdicts, each with the anchor and the heading of the part of the report that explains it.
    """
    confusion = evaluation.value_of("confusion")
    return FirstPage(
        notice=first_notice(evaluation),
        lead=lead_in_words(evaluation),
        tested=[*data_facts(evaluation), *kinds_in_words(evaluation)],
        metrics=key_table(evaluation),
        classes=count_table(evaluation),
        confusion=None if confusion is None else confusion_matrix(confusion, evaluation),
        findings=findings,
    )


def key_table(evaluation: EvaluationData) -> Table:
    """Return balanced accuracy, ROC AUC, sensitivity and specificity, of the colour-only baseline too where known."""
    model = read_scores(evaluation.value_of("metrics"))
    baseline = evaluation.value_of("colour_baseline")
    columns = {"Model": model} if baseline is None else {"Model": model, "Colour-only baseline": read_scores(baseline)}
    shown = [name for name in _NAMES if name in HEADLINE or name in model]
    rows = tuple(
        (text_cell(_NAMES[name]), *(score_cell(scores.get(name, UNDEFINED)) for scores in columns.values()))
        for name in shown
    )
    mean = "" if len(evaluation.classes) == 2 else " Sensitivity and specificity are means over the classes."
    caption = f"By {evaluation.unit}, with {evaluation.percent} confidence intervals over cases.{mean}"
    titles = (Column("Metric", "text"), *(Column(title, "number") for title in columns))
    return Table(caption, titles, rows, sortable=False)


def first_notice(evaluation: EvaluationData) -> Verdict | None:
    """Return what to read with the values: few cases and the limitations that matter most; None where nothing is."""
    size, shown = size_verdict(evaluation), first_limitations(evaluation)
    absent = absent_classes_sentence(evaluation.counts)
    if absent:
        few = () if size is None else (size.text, size.explanation)
        return Verdict("not-estimable", absent, " ".join([*few, *shown]))
    if size is None and not shown:
        return None
    if size is None:
        return Verdict("caution", f"{choose_form(len(shown), 'Limitation')}:", " ".join(shown))
    return Verdict(size.tone, size.text, " ".join([size.explanation, *shown]))


def first_limitations(evaluation: EvaluationData) -> tuple[str, ...]:
    """Return those of the limitations that the first page shows: on the whole test set, not on single groups.

    The classes of too few cases are left out: the notice of the first page is of them.
    """
    known = [f"The class {name} has only " for name in classes_not_estimable(evaluation.counts)]
    whole = [one for one in evaluation.general_limitations if not one.startswith(("In some groups", *known))]
    return tuple(whole[:MOST_LIMITATIONS])


def size_verdict(evaluation: EvaluationData) -> Verdict | None:
    """Return a warning where a class has few cases."""
    if evaluation.predictions.cases is None:
        return None
    cases = {name: of["cases"] for name, of in evaluation.counts["classes"].items() if of["cases"]}
    few = [name for name, count in cases.items() if count < FEW_CASES]
    if not few:
        return None
    why = not_estimable_sentence(evaluation.counts)
    if why:
        return Verdict("not-estimable", why, "The values may be due to chance.")
    counted = join_words([f"{format_count(cases[name], 'case')} of {name}" for name in few])
    return Verdict(
        "caution",
        f"There are few cases: {counted}.",
        "The confidence intervals of results on few cases are wide, and may still be too narrow.",
    )
