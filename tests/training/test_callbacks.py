import keras
import numpy as np
import pytest

from breastcls.errors import TrainingError
from breastcls.training.callbacks import BestWeights, StopAtNonFiniteLoss


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])


def _see(best, model, epoch, value, loss=0.0):
    model.set_weights([np.full((2, 2), epoch, "float32"), np.zeros(2, "float32")])
    return best.see(model, epoch, {"val_accuracy": value, "val_loss": loss})


def test_the_best_is_kept_and_ties_go_to_the_smaller_loss(model):
    best = BestWeights("val_accuracy", None)
    for epoch, (value, loss) in enumerate([(0.5, 1.0), (0.8, 0.9), (0.8, 0.5), (0.8, 0.7), (0.6, 0.1)], start=1):
        assert not _see(best, model, epoch, value, loss)
    best.restore(model, model)
    assert best.epoch == 3
    assert model.get_weights()[0][0, 0] == 3


def test_losses_are_better_small(model):
    best = BestWeights("val_loss", None)
    for epoch, loss in enumerate([1.0, 0.2, 0.5], start=1):
        _see(best, model, epoch, 0.0, loss)
    assert best.epoch == 2


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_what_is_no_number_is_worse_than_any(model, monitor):
    best = BestWeights(monitor)
    _see(best, model, 1, float("nan"), float("nan"))
    _see(best, model, 2, 0.1, 9.0)
    _see(best, model, 3, float("nan"), float("nan"))
    best.restore(model, model)
    assert best.epoch == 2
    assert model.get_weights()[0][0, 0] == 2


def test_among_equals_a_loss_that_is_no_number_is_worse(model):
    best = BestWeights("val_accuracy")
    _see(best, model, 1, 0.5, float("nan"))
    _see(best, model, 2, 0.5, 3.0)
    assert best.epoch == 2


def test_without_scores_to_go_by_the_last_epoch_that_ended_counts(model):
    best = BestWeights(None)
    best.start_phase(model)
    for epoch in (1, 2):
        _see(best, model, epoch, 1.0 / epoch)
    model.set_weights([np.full((2, 2), np.nan, "float32"), np.zeros(2, "float32")])
    best.restore(model, model)
    assert model.get_weights()[0][0, 0] == 2
    assert str(best) == "the weights of epoch 2, the last finished"


@pytest.mark.parametrize("monitor", ["val_accuracy", None])
def test_before_any_epoch_has_ended_it_goes_back_to_the_beginning(model, monitor):
    best = BestWeights(monitor)
    model.set_weights([np.full((2, 2), 7, "float32"), np.zeros(2, "float32")])
    best.start_phase(model)
    model.set_weights([np.full((2, 2), np.nan, "float32"), np.zeros(2, "float32")])
    best.restore(model, model)
    assert model.get_weights()[0][0, 0] == 7
    assert str(best) == "its initial weights, since no epoch was finished"


def test_patience_counts_within_a_phase(model):
    best = BestWeights("val_accuracy", 2)
    assert not _see(best, model, 1, 0.9)
    assert not _see(best, model, 2, 0.5)
    best.start_phase(model)
    assert not _see(best, model, 3, 0.5)
    assert _see(best, model, 4, 0.5)


def test_a_phase_that_never_betters_the_one_before_goes_back(model):
    best = BestWeights("val_accuracy", None)
    best.start_phase(model)
    _see(best, model, 1, 0.9)
    best.start_phase(model)
    _see(best, model, 2, 0.5)
    best.restore(model, model)
    assert best.epoch == 1
    assert model.get_weights()[0][0, 0] == 1


def test_what_is_not_measured(model):
    with pytest.raises(TrainingError, match="monitor='val_auc' is not measured"):
        BestWeights("val_auc", None).see(model, 1, {"val_loss": 1.0})


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_bad_losses(model, loss):
    model.compile(keras.optimizers.SGD(0.25), "mse")
    callback = StopAtNonFiniteLoss("head", BestWeights("val_loss"))
    callback.set_model(model)
    callback.on_epoch_begin(2)
    callback.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(TrainingError, match=r"epoch 3, step 5 .* has its initial weights.* \(now 0.25\)"):
        callback.on_train_batch_end(4, {"loss": loss})
