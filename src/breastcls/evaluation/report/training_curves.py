"""The training curves in the report, from the short history in the model's card."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from breastcls.drawing.html_figure import figure_to_html
from breastcls.evaluation.evaluation_data import EvaluationData
from breastcls.metrics.metric_descriptions import describe_metric
from breastcls.metrics.number_format import format_count, format_number, is_defined


def training_curves(evaluation: EvaluationData) -> Markup | None:
    """Return the training curves as HTML, or None where the card has no history."""
    record = evaluation.model.get("training_history")
    if not isinstance(record, Mapping) or not record.get("epochs"):
        return None
    from breastcls.models.training_history import history_table
    from breastcls.training.history_figure import plot_history

    history = history_table(record)
    last = history.iloc[-1]
    values = [
        f"{_title(name)} {format_number(last[name])}" for name in record["metrics"] if is_defined(float(last[name]))
    ]
    text = f"Training history of {format_count(len(history), 'epoch')}; after the last one: {', '.join(values)}."
    best = record.get("best_epoch")
    caption = "Loss and validation score by epoch."
    if record.get("exact_head"):
        caption = "The head was fitted exactly; its penalty was chosen by cross-validation on the training cases."
    elif best is not None:
        caption += f" The weights of epoch {best} were kept: it has the best {_monitor(record)}."
    figure = plot_history(history, record.get("exact_head"))
    return figure_to_html(figure, text, key="training", caption=caption)


def _monitor(record: Mapping[str, object]) -> str:
    monitor = record.get("monitor")
    return _title(str(monitor)) if monitor else "validation score"


def _title(name: str) -> str:
    """Return the name of a metric of the history: "val_loss" is the validation loss."""
    title = describe_metric(name.removeprefix("val_")).name
    return f"validation {title[:1].lower()}{title[1:]}" if name.startswith("val_") else title[:1].lower() + title[1:]
