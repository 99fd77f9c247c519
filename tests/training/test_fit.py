import importlib
import json

import keras
import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import LeakageError, LeakageWarning, TrainingError
from breastcls.models.model_card import get_card, set_card
from breastcls.models.training_history import history_table
from breastcls.training.fit_options import EpochSchedule, FrozenHead
from breastcls.training.run_options import Logging, ModelSelection
from breastcls.training.training_step import KerasStep


@pytest.fixture
def quick():
    return {"epochs": 2, "batch_size": 8, "augment": "none"}


def test_it_learns(parts, small, quick):
    train, val, test = parts
    model = small()
    run = bc.fit(model, train, val, **{**quick, "epochs": 12})
    assert run.scores["val_case_balanced_accuracy"] == 1.0
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[0]
    images, labels = test.to_numpy((32, 32))
    assert (model.predict(images, verbose=0).argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize("augment", ["none", "standard", "mixup"])
def test_the_same_seed_gives_the_same_bits(parts, small, quick, augment):
    def train_once(seed):
        model = small(dropout=0.5)
        run = bc.fit(model, parts[0], parts[1], **{**quick, "augment": augment}, seed=seed)
        return [weight.tobytes() for weight in model.get_weights()], run.history["loss"].tolist()

    first, second, other = train_once(5), train_once(5), train_once(6)
    assert first == second
    assert first != other


def test_a_model_without_seeds_is_made_to_repeat(parts, quick):
    def train_once():
        layers = keras.layers
        dense = layers.Dense(2, activation="softmax", kernel_initializer="zeros")
        model = keras.Sequential(
            [keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dropout(0.5), dense]
        )
        bc.fit(model, parts[0], **quick)
        return model.get_weights()[0].tobytes()

    assert train_once() == train_once()


def test_the_callers_random_state_is_put_back(parts, small, quick):
    np.random.seed(1)
    expected = np.random.random(2).tolist()
    np.random.seed(1)
    bc.fit(small(), parts[0], **quick)
    assert np.random.random(2).tolist() == expected


def test_the_best_epoch_is_restored_without_early_stopping(parts, small, quick):
    from breastcls.training.validation import score_validation

    train, val, _ = parts
    model = small()
    # A rate far too high makes later epochs worse than the best.
    run = bc.fit(model, train, val, **{**quick, "epochs": 8}, learning_rate=0.05, selection="val_loss")
    assert run.best_epoch == run.history["val_loss"].idxmin() + 1
    batches = val.to_tf((32, 32), batch_size=8)
    assert score_validation(model, batches, val)["val_loss"] == pytest.approx(run.history["val_loss"].min(), rel=1e-5)


def test_patience_stops(parts, small, quick):
    run = bc.fit(
        small(),
        *parts[:2],
        **{**quick, "epochs": 30},
        learning_rate=0.05,
        selection=ModelSelection("val_loss", patience=2),
    )
    assert run.stopped == "patience"
    assert len(run.history) < 30


def test_phases_of_a_pretrained_model(parts, small, quick, tmp_path):
    bc.save_model(small(), tmp_path / "first.keras")
    source = bc.load_model(tmp_path / "first.keras")
    backbone = next(layer for layer in source.layers if isinstance(layer, keras.Model))
    backbone.save_weights(tmp_path / "own.weights.h5")
    model = bc.build_model(
        "cnn4", classes=("benign", "malignant"), image_size=32, weights=tmp_path / "own.weights.h5", seed=3
    )
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    before = [weight.copy() for weight in inner.get_weights()]
    run = bc.fit(model, *parts[:2], **quick, fine_tune=False)
    assert run.history["phase"].tolist() == ["head", "head"]
    for old, new in zip(before, inner.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    run = bc.fit(model, *parts[:2], **{**quick, "epochs": 4}, learning_rate=1e-2)
    assert run.history["phase"].tolist() == ["head", "fine-tune", "fine-tune", "fine-tune"]
    assert run.history["learning_rate"].tolist() == pytest.approx([1e-2, 1e-3, 1e-3, 1e-3])


def test_the_run_folder(parts, small, quick, tmp_path):
    model = small()
    run = bc.fit(model, *parts[:2], **quick, run_dir=tmp_path / "run")
    folder = tmp_path / "run"
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "config.json",
        "history.csv",
        "split.csv",
        "local.json",
        "model.keras",
        "environment.json",
        "run.json",
    }
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["fit"]["epochs"] == 2
    assert config["fit"]["class_weight"] == "balanced"
    loaded = bc.load_model(folder / "model.keras")
    images = parts[2].to_numpy((32, 32))[0]
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    training = get_card(loaded).provenance["training"]
    assert set(training["cases"]) == set(parts[0].cases) | set(parts[1].cases)
    history = get_card(loaded).training_history
    assert history["monitor"] == "val_case_balanced_accuracy"
    assert history["best_epoch"] == run.best_epoch
    drawn = history_table(history)
    assert drawn.columns.tolist() == ["epoch", "phase", "loss", "val_loss", "val_case_balanced_accuracy"]
    pd.testing.assert_frame_equal(drawn, run.history[drawn.columns], rtol=1e-5)
    assert json.loads(run.to_json())["stopped"] == "all epochs done"
    assert "Written to" in str(run)
    with pytest.raises(OSError, match="holds a run already"):
        bc.fit(small(), *parts[:2], **quick, run_dir=folder)


def test_a_leak_is_refused_unless_allowed(easy, small, quick):
    train, val = easy[:24], easy[20:]
    with pytest.raises(LeakageError, match=r"shared cases?"):
        bc.fit(small(), train, val, **quick)
    with pytest.warns(LeakageWarning, match="allow_leakage"):
        run = bc.fit(small(), train, val, **quick, allow_leakage=True)
    assert run.leakage["shared_cases"] == ["case5"]
    assert "inflated" in str(run)


def test_a_loss_that_is_no_number_stops_with_the_step(parts, small, quick):
    model = small()
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) in epoch 1, step \d .* its initial weights"):
        bc.fit(model, *parts[:2], **quick, learning_rate=1e30)
    for kept, expected in zip(model.get_weights(), small().get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_own_callbacks_are_called(parts, small, quick):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs))))
    bc.fit(small(), *parts[:2], **quick, callbacks=[callback])
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert "val_loss" in seen[0][1]


