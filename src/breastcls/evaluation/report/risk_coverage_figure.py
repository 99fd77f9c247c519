"""What passing on the least certain images gains, as a figure for papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from breastcls.drawing.figures import MODEL, MUTED, drawing_style, figure_of, new_axes
from breastcls.errors import EvaluationError
from breastcls.evaluation.report.settings_text import percent_of, unit_of

if TYPE_CHECKING:
    from breastcls.evaluation.evaluation import Evaluation


def plot_risk_coverage(evaluation: Evaluation, *, axes: Axes | None = None) -> Figure:
    """Draw the share of mistakes among what is decided against the share that is decided, with a band over cases.

    Args:
        evaluation: What `breastcls.evaluate` returned.
        axes: Where to draw; a new square figure of 85 mm if None.

    Raises:
        EvaluationError: If the evaluation holds no risk-coverage curve.
    """
    if evaluation.risk_coverage is None:
        raise EvaluationError("This evaluation holds no risk-coverage curve to draw.")
    table = evaluation.risk_coverage.sort_values("coverage")
    unit = unit_of(evaluation)
    with drawing_style():
        axes = new_axes(axes)
        axes.fill_between(table["coverage"], table["low"], table["high"], color=MODEL, alpha=0.16, linewidth=0)
        label = f"least certain left out, {percent_of(evaluation)} band"
        axes.plot(table["coverage"], table["risk"], color=MODEL, label=label)
        if table["coverage"].iloc[-1] == 1:
            # Whom chance leaves out takes as many right decisions along as wrong ones, in proportion.
            whole = table["risk"].iloc[-1]
            axes.axhline(whole, color=MUTED, linestyle=":", linewidth=0.9, label="left out at random")
        top = float(np.nanmax(table[["risk", "high"]].to_numpy(np.float64)))
        axes.grid()
        axes.set(
            xlim=(-0.01, 1.01),
            ylim=(0, 1.25 * max(top, 0.05)),
            xlabel=f"Coverage: share of the {unit}s decided",
            ylabel="Risk: share of mistakes among them",
            title="Risk and coverage",
        )
        axes.set_box_aspect(1)
        axes.legend(loc="upper left")
        return figure_of(axes)
