import keras
import numpy as np
import pytest

from breastcls.training.training_loop import Position, run_epochs
from breastcls.training.training_step import EpochMeans, KerasStep, as_shares


class Recorder(keras.callbacks.Callback):
    """Notes each call, as Keras' own loop would make it."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("train begins")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} begins")

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(f"batch {batch}")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch} ends, {sorted(logs)}")

    def on_train_end(self, logs=None):
        self.calls.append("train ends")


class BatchSource:
    steps = 2

    def batches(self, epoch, first=0):
        generator = np.random.default_rng(epoch)
        values = [(generator.normal(size=(3, 4)).astype("float32"), np.array([0, 1, 1])) for _ in range(2)]
        return iter(values[first:])


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=[accuracy], jit_compile=False)
    return model


def test_callbacks_are_called_as_keras_does(model):
    ours, theirs = Recorder(), Recorder()
    run_epochs(model, KerasStep(model, 2, None), BatchSource(), Position(), 2, [ours])
    images = np.zeros((6, 4), "float32")
    model.fit(images, np.eye(2)[[0, 1, 1, 0, 1, 1]], batch_size=3, epochs=2, verbose=0, callbacks=[theirs])
    assert ours.calls == theirs.calls


def test_the_numbers_are_those_of_keras(model):
    weights = {0: 2.0, 1: 0.5}
    start = model.get_weights()
    ours = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ours.append(dict(logs)))
    run_epochs(model, KerasStep(model, 2, weights), BatchSource(), Position(), 3, [note])
    ended = model.get_weights()
    model.set_weights(start)
    model.optimizer.iterations.assign(0)
    theirs = []
    for epoch in range(3):
        batches = [(x, np.eye(2, dtype="float32")[y]) for x, y in BatchSource().batches(epoch)]
        x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
        history = model.fit(x, y, batch_size=3, verbose=0, shuffle=False, class_weight=weights)
        theirs.append({name: values[0] for name, values in history.history.items()})
    for mine, keras_own in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(keras_own, rel=1e-5)
    for mine, keras_own in zip(ended, model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_own, rtol=1e-5, atol=1e-7)


def test_it_begins_in_the_middle_of_an_epoch(model):
    recorder, position = Recorder(), Position(1, 1, EpochMeans(3.0, 3.0, 3))
    kept = []
    run_epochs(
        model, KerasStep(model, 2, None), BatchSource(), position, 3, [recorder],
        checkpoint=lambda: kept.append((position.epoch, position.step)), checkpoint_steps=1,
    )  # fmt: skip
    assert recorder.calls[:4] == ["train begins", "epoch 1 begins", "batch 1", "epoch 1 ends, ['accuracy', 'loss']"]
    assert kept == [(2, 0), (2, 1), (3, 0)]


def test_a_callback_stops_it_within_an_epoch(model):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    recorder = Recorder()
    run_epochs(model, KerasStep(model, 2, None), BatchSource(), Position(), 5, [Stop(), recorder])
    assert recorder.calls.count("batch 0") == 1
    assert "batch 1" not in recorder.calls


def test_labels_become_shares():
    np.testing.assert_array_equal(np.asarray(as_shares(np.array([1, 0]), 3)), [[0, 1, 0], [1, 0, 0]])
    mixed = np.array([[0.5, 0.5]], "float32")
    assert as_shares(mixed, 2) is mixed