def test_what_cannot_be_trained(easy, parts, small, quick):
    train, val, _ = parts
    with pytest.raises(TrainingError, match=r"one class only: {'benign': 4, 'malignant': 0}"):
        bc.fit(small(), easy[:4], **quick)
    three = bc.build_model("cnn4", classes=("a", "b", "c"), image_size=32, weights=None)
    with pytest.raises(TrainingError, match="built for the classes"):
        bc.fit(three, train, **quick)
    plain = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    with pytest.raises(TrainingError, match=r"have the shape \(None, 3\)"):
        bc.fit(plain, train, **quick)
    free = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    )
    with pytest.raises(TrainingError, match="fixed size"):
        bc.fit(free, train, **quick)
    with pytest.raises(TrainingError, match=r"ModelSelection\.patience needs a validation set"):
        bc.fit(small(), train, **quick, selection=ModelSelection(patience=3))
    with pytest.raises(
        TrainingError, match=r"ModelSelection\.monitor is 'val_auc'; expected one of 'val_case_balanced_accuracy'"
    ):
        bc.fit(small(), train, val, **quick, selection="val_auc")
    for wrong in ({"epochs": 0}, {"batch_size": 0}, {"learning_rate": -1.0}, {"seed": -1}, {"fine_tune": "first"}):
        with pytest.raises(TrainingError, match=next(iter(wrong))):
            bc.fit(small(), train, **{**quick, **wrong})


def test_csv_and_tensorboard(parts, small, quick, tmp_path):
    bc.fit(small(), *parts[:2], **quick, logging=Logging(tmp_path / "log.csv", tmp_path / "board"))
    lines = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert "val_case_balanced_accuracy" in lines[0]
    assert list((tmp_path / "board").rglob("events.*"))


