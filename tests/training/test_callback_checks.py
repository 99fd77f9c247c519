import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.training.callback_checks import check_callbacks
from breastcls.training.fit_options import EpochSchedule, FineTune, FrozenHead
from breastcls.training.fit_settings import FitSettings
from breastcls.training.phases import Phase

K = keras.callbacks
COSINE = keras.optimizers.schedules.CosineDecay(1e-3, 10)
IMAGES, HEAD = Phase("all", "all", 2, 1e-3), Phase("head", "head", 2, 1e-3)


@pytest.fixture
def quick():
    return {"epochs": 3, "batch_size": 8, "augment": "none"}


def check(callback, phases=(IMAGES,), **settings):
    check_callbacks([callback], phases, FitSettings(**settings))


@pytest.mark.parametrize("kind", [K.ReduceLROnPlateau, lambda: K.LearningRateScheduler(lambda epoch: 0.1)])
@pytest.mark.parametrize("rate", [COSINE, EpochSchedule(1e-3, "cosine"), EpochSchedule(1e-3, warmup_epochs=1)])
def test_what_sets_the_rate_is_refused_beside_a_schedule(kind, rate):
    with pytest.raises(TrainingError, match="sets the learning rate, but in the phase 'fine-tune' a schedule does"):
        check(kind(), (HEAD, Phase("fine-tune", "all", 2, rate)))
    check(kind(), (HEAD, Phase("fine-tune", "all", 2, EpochSchedule(1e-3))))
    # In an exact fit of the head no optimizer is used.
    check(kind(), (Phase("head", "head", 1, rate, "lbfgs"), IMAGES))


def test_a_schedule_in_an_optimizer_or_in_fine_tuning_is_found_before_training(parts, small, quick, tmp_path):
    for options in (
        {"optimizer": keras.optimizers.SGD(COSINE)},
        {"learning_rate": COSINE},
        {"fine_tune": FineTune(learning_rate=COSINE)},
    ):
        model = small()
        before = [weight.tobytes() for weight in model.get_weights()]
        with pytest.raises(TrainingError, match="ReduceLROnPlateau sets the learning rate"):
            bc.fit(model, *parts[:2], **quick, **options, callbacks=[K.ReduceLROnPlateau()], run_dir=tmp_path / "run")
        assert [weight.tobytes() for weight in model.get_weights()] == before
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (K.BackupAndRestore("backup"), "Pass run_dir="),
        (K.SwapEMAWeights(), "ema_overwrite_frequency"),
        (K.CallbackList([K.TerminateOnNaN()]), r"CallbackList|objects of keras\.callbacks\.Callback"),
        (K.EarlyStopping(monitor="val_auc"), "monitors 'val_auc', which is not measured"),
        (K.ReduceLROnPlateau(monitor="val_auc"), "monitors 'val_auc', which is not measured"),
        (K.ModelCheckpoint("best.keras", monitor="val_auc", save_best_only=True), "monitors 'val_auc'"),
        ("early", r"expected objects of keras\.callbacks\.Callback"),
        (K.EarlyStopping, r"expected objects of keras\.callbacks\.Callback"),
    ],
)
def test_callbacks_that_cannot_work_are_refused(callback, message):
    with pytest.raises(TrainingError, match=message):
        check(callback)


def test_validation_scores_need_a_validation_set():
    with pytest.raises(TrainingError, match=r"monitors 'val_loss'.*Pass val="):
        check_callbacks([K.EarlyStopping()], (IMAGES,), FitSettings(), validated=False)
    check_callbacks([K.EarlyStopping(monitor="loss")], (IMAGES,), FitSettings(), validated=False)


def test_the_direction_of_a_score_that_keras_does_not_know_has_to_be_given():
    with pytest.raises(TrainingError, match=r"val_case_balanced_accuracy.*Pass mode='max' to EarlyStopping"):
        check(K.EarlyStopping(monitor="val_case_balanced_accuracy"))
    for monitor in ("loss", "accuracy", "val_loss", "val_accuracy"):
        check(K.EarlyStopping(monitor=monitor))


def test_callbacks_have_to_be_a_list():
    with pytest.raises(TrainingError, match="callbacks must be a list"):
        check_callbacks(K.TerminateOnNaN(), (IMAGES,), FitSettings())


def test_a_checkpoint_of_the_head_alone_is_refused():
    checkpoint = K.ModelCheckpoint("best.keras")
    with pytest.raises(TrainingError, match="would save the head alone"):
        check(checkpoint, (HEAD, IMAGES))
    check(checkpoint, (HEAD, IMAGES), frozen_head=FrozenHead(feature_versions=None))
    check(checkpoint, (Phase("head", "head", 1, 1e-3, "lbfgs"), IMAGES), frozen_head=FrozenHead("lbfgs"))


def test_the_others_of_keras_work_on_images(parts, small, quick, tmp_path):
    seen = []
    callbacks = [
        K.CSVLogger(tmp_path / "log.csv"),
        K.EarlyStopping(monitor="val_accuracy", patience=9),
        K.History(),
        K.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, set(logs)))),
        K.LearningRateScheduler(lambda epoch: 1e-3 / (epoch + 1)),
        K.ModelCheckpoint(tmp_path / "best.keras", monitor="val_loss", save_best_only=True),
        K.ProgbarLogger(),
        K.TensorBoard(tmp_path / "board", histogram_freq=1),
        K.TerminateOnNaN(),
    ]
    model = small()
    run = bc.fit(model, *parts[:2], **quick, callbacks=callbacks, selection="val_loss")
    assert [epoch for epoch, _ in seen] == [0, 1, 2]
    assert "val_case_balanced_accuracy" in seen[0][1]
    assert len((tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()) == 4
    np.testing.assert_allclose(run.history["learning_rate"], [1e-3, 5e-4, 1e-3 / 3], rtol=1e-6)
    assert list((tmp_path / "board").rglob("events.*"))
    saved = keras.saving.load_model(tmp_path / "best.keras")
    for left, right in zip(saved.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert len(callbacks[2].history["val_loss"]) == 3


def test_early_stopping_ends_a_phase_and_a_plateau_lowers_the_rate(parts, small, quick):
    options = {**quick, "epochs": 8, "learning_rate": 1e-9}
    plateau = K.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1, min_delta=1.0)
    score = "val_case_balanced_accuracy"
    stop = K.EarlyStopping(monitor=score, mode="max", patience=4, min_delta=1.0, restore_best_weights=True)
    for fine_tune in (True, False):
        run = bc.fit(small(), *parts[:2], **options, callbacks=[plateau, stop], fine_tune=fine_tune)
        assert len(run.history) == 5
        assert run.history["learning_rate"].iloc[-1] < 5e-10
