"""How much of a score is left when the stain, the focus, the camera or the file changes and the tissue does not."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.images.resize import Pixels
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import few_cases, find_paired_limitations
from breastcls.intervals.paired_scores import change_text, check_metrics, score_against, score_text
from breastcls.intervals.score_tables import count_units
from breastcls.json_values import table_to_dict, to_json_values
from breastcls.metrics.classification_metrics import require_labels
from breastcls.result import Result
from breastcls.robustness.perturbations import PERTURBATIONS, Perturbation
from breastcls.robustness.perturbed_predictions import (
    Alteration,
    file_names,
    generator_of,
    leave_as_it_is,
    predict_altered,
)

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

DEFAULT = ("stain", "blur", "jpeg", "brightness", "contrast", "hue", "noise")
DEFAULT_METRICS = ("balanced_accuracy", "roc_auc")


@dataclass(frozen=True, eq=False, repr=False)
class Robustness(Result):
    """What `robustness` found. Print it, plot it, or attach its table to an evaluation.

    Attributes:
        table: One row a perturbation, strength and metric: `perturbation`, `strength`, `unit`, `metric`, `value`,
            `low`, `high`, and `change`, `change_low`, `change_high`: the difference from the images as they are, whose
            interval is over the same cases on both sides and so narrower than the others suggest. Strength 0 is the
            images as they are.
        settings: `bootstrap`, `seed`.
        counts: `images`, `cases`.
        limitations: Plain sentences on what to keep in mind with these numbers.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    limitations: tuple[str, ...] = ()

    def __str__(self) -> str:
        percent = f"{100 * self.settings['bootstrap']['confidence']:g}%"
        lines = [
            f"Robustness on {self.counts['images']} images of {self.counts['cases']} cases; {percent} intervals over "
            "cases; the change is from the images as they are."
        ]
        for name, rows in self.table.groupby("perturbation", sort=False):
            lines += ["", f"{name} ({rows['unit'].iloc[0]})"]
            for metric, scores in rows.groupby("metric", sort=False):
                lines.append(f"  {'strength':>8}  {metric!s:<26}  change")
                lines += [
                    f"  {row['strength']:>8g}  {score_text(row):<26}  "
                    f"{change_text(row['change'], row['change_low'], row['change_high'])}"
                    for row in scores.to_dict("records")
                ]
        if self.limitations:
            lines += ["", "Keep in mind", *(f"  - {limitation}" for limitation in self.limitations)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types, for JSON; NaN becomes None."""
        return {
            "table": table_to_dict(self.table),
            "settings": to_json_values(self.settings),
            "counts": to_json_values(self.counts),
            "limitations": list(self.limitations),
        }

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        metric: str | None = None,
        width_mm: float | None = None,
        dpi: int = 300,
    ) -> Figure:
        """Draw the score against the strength, one panel a perturbation; given a path, save it.

        Args:
            path: Where to save it, as `.svg`, `.png` or `.pdf`.
            metric: Which metric; the last one of the table by default.
            width_mm: Width in millimetres, for many journals 85 (one column) or 174 (two); default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If the metric was not measured.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import save_figure
        from breastcls.robustness.robustness_figure import choose_metric, plot_strengths

        figure = plot_strengths(self.table, choose_metric(self.table, metric))
        if path is not None:
            save_figure(figure, path, width_mm=width_mm, dpi=dpi)
        return figure


def measure_robustness(
    model: keras.Model | str | os.PathLike[str],
    data: Dataset,
    *,
    perturbations: Sequence[str | Perturbation] = DEFAULT,
    strengths: Mapping[str, Sequence[float]] | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    bootstrap: Bootstrap | None = None,
    seed: int = 0,
    batch_size: int = 32,
    allow_leakage: bool = False,
) -> Robustness:
    """Score a model on images that are changed more and more, each with an interval over cases.

    An image is changed as its file holds it, before it is normalised and resized for the model. Each file is decoded
    once for all perturbations, and no more than a batch is in memory; time goes with images x strengths.

    Args:
        model: A `keras.Model`, or the path of a `.keras` file.
        data: Test images; the model has not learnt from their cases.
        perturbations: Names (`list_perturbations`), or `Perturbation`s of one's own.
        strengths: For some of them by name, the strengths to try in place of their own.
        metrics: What to score; names as in `Evaluation.metrics`.
        bootstrap: How confidence intervals are computed; default: `Bootstrap(seed=seed)`.
        seed: Of what is random in a perturbation. What happens to an image follows from it and
            from the name of its file (for stains of its slide), whatever the order of the images.
        batch_size: Images at a time.
        allow_leakage: Go on although the model says that it has learnt from some of these cases.

    Returns:
        The scores by perturbation and strength; strength 0 is what `evaluate` gives by image, without `tta`.

    Raises:
        RegistryError: If a perturbation is not known.
        EvaluationError: If the model does not fit the data, or a metric or a strength is not valid.
        LeakageError: If the model has learnt from some of these cases, and it was not allowed.
        ImageError: If an image cannot be read.

    Warns:
        EvaluationWarning: If a class is scored on fewer than five cases.

    Example:
        >>> found = measure_robustness(model, test, perturbations=("stain", "blur"))  # doctest: +SKIP
        >>> found.plot("robustness.svg")  # doctest: +SKIP
    """
    wanted = check_metrics(metrics)
    bootstrap = bootstrap or Bootstrap(seed=seed)
    chosen = _choose(perturbations, strengths or {})
    steps = [(one, strength) for one, tried in chosen for strength in tried if strength != 0]
    names = _names_by(data)
    alterations: list[Alteration] = [_alteration(one, strength, names, seed) for one, strength in steps]
    clean, *changed = predict_altered(
        model, data, [leave_as_it_is, *alterations], batch_size=batch_size, allow_leakage=allow_leakage
    )
    require_labels(clean)
    unchanged, *tables = score_against(clean, [clean, *changed], wanted, bootstrap)
    counts = count_units(clean)
    for message in few_cases(counts):
        warnings.warn(message, EvaluationWarning, stacklevel=2)
    by_step = {(one.name, strength): table for (one, strength), table in zip(steps, tables, strict=True)}
    rows = []
    for one, tried in chosen:
        for strength in tried:
            table = by_step.get((one.name, strength), unchanged)
            rows += [
                {"perturbation": one.name, "strength": strength, "unit": one.unit, "metric": metric, **row.to_dict()}
                for metric, row in table.iterrows()
            ]
    return Robustness(
        table=pd.DataFrame(rows),
        settings={"bootstrap": asdict(bootstrap), "seed": seed},
        counts={unit: counts[unit] for unit in ("images", "cases")},
        limitations=find_paired_limitations(clean, unchanged, counts),
    )


def _choose(
    perturbations: Sequence[str | Perturbation], strengths: Mapping[str, Sequence[float]]
) -> list[tuple[Perturbation, tuple[float, ...]]]:
    """Return each perturbation with its strengths in order, 0 among them."""
    if isinstance(perturbations, (str, Perturbation)):
        perturbations = (perturbations,)
    found = [one if isinstance(one, Perturbation) else PERTURBATIONS[one] for one in perturbations]
    called = [one.name for one in found]
    if not called or len(set(called)) < len(called):
        raise EvaluationError(f"`perturbations` must be one or several different ones; found {called}.")
    unknown = sorted(set(strengths) - set(called))
    if unknown:
        raise EvaluationError(
            f"`strengths` names {', '.join(map(repr, unknown))}, which {'is' if len(unknown) == 1 else 'are'} not "
            f"among the perturbations {', '.join(called)}."
        )
    chosen = []
    for one in found:
        tried = {0.0, *(float(strength) for strength in strengths.get(one.name, one.strengths))}
        chosen.append((one, tuple(sorted(tried))))
    return chosen


def _names_by(data: Dataset) -> dict[str, list[str]]:
    return {"image": file_names(data), "slide": [str(slide) for slide in data.slides]}


def _alteration(one: Perturbation, strength: float, names: Mapping[str, list[str]], seed: int) -> Alteration:
    shared = names[one.shared_by]

    def alter(image: Pixels, row: int) -> Pixels:
        # The same draw at every strength, so that a curve over strengths shows the strength and not the draw.
        return one(image, strength, generator_of(f"{one.name} {shared[row]}", seed))

    return alter
