"""Ctrl-C, at whatever moment, leaves a model with weights of an epoch that ended."""

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import TrainingWarning
from breastcls.training import trainer


@pytest.fixture
def quick():
    return {"epochs": 2, "batch_size": 8, "augment": "none"}


def test_interruption_keeps_the_best(parts, small, quick):
    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    model = small()
    stopping = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    # A rate that makes the second epoch worse than the first.
    with pytest.warns(TrainingWarning, match="Interrupted: the model has the weights of epoch 1, the best so far"):
        run = bc.fit(
            model, *parts[:2], **{**quick, "epochs": 9}, learning_rate=0.2, selection="val_loss", callbacks=[stopping]
        )
    assert run.stopped == "interrupted"
    assert len(run.history) == 2
    best = small()
    bc.fit(best, *parts[:2], **{**quick, "epochs": 1}, learning_rate=0.2)
    for kept, expected in zip(model.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_interrupted_within_an_epoch_it_has_the_weights_of_the_last_that_ended(parts, small, quick):
    class Interrupt(keras.callbacks.Callback):
        left = 5

        def on_train_batch_end(self, batch, logs=None):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    model, last = small(), small()
    with pytest.warns(TrainingWarning, match="the weights of epoch 1, the last finished"):
        run = bc.fit(model, parts[0], **quick, callbacks=[Interrupt()])
    assert len(run.history) == 1
    bc.fit(last, parts[0], **{**quick, "epochs": 1})
    for kept, expected in zip(model.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)

    early, as_given = small(), small()
    Interrupt.left = 1
    with (
        pytest.warns(TrainingWarning, match="its initial weights"),
        pytest.raises(KeyboardInterrupt, match="before the first"),
    ):
        bc.fit(early, parts[0], **quick, callbacks=[Interrupt()])
    for kept, expected in zip(early.get_weights(), as_given.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_interrupted_before_the_exact_head_is_scored_the_model_is_as_it_was_given(parts, small, quick, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "score_exact_head", stop)
    model = small()
    with (
        pytest.warns(TrainingWarning, match="its initial weights"),
        pytest.raises(KeyboardInterrupt, match="before the first"),
    ):
        bc.fit(model, *parts[:2], **quick, frozen_head="lbfgs", fine_tune=False)
    for kept, expected in zip(model.get_weights(), small().get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)
