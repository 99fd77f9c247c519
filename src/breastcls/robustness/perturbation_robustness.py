"""Robustness: metrics as a function of the strength of perturbations of stain, focus, camera and file."""

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
from breastcls.models.engines.engine_record import engine_in_words
from breastcls.result import Result
from breastcls.robustness.perturbations import PERTURBATIONS, Perturbation
from breastcls.robustness.perturbed_predictions import (
    ImageChange,
    file_names,
    keep_image,
    predict_perturbed,
    seeded_generator,
)
from breastcls.text_tables import format_count, limitation_lines

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

DEFAULT = ("stain", "blur", "jpeg", "brightness", "contrast", "hue", "noise")
DEFAULT_METRICS = ("balanced_accuracy", "roc_auc")


@dataclass(frozen=True, eq=False, repr=False)
class Robustness(Result):
    """The result of `measure_robustness`. Print it, plot it, or attach its table to an evaluation.

    Attributes:
        table: One row per perturbation, strength and metric: `perturbation`, `strength`, `unit`, `metric`, `value`,
            `low`, `high`, and `change`, `change_low`, `change_high`: the difference from the unperturbed images,
            whose confidence interval is paired and so narrower than the others suggest. Strength 0 is the unperturbed
            images.
        settings: `bootstrap`, `seed`, `engine` (see `Predictions`).
        counts: `images`, `cases`.
        limitations: Sentences on the limitations of these numbers.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    limitations: tuple[str, ...] = ()

    def __str__(self) -> str:
        percent = f"{100 * self.settings['bootstrap']['confidence']:g}%"
        lines = [
            f"Robustness on {format_count(self.counts['images'], 'image')} of "
            f"{format_count(self.counts['cases'], 'case')}; {percent} CI over cases; "
            "the change is from the unperturbed images."
        ]
        if self.settings.get("engine", {}).get("name", "keras") != "keras":
            lines.append(f"Computed by {engine_in_words(self.settings['engine'])}.")
        for name, rows in self.table.groupby("perturbation", sort=False):
            lines += ["", f"{name}, strength: {rows['unit'].iloc[0]}"]
            for metric, scores in rows.groupby("metric", sort=False):
                lines.append(f"  {'strength':>8}  {metric!s:<26}  change")
                lines += [
                    f"  {row['strength']:>8g}  {score_text(row):<26}  "
                    f"{change_text(row['change'], row['change_low'], row['change_high'])}"
                    for row in scores.to_dict("records")
                ]
        return "\n".join([*lines, *limitation_lines(self.limitations)])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
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
        """Draw a metric against the strength, one panel per perturbation; given a path, save it.

        Args:
            path: Where to save it, as `.svg`, `.png` or `.pdf`.
            metric: The metric; the last one of the table by default.
            width_mm: Width in millimetres, for many journals 85 (one column) or 174 (two); default: the figure's own.
            dpi: Dots per inch of a PNG.

        Raises:
            EvaluationError: If the metric was not measured.
            OutputError: If it cannot be saved.
        """
        from breastcls.drawing.figures import export_figure
        from breastcls.robustness.robustness_figure import choose_metric, plot_strengths

        figure = plot_strengths(self.table, choose_metric(self.table, metric))
        return export_figure(figure, path, width_mm=width_mm, dpi=dpi)


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
    engine: str | None = None,
) -> Robustness:
    """Score a model on perturbed images of increasing strength, with confidence intervals over cases.

    The pixels of the file are perturbed, before they are normalised and resized for the model. Each file is decoded
    once for all perturbations, and one batch is in memory; the time is proportional to images x strengths.

    Args:
        model: A `keras.Model`, or the path of a `.keras` file.
        data: Test images, of other cases than the training images.
        perturbations: Names (`list_perturbations`) or instances of `Perturbation`.
        strengths: By name, strengths that replace those of a perturbation.
        metrics: Names as in `Evaluation.metrics`.
        bootstrap: How confidence intervals are computed; default: `Bootstrap(seed=seed)`.
        seed: Of the random draws of a perturbation. Those of an image depend on the seed and on the name of its file
            (for stains of its slide), not on the order of the images.
        batch_size: Images per batch.
        allow_leakage: Continue although the card lists some of these cases among the training cases.
        engine: What runs a Keras model; see `predict`.

    Returns:
        The metrics by perturbation and strength; strength 0 equals `evaluate` by image, without `tta`.

    Raises:
        RegistryError: If a perturbation is not known.
        EvaluationError: If the model does not fit the data, or a metric or a strength is not valid.
        LeakageError: If the card lists some of these cases among the training cases, unless `allow_leakage`.
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
    changes: list[ImageChange] = [_image_change(one, strength, names, seed) for one, strength in steps]
    clean, *changed = predict_perturbed(
        model, data, [keep_image, *changes], batch_size=batch_size, allow_leakage=allow_leakage, engine=engine
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
        settings={"bootstrap": asdict(bootstrap), "seed": seed, "engine": dict(clean.engine or {})},
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
    names = [one.name for one in found]
    if not names or len(set(names)) < len(names):
        raise EvaluationError(f"`perturbations` must be one or several different ones; found {names}.")
    unknown = sorted(set(strengths) - set(names))
    if unknown:
        raise EvaluationError(
            f"`strengths` names {', '.join(map(repr, unknown))}, which {'is' if len(unknown) == 1 else 'are'} not "
            f"among the perturbations {', '.join(names)}."
        )
    chosen = []
    for one in found:
        tried = {0.0, *(float(strength) for strength in strengths.get(one.name, one.strengths))}
        chosen.append((one, tuple(sorted(tried))))
    return chosen


def _names_by(data: Dataset) -> dict[str, list[str]]:
    return {"image": file_names(data), "slide": [str(slide) for slide in data.slides]}


def _image_change(one: Perturbation, strength: float, names: Mapping[str, list[str]], seed: int) -> ImageChange:
    shared = names[one.shared_by]

    def change(image: Pixels, row: int) -> Pixels:
        # The same draw at every strength, so that the curve shows the effect of the strength alone.
        return one(image, strength, seeded_generator(f"{one.name} {shared[row]}", seed))

    return change
