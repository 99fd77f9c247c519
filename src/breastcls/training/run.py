"""`Run`: what a training did, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from breastcls.html_parts import html_paragraph, html_table
from breastcls.metrics.number_format import format_count
from breastcls.result import Result

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Run(Result):
    """The record of one call of `fit`.

    Args:
        history: One row per epoch: epoch, phase, loss, accuracy, the validation scores, learning_rate, seconds.
        config: Every setting of `fit` under "fit", with defaults filled in; "phases", and for each of them in
            "input_modes" whether it was trained on "features", "images" or "vectors"; "precision"; "model"; "classes";
            in "exact_head" how the penalty of a head fitted exactly was chosen; in "lora" the numbers of layers with
            an adapter of LoRA and of parameters.
        best_epoch: The epoch whose weights the model has now; None if there was no validation set, then the last.
        scores: The scores of that epoch.
        stopped: Why training ended: "all epochs done", "patience" or "interrupted".
        data: Images, slides and cases of the training and validation sets.
        leakage: What train and validation share, from `LeakageReport.to_dict`; None without validation.
        environment: Versions and system.
        seconds: How long it took.
        run_dir: Where it was written, or None.
    """

    history: pd.DataFrame
    config: dict[str, Any]
    best_epoch: int | None
    scores: dict[str, float]
    stopped: str
    data: dict[str, Any]
    leakage: dict[str, Any] | None
    environment: dict[str, Any]
    seconds: float = 0.0
    run_dir: Path | None = None

    def __str__(self) -> str:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in self.scores.items())
        return "\n".join([*self._begin(), f"Weights of {self._best()}: {scores}", *self._end()])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        scores = [["score", "value"], *([name, f"{value:.3f}"] for name, value in self.scores.items())]
        return (
            "".join(map(html_paragraph, self._begin()))
            + html_table(scores, caption=f"Weights of {self._best()}")
            + "".join(map(html_paragraph, self._end()))
        )

    def _best(self) -> str:
        return "the last epoch" if self.best_epoch is None else f"epoch {self.best_epoch}"

    def _begin(self) -> list[str]:
        train = self.data["train"]
        return [
            f"Trained on {format_count(train['images'], 'image')} of {format_count(train['cases'], 'case')} for "
            f"{format_count(len(self.history), 'epoch')} in {self.seconds:.0f} s ({self.stopped}).",
            *self._how(),
        ]

    def _end(self) -> list[str]:
        lines = []
        if self.leakage is not None and not self.leakage["clean"]:
            lines.append("Training and validation share cases or images: the validation scores are inflated.")
        if self.run_dir is not None:
            lines.append(f"Written to {self.run_dir}")
        return lines

    def _how(self) -> list[str]:
        """Return lines on the input mode of each phase, the precision, and the penalty of an exact head."""
        phases, modes = self.config.get("phases", []), self.config.get("input_modes", [])
        named = [f"{phase['name']} on {mode}" for phase, mode in zip(phases, modes, strict=False)]
        lines = [f"Phases: {', '.join(named)}; computed in {self.config['precision']}."] if named else []
        lora = self.config.get("lora")
        if lora is not None:
            lines.append(
                f"Fine-tuning trained {lora['trained_parameters']:,} of {lora['parameters']:,} parameters, with "
                f"adapters of LoRA in {format_count(lora['layers'], 'layer')}."
            )
        exact = self.config.get("exact_head")
        if exact is not None:
            chosen = f"chosen by {exact['folds']} folds over cases" if exact["folds"] else "assumed: too few cases"
            lines.append(f"The head was fitted exactly, with C = {exact['c']:g} ({chosen}).")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types; NaN, such as a loss that diverged, becomes None."""
        return {
            "config": self.config,
            "best_epoch": self.best_epoch,
            "scores": _without_nan(self.scores),
            "stopped": self.stopped,
            "seconds": self.seconds,
            "data": self.data,
            "leakage": self.leakage,
            "environment": self.environment,
            # Every digit, unlike pandas' own JSON: a history that was read back equals the one that was written.
            "history": [_without_nan(row) for row in self.history.to_dict("records")],
        }

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw loss and scores over the epochs, and save the figure if a path is given.

        With an exactly fitted head, the cross-validated log loss of each penalty is drawn. The values of a single epoch
        are written as a table, since they have no curve.

        Raises:
            OutputError: If it cannot be written.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.training.history_figure import plot_history

        return export_figure(plot_history(self.history, self.config.get("exact_head")), path)


def _without_nan(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): None if value != value else value for name, value in values.items()}
