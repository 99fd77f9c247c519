"""The record of a finished training, in the run and in the model card."""

from __future__ import annotations

import datetime
import warnings
from typing import Any

import keras
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.environment import describe_environment
from breastcls.errors import TrainingWarning
from breastcls.models.model_card import get_card, set_card
from breastcls.models.training_cases import list_weight_dependent, record_training
from breastcls.models.training_history import shorten_history
from breastcls.training.callbacks import BestWeights
from breastcls.training.run import Run

_NO_SCORES = ("epoch", "phase", "learning_rate", "seconds")


def describe_run(
    train: Dataset,
    val: Dataset | None,
    config: dict[str, Any],
    rows: list[dict[str, Any]],
    best: BestWeights,
    stopped: str,
    leakage: dict[str, Any] | None,
) -> Run:
    """Return the record of a run, without its folder and its time."""
    last = {name: value for name, value in rows[-1].items() if name not in _NO_SCORES}
    return Run(
        history=pd.DataFrame(rows),
        config=config,
        best_epoch=None if best.monitor is None else best.epoch,
        scores=last if best.monitor is None else best.scores,
        stopped=stopped,
        data={"train": _describe(train)} | ({} if val is None else {"val": _describe(val)}),
        leakage=leakage,
        environment=describe_environment(),
    )


def note_in_card(
    model: keras.Model, train: Dataset, val: Dataset | None, run: Run, resize: str | None, stain: Any = None
) -> None:
    """Write the training history and the training cases into the card of a model.

    By the cases, leaks can be found wherever the model is used.
    """
    card = get_card(model)
    if card is None:
        return
    record = {
        "data": run.data,
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        "scores": run.scores,
        "fit": run.config["fit"],
        "precision": run.config["precision"],
        "leakage": run.leakage,
        "environment": run.environment,
    }
    if dropped := list_weight_dependent(card):
        warnings.warn(
            f"The weights of the model have changed; what was stored for the former ones is removed: "
            f"{', '.join(dropped)}. Choose or fit it again on validation predictions.",
            TrainingWarning,
            stacklevel=3,
        )
    history = shorten_history(
        run.history,
        monitor=None if run.best_epoch is None else run.config["fit"]["selection"]["monitor"],
        best_epoch=run.best_epoch,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        exact_head=run.config.get("exact_head"),
    )
    noted = record_training(card, record, train, val)
    stain = None if stain is None else dict(stain)
    set_card(model, noted.replace(resize=resize, stain=stain, training_history=history))


def _describe(data: Dataset) -> dict[str, Any]:
    summary = data.summary()
    return {**summary.total, "by_class": summary.by_class.to_dict("index")}
