"""The sortable tables of the report as plain values: what each cell shows, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from breastcls.evaluation.report.settings_text import percent_of, unit_of
from breastcls.intervals.limitations import RAREST
from breastcls.intervals.score_values import Score, read_scores
from breastcls.metrics.metric_descriptions import describe_metric, describe_subtype, is_defined, upper_end

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what it shows, and what it is sorted by ("" goes last)."""

    text: str
    value: str = ""
    detail: str = ""
    undefined: bool = False


@dataclass(frozen=True)
class Column:
    """One column: its title and whether it holds "text" or a "number"."""

    title: str
    kind: str


@dataclass(frozen=True)
class Table:
    """A table ready for the template; the first cell of a row names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def metrics_table(evaluation: Evaluation) -> Table:
    """Return all metrics with confidence interval and meaning."""
    scores = read_scores(evaluation.metrics)
    rows = []
    for name, score in scores.items():
        words = describe_metric(name)
        end = upper_end(name, len(evaluation.predictions.classes))
        # A loss has a scale of its own; the others end at 1.
        scale = "" if not words.is_loss else " Scale: no upper end." if end is None else f" Scale: 0 to {end:g}."
        rows.append(
            (Cell(words.name, words.name, (words.meaning + scale).strip()), value_cell(score), interval_cell(score))
        )
    percent = percent_of(evaluation)
    classes = evaluation.predictions.classes
    subject = (
        f"“The class” is {classes[-1]}."
        if len(classes) == 2
        else "Figures about one class are averaged over the classes, each of the same weight."
    )
    caption = f"All metrics by {unit_of(evaluation)}, with {percent} intervals over cases. {subject}"
    columns = (
        Column("Metric", "text"),
        Column("Value", "number"),
        Column(f"{percent} interval", "number"),
    )
    return Table(caption, columns, tuple(rows))


def baseline_table(evaluation: Evaluation) -> Table | None:
    """Return the scores of the model beside those of colour alone, or None without a baseline."""
    if evaluation.colour_baseline is None:
        return None
    model, colour = read_scores(evaluation.metrics), read_scores(evaluation.colour_baseline)
    difference = {} if evaluation.colour_difference is None else read_scores(evaluation.colour_difference)
    names = [name for name in model if name in colour and describe_metric(name).is_score]
    rows = []
    for name in names:
        title = describe_metric(name).name
        cells = [score_cell(scores[name]) for scores in (model, colour, difference) if scores]
        rows.append((Cell(title, title), *cells))
    columns = (
        Column("Metric", "text"),
        Column("Model", "number"),
        Column("Colour alone", "number"),
        *([Column("Difference", "number")] if difference else []),
    )
    caption = f"The model and colour alone on the same split, {percent_of(evaluation)} intervals over cases."
    if difference:
        caption += " The interval of the difference is over the same cases on both sides, and so the one to go by."
    return Table(caption, columns, tuple(rows))


def class_table(evaluation: Evaluation) -> Table:
    """Return the figures of each class."""
    measures = ("precision", "recall", "specificity", "f1")
    caption = f"Each class against all others; {percent_of(evaluation)} intervals below each figure."
    return group_table(evaluation.per_class, "Class", measures, caption)


def subtype_table(evaluation: Evaluation) -> Table | None:
    """Return the figures of each subtype, or None where no subtype is known."""
    if evaluation.by_subtype is None:
        return None
    table = evaluation.by_subtype.rename(index=lambda name: describe_subtype(str(name)))
    return group_table(table, "Subtype", GROUP_MEASURES, group_caption(evaluation))


def magnification_table(evaluation: Evaluation) -> Table | None:
    """Return the figures at each magnification, or None where none is known."""
    if evaluation.by_magnification is None:
        return None
    table = evaluation.by_magnification.rename(index=lambda times: f"{times}×")
    return group_table(table, "Magnification", GROUP_MEASURES, group_caption(evaluation))


GROUP_MEASURES = ("accuracy", "balanced_accuracy", "roc_auc")


def group_caption(evaluation: Evaluation) -> str:
    """Return what has to be said below every table of groups."""
    return (
        f"{percent_of(evaluation)} intervals below each figure. Few cases make wide intervals, and fewer than five of "
        "a class intervals that are likely too narrow: see the cases of the rarest class that a group holds. Within a "
        "group of one class balanced accuracy and ROC AUC do not exist."
    )


def group_table(table: pd.DataFrame, title: str, measures: Sequence[str], caption: str) -> Table:
    """Return a table of groups: their counts, and each measure with its interval below it."""
    counts = [name for name in ("images", "slides", "cases", RAREST) if name in table.columns]
    # A figure that no group has would be a column of "not defined".
    shown = [name for name in measures if name in table.columns and table[name].notna().any()]
    columns = [Column(title, "text"), *(Column(describe_metric(name).name, "number") for name in counts)]
    columns += [Column(describe_metric(name).short, "number") for name in shown]
    rows = []
    for name, row in zip(table.index, table.to_dict("records"), strict=True):
        cells = [Cell(str(name), str(name))]
        cells += [Cell(f"{row[count]:,.0f}", f"{row[count]:.0f}") for count in counts]
        for measure in shown:
            ends = (row.get(f"{measure}_low", float("nan")), row.get(f"{measure}_high", float("nan")))
            cells.append(score_cell(Score(row[measure], *ends)))
        rows.append(tuple(cells))
    return Table(caption, tuple(columns), tuple(rows))


def value_cell(score: Score) -> Cell:
    """Return a cell of a value alone."""
    return Cell(score.value_text, sort_value(score.value), undefined=not is_defined(score.value))


def interval_cell(score: Score) -> Cell:
    """Return a cell of an interval, sorted by its lower end."""
    place = sort_value(score.low) if score.has_interval else ""
    return Cell(score.interval_text, place, undefined=not score.has_interval)


def score_cell(score: Score) -> Cell:
    """Return a cell of a value with its interval below it."""
    defined = is_defined(score.value)
    detail = "" if not defined else score.interval_text if score.has_interval else "no interval"
    return Cell(score.value_text, sort_value(score.value), detail, undefined=not defined)


def sort_value(value: float) -> str:
    """Return what the script sorts a number by; "" where it is not defined."""
    return repr(float(value)) if is_defined(value) else ""