def test_the_csv_holds_every_epoch_of_every_phase(parts, small, quick, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("of another run", encoding="utf-8")
    run = bc.fit(small(), *parts[:2], **quick, frozen_head="lbfgs", logging=Logging(log), run_dir=tmp_path / "run")
    assert run.history["phase"].tolist() == ["head", "fine-tune", "fine-tune"]
    assert log.read_bytes() == (tmp_path / "run" / "history.csv").read_bytes()


def test_balanced_sampling_draws_classes_alike(parts, small, quick, monkeypatch):
    train = parts[0]
    few = train[[*np.flatnonzero(train.labels == 0)[:4], *np.flatnonzero(train.labels == 1)]]
    learn, seen = KerasStep.__call__, []

    def note(step, inputs, labels):
        seen.extend(np.asarray(labels).tolist())
        return learn(step, inputs, labels)

    monkeypatch.setattr(KerasStep, "__call__", note)
    # Trained on images, and on features.
    for fine_tune in (True, False):
        for sampling, share in ((None, 0.75), ("class-balanced", 0.5)):
            seen.clear()
            bc.fit(small(), few, **quick, fine_tune=fine_tune, sampling=sampling)
            assert np.mean(seen) == pytest.approx(share, abs=0.1)


def test_losses_schedules_and_rates(parts, small, quick):
    options = {**quick, "epochs": 12, "learning_rate": EpochSchedule(5e-3, "cosine", warmup_epochs=1)}
    smooth = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    decayed = keras.optimizers.AdamW(weight_decay=0.01, global_clipnorm=1.0)
    for more in ({"loss": "focal"}, {"loss": smooth, "optimizer": decayed}):
        run = bc.fit(small(), *parts[:2], **options, **more)
        assert run.scores["val_case_balanced_accuracy"] == 1.0
        assert run.history["learning_rate"].iloc[-1] == pytest.approx(0, abs=1e-9)


def test_an_exact_head_is_a_logistic_regression(parts, small, quick, tmp_path):
    options = {**quick, "frozen_head": "lbfgs", "fine_tune": False}
    first, second = small(), small()
    run = bc.fit(first, *parts[:2], **options, run_dir=tmp_path / "run")
    bc.fit(second, *parts[:2], **options)
    assert run.history["phase"].tolist() == ["head"]
    assert run.best_epoch == 1
    assert run.config["input_modes"] == ["features"]
    probe = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["config"]["exact_head"]
    assert probe["c"] in [row["c"] for row in probe["scores"]]
    assert f"C = {probe['c']:g} (chosen by {probe['folds']} folds over cases)" in str(run)
    assert [weight.tobytes() for weight in first.get_weights()] == [w.tobytes() for w in second.get_weights()]
    images, labels = parts[2].to_numpy((32, 32))
    assert (first.predict(images, verbose=0).argmax(axis=1) == labels).mean() > 0.9
    again = small()
    bc.fit(again, *parts[:2], **options, run_dir=tmp_path / "run", resume=True)
    assert [weight.tobytes() for weight in again.get_weights()] == [w.tobytes() for w in first.get_weights()]


def test_an_exact_head_on_several_versions_and_fine_tuning_after_it(parts, small, quick):
    run = bc.fit(small(), *parts[:2], **{**quick, "augment": "dihedral"}, frozen_head=FrozenHead("lbfgs", 2))
    assert run.history["phase"].tolist() == ["head", "fine-tune", "fine-tune"]
    assert run.config["input_modes"] == ["features", "images"]
    assert run.config["exact_head"]["folds"] >= 2


def test_an_exact_head_without_versions_uses_unaugmented_images(parts, small, quick):
    options = {**quick, "frozen_head": FrozenHead("lbfgs", feature_versions=None), "fine_tune": False}
    plain, mixed = small(), small()
    bc.fit(plain, parts[0], **options)
    bc.fit(mixed, parts[0], **{**options, "augment": "mixup"})
    assert [weight.tobytes() for weight in mixed.get_weights()] == [w.tobytes() for w in plain.get_weights()]


def test_an_exact_head_weighs_the_images_as_they_are_not_as_they_would_be_drawn(parts, small, quick):
    train = parts[0]
    few = train[[*np.flatnonzero(train.labels == 0)[::3], *np.flatnonzero(train.labels == 1)]]
    options = {**quick, "epochs": 1, "frozen_head": "lbfgs"}
    heads = []
    for sampling in (None, "class-balanced"):
        model = small()
        seen = []
        # The head as the first step of fine-tuning finds it.
        look = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.append(model.layers[-2].get_weights()))  # noqa: B023
        bc.fit(model, few, **options, sampling=sampling, callbacks=[look])
        heads.append(seen[0][0])
    np.testing.assert_array_equal(*heads)


def test_an_exact_head_needs_a_linear_one(parts, small, quick):
    with pytest.raises(TrainingError, match="head"):
        bc.fit(small(head="mlp"), parts[0], **quick, frozen_head="lbfgs", fine_tune=False)


def test_the_input_mode_of_each_phase_is_printed(parts, small, quick, capfd):
    model = small()
    set_card(model, get_card(model).replace(weights="own.h5"))
    run = bc.fit(
        model,
        *parts[:2],
        **{**quick, "augment": "dihedral", "frozen_head": FrozenHead(feature_versions=1)},
    )
    printed = capfd.readouterr().err
    assert "head: 1 epoch on features computed once, in float32" in printed
    assert "fine-tune: 1 epoch on images, in float32" in printed
    assert "Phases: head on features, fine-tune on images; computed in float32." in str(run)


def test_balance_is_not_counted_twice(parts, small, quick, monkeypatch):
    train = parts[0]
    few = train[[*np.flatnonzero(train.labels == 0)[:4], *np.flatnonzero(train.labels == 1)]]
    used = []
    fit_module = importlib.import_module("breastcls.training.fit")

    class Note(fit_module.Trainer):
        def __init__(self, data, weights, *others):
            used.append(weights)
            super().__init__(data, weights, *others)

    monkeypatch.setattr(fit_module, "Trainer", Note)
    bc.fit(small(), few, **{**quick, "epochs": 1})
    bc.fit(small(), few, **{**quick, "epochs": 1}, sampling="class-balanced")
    assert used[0] == {0: 2.0, 1: pytest.approx(2 / 3)}
    assert used[1] == {0: pytest.approx(1), 1: pytest.approx(1)}
