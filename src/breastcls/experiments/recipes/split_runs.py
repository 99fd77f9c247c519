"""One model of a recipe with one kind of split: train and test on each fold, evaluate all folds together."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationWarning, LeakageWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments.fold import Fold, FoldResult
from breastcls.experiments.fold_pooling import audit_folds, evaluate_folds
from breastcls.experiments.fold_runner import RunOptions, run_folds
from breastcls.experiments.recipes.model_result import SplitResult
from breastcls.experiments.recipes.recipe_folds import By
from breastcls.experiments.recipes.recipe_trainer import RecipeTrainer
from breastcls.explanation.explain import explain
from breastcls.models.model_card import get_card
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions

HEATMAPS = 8


def run_split(
    trainer: RecipeTrainer, by: By, folds: Sequence[Fold], options: RunOptions, explain_by: str | None
) -> SplitResult:
    """Train and test on each fold, and evaluate.

    Args:
        trainer: Trains the models.
        by: Unit that the folds keep whole; "image" leaks.
        folds: From `make_folds`.
        options: How they are run; runs and heat-maps are written to its folder.
        explain_by: Method of the heat-maps; None to draw none.
    """
    began = time.perf_counter()
    found: dict[str, Any] = {"parameters": 0, "card": {}, "heatmaps": None, "evaluation": None}

    def test_model(model: Any, fold: Fold) -> Predictions:
        card = get_card(model)
        found["parameters"] = int(model.count_params())
        found["card"] = {} if card is None else card.to_dict()
        if len(folds) > 1:
            predictions = predict(model, fold.test, tta=trainer.tta)
        else:
            found["evaluation"] = evaluate(
                model, fold.test, train=fold.fitted_on, allow_leakage=by == "image", tta=trainer.tta
            )
            predictions = found["evaluation"].predictions
        if options.run_dir is not None and explain_by is not None and fold is folds[0]:
            found["heatmaps"] = _draw_heatmaps(explain_by, model, fold.test, options.run_dir / "heatmaps")
        return predictions

    with warnings.catch_warnings():
        # The result states in its limitations what these warn of: the leak of this split, and few cases.
        warnings.simplefilter("ignore", EvaluationWarning)
        if by == "image":
            warnings.simplefilter("ignore", LeakageWarning)
        results = run_folds(folds, trainer, options, test_model=test_model)
        evaluation = found["evaluation"] or _evaluate(results, found["card"])
    return SplitResult(
        by=by,
        evaluation=evaluation,
        runs=tuple(result.run for result in results if result.run is not None),
        training_images=tuple(len(fold.fitted_on) for fold in folds),
        parameters=found["parameters"],
        seconds=time.perf_counter() - began,
        heatmaps=found["heatmaps"],
    )


def _evaluate(results: Sequence[FoldResult], card: dict[str, Any]) -> Evaluation:
    folds = [result.fold for result in results]
    pooled = f"Pooled over {len(folds)} folds: each image was predicted by the one model that was not fitted on it."
    return evaluate_folds(results, audit_folds(folds), card, limitations=(pooled,))


def _draw_heatmaps(method: str, model: Any, test: Dataset, folder: Path) -> Path:
    some = test[:: max(1, len(test) // HEATMAPS)][:HEATMAPS]
    return explain(model, some, method).save(folder, overwrite=True)
