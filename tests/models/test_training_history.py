import numpy as np
import pandas as pd

from breastcls.models.training_history import MOST_EPOCHS, check_history, history_table, shorten_history


def shorten(history, best_epoch=None):
    return shorten_history(history, monitor="val_accuracy", best_epoch=best_epoch, date="2026-11-28")


def test_the_table_is_the_history_that_was_shortened():
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "phase": ["head", "fine-tune", "fine-tune"],
            "loss": [0.123456789, 0.5, float("nan")],
            "accuracy": [0.1, 0.2, 0.3],
            "val_accuracy": [0.5, 0.75, 1.0],
            "seconds": [1.0, 1.0, 1.0],
        }
    )
    values = shorten(history, 3)
    check_history(values)
    assert values["metrics"]["loss"] == [0.123457, 0.5, None]
    columns = ["epoch", "phase", "loss", "val_accuracy"]
    pd.testing.assert_frame_equal(history_table(values), history[columns], rtol=1e-5)


def test_a_long_history_is_bounded_and_keeps_the_best_epoch_and_the_phases():
    count = 5000
    phases = np.where(np.arange(count) < 777, "head", "fine-tune")
    history = pd.DataFrame({"epoch": np.arange(1, count + 1), "phase": phases, "loss": 0.5, "val_accuracy": 0.5})
    values = shorten(history, 3333)
    check_history(values)
    assert len(values["epochs"]) <= MOST_EPOCHS
    assert {1, 778, 3333, count} <= set(values["epochs"])
    assert [phase["first_epoch"] for phase in values["phases"]] == [1, 778]
    assert history_table(values).groupby("phase")["epoch"].min().to_dict() == {"head": 1, "fine-tune": 778}
