"""What the report says about an evaluation in words: the headline, the audit, the verdict on colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from breastcls.evaluation.report.provenance import file_name
from breastcls.evaluation.report.settings_text import unit_of
from breastcls.intervals.score_values import UNDEFINED, Score, read_scores
from breastcls.metrics.metric_descriptions import describe_metric, format_count, is_defined, join_words

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


_LONGEST_LISTING = 8
_LEARNT = {"calibration": "the calibration", "threshold": "the threshold", "conformal": "the prediction sets"}


@dataclass(frozen=True)
class KeyFigure:
    """A number of the headline, with its interval where it has one."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """A judgement in words: `tone` is "good", "bad", "caution", or "" where nothing is to be judged."""

    tone: str
    text: str
    explanation: str


def key_figures(evaluation: Evaluation) -> list[KeyFigure]:
    """Return the two headline metrics and the counts they rest on."""
    figures = []
    for name in ("balanced_accuracy", "roc_auc"):
        score = headline_score(evaluation, name)
        figures.append(KeyFigure(describe_metric(name).name, score.value_text, score.interval_text))
    for name in ("images", "slides", "cases"):
        count = evaluation.counts.get(name)
        if count:
            figures.append(KeyFigure((name if count != 1 else name[:-1]).capitalize(), f"{count:,}"))
    return figures


def headline_score(evaluation: Evaluation, name: str) -> Score:
    """Return a metric; one that is not in the table is not defined."""
    return read_scores(evaluation.metrics).get(name, UNDEFINED)


def sample_in_words(evaluation: Evaluation) -> str:
    """Return the counts in words, such as "839 images of 48 slides from 40 cases"."""
    counts = evaluation.counts
    words = format_count(counts["images"], "image")
    if counts.get("slides"):
        words += f" of {format_count(counts['slides'], 'slide')}"
    return f"{words} from {format_count(counts['cases'], 'case')}" if counts.get("cases") else words


def task_in_words(evaluation: Evaluation) -> str:
    """Return what the model did, such as "told benign from malignant, the positive class,"."""
    classes = evaluation.predictions.classes
    if len(classes) == 2:
        return f"told {classes[0]} from {classes[1]}, the positive class,"
    return f"sorted {unit_of(evaluation)}s into {len(classes)} classes"


def audit_verdict(evaluation: Evaluation) -> Verdict:
    """Return the outcome of the leak audit in words."""
    report = evaluation.leakage
    if report is None:
        return Verdict(
            "caution",
            "Not checked.",
            "No training images were given, or their cases and slides could not be compared with these, so nobody "
            "looked whether the same case, slide or picture is also among them. If any is, every number here is too "
            "good.",
        )
    if report.clean and not ("training" in report.compared_with and (report.compared_by or report.pictures_compared)):
        return Verdict(
            "caution",
            "Training not checked.",
            "Nobody looked whether a case, slide or picture of these images is also among the training images. If any "
            "is, every number here is too good.",
        )
    if report.clean and report.pictures_compared:
        return Verdict(
            "good",
            "No leak found.",
            "No case, slide or picture of these images was found among the training images.",
        )
    if report.clean:
        return Verdict(
            "good",
            "No leak found, by name.",
            f"No {' or '.join(name.removesuffix('s') for name in report.compared_by)} of these images was found among "
            "the training images. The pictures themselves were not compared.",
        )
    consequence = "Read every number here as too good."
    if evaluation.leak_allowed:
        consequence = f"The evaluation went on because it was told to (allow_leakage=True). {consequence}"
    if "training" not in report.compared_with:
        learnt = join_words([_LEARNT[step] for step in report.compared_with])
        return Verdict("bad", f"Leak: {learnt} saw cases that are scored here.", consequence)
    return Verdict("bad", "Leak: training and test images are not independent.", consequence)


def audit_facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return what the audit found: counts and the first few names, files without their folders."""
    report = evaluation.leakage
    if report is None:
        return []
    facts = [
        (f"Shared {name}", _listing(shared))
        for name, shared in (("cases", report.shared_cases), ("slides", report.shared_slides))
        if name in report.compared_by
    ]
    if report.pictures_compared:
        facts.append(("Identical files", _listing([_pair(pair) for pair in report.identical_files])))
        facts.append(("Same picture, other file", _listing([_pair(pair) for pair in report.identical_pictures])))
    if report.test_images_in_shared_cases:
        share = f"{report.test_images_in_shared_cases:,} of {report.test_images:,}"
        percent = 100 * report.test_images_in_shared_cases / report.test_images
        title = "Images of a case that is in training too"
        if tuple(report.compared_with) != ("training",):
            title = f"Images of a case that was learnt from too ({join_words(list(report.compared_with))})"
        facts.append((title, f"{share} ({percent:.0f}%)"))
    return facts


def _listing(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = len(names) - _LONGEST_LISTING
    shown = ", ".join(names[:_LONGEST_LISTING])
    return f"{len(names):,}: {shown} and {more:,} more" if more > 0 else f"{len(names):,}: {shown}"


def _pair(paths: tuple[str, str]) -> str:
    return " = ".join(file_name(path) for path in paths)


def baseline_verdict(evaluation: Evaluation) -> Verdict | None:
    """Return in words how the model stands beside colour alone, or None without a baseline to compare."""
    if evaluation.colour_baseline is None:
        return None
    model = headline_score(evaluation, "roc_auc")
    colour = read_scores(evaluation.colour_baseline).get("roc_auc", UNDEFINED)
    if not (is_defined(model.value) and is_defined(colour.value)):
        return None
    values = f"ROC AUC {model.value_text} for the model, {colour.value_text} for colour alone."
    if model.value <= colour.value:
        return Verdict(
            "bad",
            "No better than colour alone.",
            f"{values} Nothing here shows that it sees more than staining.",
        )
    beside = {} if evaluation.colour_difference is None else read_scores(evaluation.colour_difference)
    difference = beside.get("roc_auc", UNDEFINED)
    if difference.has_interval:
        on_same = f"{values} The difference on the same cases is {difference.value_text} ({difference.interval_text})."
        if difference.low > 0:
            return Verdict("good", "Above colour alone.", on_same)
        return Verdict("caution", "Not shown to be above colour alone.", f"{on_same} It may be chance.")
    if model.has_interval and colour.has_interval and model.low > colour.high:
        return Verdict("good", "Above colour alone.", f"{values} The two intervals do not overlap.")
    return Verdict(
        "caution",
        "Higher than colour alone, but not clearly.",
        f"{values} The two intervals overlap, or one is not defined; only a paired comparison on the same "
        "cases can tell whether the difference is more than chance.",
    )
