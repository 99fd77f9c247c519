"""One side of a recipe: train on each part, judge the rest, pool what was judged."""

from __future__ import annotations

import dataclasses
import gc
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastcls.baselines.colour_baseline import predict_by_colour, score_beside_colour
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.leakage import LeakageReport, audit_leakage, join_reports
from breastcls.errors import EvaluationWarning, LeakageWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.recipes.recipe import Contender, Recipe
from breastcls.experiments.recipes.recipe_result import Side
from breastcls.experiments.recipes.recipe_splits import By, Part
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.limitations import LEAKING
from breastcls.predictions.join_predictions import join_predictions
from breastcls.predictions.predictions import Predictions

HEATMAPS = 8
_POOLED = "Pooled over {count} folds: each image was judged by the one model that had not seen it."


@dataclass(frozen=True)
class Order:
    """What the caller of `run_recipe` asked for, as far as a training needs it.

    Args:
        weights: What `build_model` is told for this contender, or what the recipe's own training is told.
        image_size: (height, width), or None for the contender's own.
        epochs: None for the recipe's own.
        seed: Of the models and their training.
        resume: Whether to go on with what a folder holds.
        progress: Whether to show progress.
    """

    weights: Any
    image_size: tuple[int, int] | None
    epochs: int | None
    seed: int
    resume: bool
    progress: bool


def run_side(
    recipe: Recipe, contender: Contender, by: By, parts: Sequence[Part], order: Order, folder: Path | None
) -> Side:
    """Train and judge each part.

    Args:
        recipe: The recipe.
        contender: Which of its models.
        by: What the parts keep whole.
        parts: From `make_parts`.
        order: What was asked for.
        folder: Where runs, report and heat-maps are written; None to write nothing.
    """
    began = time.perf_counter()
    runs, heatmaps, parameters = [], None, 0
    pooled = _Pool(leaking=by == "image")
    with warnings.catch_warnings():
        # The result tells in words what these would: that this side leaks, and how few cases it rests on.
        warnings.simplefilter("ignore", EvaluationWarning)
        if by == "image":
            warnings.simplefilter("ignore", LeakageWarning)
        for number, part in enumerate(parts, start=1):
            place = None if folder is None else folder / ("run" if len(parts) == 1 else f"run-{number}")
            model, run = train_part(recipe, contender, by, part.train, part.val, order, place)
            runs += [] if run is None else [run]
            parameters = int(model.count_params())
            pooled.add(model, part, recipe.tta, alone=len(parts) == 1)
            if folder is not None and recipe.explain is not None and number == 1:
                heatmaps = _draw_heatmaps(recipe.explain, model, part.test, folder / "heatmaps")
            # A fine-tuned VGG19 with its optimizer is several hundred megabytes, and one follows the other.
            del model
            gc.collect()
        evaluation = pooled.evaluate()
    return Side(
        by=by,
        evaluation=evaluation,
        runs=tuple(runs),
        trained_on=tuple(len(part.seen) for part in parts),
        parameters=parameters,
        seconds=time.perf_counter() - began,
        heatmaps=heatmaps,
    )


class _Pool:
    """What was judged, part after part: one part as it is, several joined, so that every image counts once."""

    def __init__(self, *, leaking: bool) -> None:
        self.leaking = leaking
        self.alone: Evaluation | None = None
        self.judged: list[Predictions] = []
        self.coloured: list[Predictions] = []
        self.reports: list[LeakageReport] = []
        self.card: dict[str, Any] = {}

    def add(self, model: Any, part: Part, tta: str | None, *, alone: bool) -> None:
        """Judge one part with its model."""
        if alone:
            self.alone = evaluate(model, part.test, train=part.seen, allow_leakage=self.leaking, tta=tta)
            return
        from breastcls.models.model_card import get_card
        from breastcls.predictions.predict import predict

        card = get_card(model)
        self.card = {} if card is None else card.to_dict()
        self.judged.append(predict(model, part.test, tta=tta))
        self.coloured.append(predict_by_colour(part.seen, part.test))
        self.reports.append(audit_leakage(part.seen, part.test))

    def evaluate(self) -> Evaluation:
        """Score everything that was judged."""
        if self.alone is not None:
            return self.alone
        report = join_reports(self.reports)
        judged = join_predictions(self.judged)
        together = evaluate(judged)
        beside = score_beside_colour(judged, join_predictions(self.coloured), Bootstrap())
        leak = () if report.clean else (LEAKING,)
        return dataclasses.replace(
            together,
            colour_baseline=beside[0],
            colour_difference=beside[1],
            leakage=report,
            leak_allowed=not report.clean,
            model=self.card,
            limitations=(*leak, *together.limitations, _POOLED.format(count=len(self.judged))),
        )


def train_part(
    recipe: Recipe,
    contender: Contender,
    by: By,
    train: Dataset,
    val: Dataset | None,
    order: Order,
    run_dir: Path | None,
) -> tuple[Any, Any]:
    """Train one model; return it and its record, which is None where the recipe brings its own training.

    Raises:
        KeyboardInterrupt: After Ctrl-C; what was reached is in `run_dir`.
    """
    if recipe.train is not None:
        return _train_own(recipe, train, val, order, run_dir), None
    from breastcls.models.building import build_model
    from breastcls.models.model_card import get_card
    from breastcls.training.fit import fit

    assert contender.backbone is not None  # Recipe checks it
    model = build_model(
        contender.backbone,
        classes=train.classes,
        image_size=order.image_size or contender.image_size,
        weights=order.weights,
        head=contender.head,
        dropout=contender.dropout,
        seed=order.seed,
        **contender.options,
    )
    settings = {"augment": recipe.augment, **recipe.fit}
    card = get_card(model)
    if card is not None and card.weights is None and has_published_weights(contender.backbone):
        settings |= recipe.scratch
    if order.epochs is not None:
        settings["epochs"] = order.epochs
    run = fit(
        model,
        train,
        val,
        seed=order.seed,
        run_dir=run_dir,
        resume=order.resume,
        allow_leakage=by == "image",
        progress=order.progress,
        **settings,
    )
    if run.stopped == "interrupted":
        go_on = "" if run_dir is None else f" With resume=True it goes on from what {run_dir} holds."
        raise KeyboardInterrupt(f"Interrupted while training {recipe.name}, {contender.name}, by {by}.{go_on}")
    return model, run


def _train_own(recipe: Recipe, train: Dataset, val: Dataset | None, order: Order, run_dir: Path | None) -> Any:
    from breastcls.models.persistence import load_model, save_model

    assert recipe.train is not None
    finished = None if run_dir is None else run_dir.parent / f"{run_dir.name}.keras"
    if order.resume and finished is not None and finished.is_file():
        return load_model(finished)
    model = recipe.train(
        train,
        val,
        weights=order.weights,
        image_size=order.image_size,
        epochs=order.epochs,
        seed=order.seed,
        run_dir=run_dir,
        resume=order.resume,
        progress=order.progress,
    )
    if finished is not None:
        save_model(model, finished)
    return model


def _draw_heatmaps(method: str, model: Any, test: Dataset, folder: Path) -> Path:
    from breastcls.explanation.explain import explain

    some = test[:: max(1, len(test) // HEATMAPS)][:HEATMAPS]
    return explain(model, some, method).save(folder, overwrite=True)


def has_published_weights(backbone: str) -> bool:
    """Tell whether somebody publishes ImageNet weights of a backbone."""
    from breastcls.models.backbones.backbone_registry import BACKBONES

    return BACKBONES[backbone].pretrained is not None
