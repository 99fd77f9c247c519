"""The training curves of the report, from the history in the model's card."""

import pandas as pd
import pytest

from breastcls.evaluation.report.training_curves import training_curves
from breastcls.models.training_history import shorten_history

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "phase": ["head", "head", "fine-tune"],
        "loss": [0.7, 0.5, 0.4],
        "val_loss": [0.8, 0.6, 0.7],
        "val_balanced_accuracy": [0.5, 0.8, 0.7],
    }
)


@pytest.mark.parametrize(("best", "words"), [(2, "The weights of epoch 2 were kept"), (None, "by epoch.</fig")])
def test_the_curves_have_words_with_their_values(evaluate, best, words):
    monitor = "val_balanced_accuracy" if best else None
    record = shorten_history(HISTORY, monitor=monitor, best_epoch=best, date="2026-11-28")
    text = str(training_curves(evaluate(model={"training_history": record})))
    assert "Training history of 3 epochs; after the last one: loss 0.400, validation loss 0.700" in text
    assert words in text
    assert ("best validation balanced accuracy" in text) == (best is not None)
    assert ">Loss</text>" in text


def test_a_card_without_a_history_has_no_curves(evaluate):
    assert training_curves(evaluate()) is None
    assert training_curves(evaluate(model={"training_history": None})) is None
