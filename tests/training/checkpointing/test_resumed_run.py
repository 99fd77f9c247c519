"""A run that was cut off goes on and ends with the same bits as one that was not."""

import json
import shutil

import keras
import pytest

import breastcls as bc
from breastcls.augmentation.policy import Policy
from breastcls.errors import TrainingError, TrainingWarning
from breastcls.training.checkpointing.checkpoints import Checkpoints
from breastcls.training.checkpointing.resume import load_run
from breastcls.training.fit_options import EpochSchedule, FineTune, FrozenHead
from breastcls.training.run_options import Logging, ModelSelection
from support.training_fixtures import COMMON, GOES_ON, SHORT, CutAt, CutOffError, bits, cut_off, other_weights

MODES = {
    "images": (
        1,
        {
            "epochs": 3,
            "augment": "standard",
            "selection": ModelSelection(patience=3),
            "learning_rate": EpochSchedule(1e-3, "cosine", 0.5),
        },
    ),
    "features": (
        2,
        {
            "epochs": 4,
            "augment": "none",
            "fine_tune": False,
            "learning_rate": EpochSchedule(1e-3, "cosine", warmup_epochs=1.5),
        },
    ),
    "own": (0, {"epochs": 3, "augment": "none"}),
    "versions": (
        2,
        {
            "epochs": 4,
            "augment": "dihedral",
            "frozen_head": FrozenHead(feature_versions=2),
            "fine_tune": False,
            "optimizer": "adamw",
        },
    ),
    "phases": (
        2,
        {
            "epochs": 4,
            "augment": "none",
            "fine_tune": FineTune(head_epochs=2, layer_decay=0.5),
            "optimizer": keras.optimizers.Adam(global_clipnorm=1.0),
        },
    ),
    "objects": (
        2,
        {
            "epochs": 4,
            "augment": Policy("own", "Quarter turns and flips.", dihedral=True),
            "optimizer": keras.optimizers.SGD(momentum=0.9, nesterov=True, weight_decay=1e-3, clipnorm=1.0),
            "learning_rate": keras.optimizers.schedules.ExponentialDecay(1e-2, 3, 0.9),
            "loss": keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
            "fine_tune": FineTune("last-stage", learning_rate=1e-3),
        },
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("validated", [True, False])
def test_cut_off_and_resumed_it_ends_with_the_same_bits(parts, make, tmp_path, mode, validated):
    train, val, _ = parts
    val = val if validated else None
    phases, options = MODES[mode]
    options = {name: value for name, value in options.items() if name != "selection" or validated}
    whole = make(phases)
    expected = bc.fit(whole, train, val, run_dir=tmp_path / "whole", **COMMON, **options)

    for cut in (1, 7) if validated else (4,):
        folder = tmp_path / f"cut{cut}"
        with pytest.raises(CutOffError):
            bc.fit(
                make(phases),
                train,
                val,
                run_dir=folder,
                logging=Logging(checkpoint_steps=1),
                callbacks=[CutAt(cut)],
                **COMMON,
                **options,
            )
        # A new process would build the model anew; other weights stand for one that was built without a seed.
        model = other_weights(make(phases))
        run = bc.fit(model, train, val, run_dir=folder, **GOES_ON, **COMMON, **options)
        assert bits(model) == bits(whole)
        assert run.history.drop(columns="seconds").equals(expected.history.drop(columns="seconds"))
        assert run.best_epoch == expected.best_epoch
        assert run.scores == expected.scores
        assert not (folder / "checkpoints").exists()


def test_cut_off_before_the_smaller_last_batch_full_ones_are_computed_as_before(parts, tmp_path):
    """By the graph made for their size, and not by one for any size, which rounds otherwise in networks as this one."""

    def build():
        keras.utils.set_random_seed(5)
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((64, 64, 3)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(8, 3, strides=2),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.DepthwiseConv2D(3),
                layers.Conv2D(16, 1),
                layers.GlobalAveragePooling2D(),
                layers.Dense(2, activation="softmax"),
            ]
        )

    train = parts[0]
    steps = -(-len(train) // 9)
    assert len(train) % 9
    options = {"epochs": 2, "augment": "none", "seed": 4, "batch_size": 9, "optimizer": "nadam"}
    whole, model = build(), build()
    bc.fit(whole, train, **options)
    cut = {"logging": Logging(checkpoint_steps=1), "callbacks": [CutAt(steps)]}
    with pytest.raises(CutOffError):
        bc.fit(build(), train, run_dir=tmp_path, **cut, **options)
    bc.fit(model, train, run_dir=tmp_path, **GOES_ON, **options)
    assert bits(model) == bits(whole)


def test_the_same_command_begins_goes_on_and_returns_what_is_finished(parts, make, tmp_path):
    options = {**SHORT, "epochs": 2, "run_dir": tmp_path / "run", **GOES_ON}
    first, again = make(1), make(1)
    run = bc.fit(first, *parts[:2], **options)
    returned = bc.fit(again, *parts[:2], **options)
    assert bits(again) == bits(first)
    assert returned.to_dict() == run.to_dict()
    assert load_run(tmp_path / "run").history.equals(run.history)


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(parts, make, tmp_path):
    whole = make(1)
    options = {**SHORT}
    bc.fit(whole, *parts[:2], **options)
    cut_off(make, parts, tmp_path)
    *_, newest = sorted((tmp_path / "checkpoints").glob("epoch-*"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    newest.write_bytes(content)
    model = make(1)
    with pytest.warns(TrainingWarning, match=newest.name):
        bc.fit(model, *parts[:2], run_dir=tmp_path, **GOES_ON, **options)
    assert bits(model) == bits(whole)


@pytest.mark.parametrize("damage", ["cut short", "emptied", "not an archive"])
def test_if_all_checkpoints_are_damaged_it_begins_anew(parts, make, tmp_path, damage):
    whole = make(1)
    options = {**COMMON, "epochs": 2, "augment": "none"}
    bc.fit(whole, *parts[:2], **options)
    cut_off(make, parts, tmp_path, steps=4, epochs=2)
    for path in (tmp_path / "checkpoints").glob("*.npz"):
        content = path.read_bytes()
        path.write_bytes(
            {"cut short": content[: len(content) // 2], "emptied": b"", "not an archive": b"x" * 99}[damage]
        )
    model = make(1)
    with (
        pytest.warns(TrainingWarning, match="cannot be read"),
        pytest.warns(TrainingWarning, match="repeated from epoch 1"),
    ):
        bc.fit(model, *parts[:2], run_dir=tmp_path, **GOES_ON, **options)
    assert bits(model) == bits(whole)


def test_if_the_beginning_is_lost_another_model_is_not_taken_for_it(parts, make, tmp_path):
    options = {**SHORT}
    whole = make(1)
    bc.fit(whole, *parts[:2], **options)
    # Within the first epoch, so that no state holds the best weights.
    cut_off(make, parts, tmp_path, steps=3)
    (tmp_path / "checkpoints" / "phase-0.npz").write_bytes(b"")
    with (
        pytest.warns(TrainingWarning, match=r"phase-0\.npz cannot be read"),
        pytest.raises(TrainingError, match="does not have the initial weights"),
    ):
        bc.fit(other_weights(make(1)), *parts[:2], run_dir=tmp_path, **GOES_ON, **options)
    model, steps = make(1), CutAt(0)
    with pytest.warns(TrainingWarning, match=r"phase-0\.npz cannot be read"):
        bc.fit(model, *parts[:2], run_dir=tmp_path, resume=True, callbacks=[steps], **options)
    assert bits(model) == bits(whole)
    # Of three steps two had been kept.
    assert -steps.left == 3 * 3 - 2


def test_a_run_that_kept_nothing_begins_with_the_model_of_now(parts, make, tmp_path):
    options = {**COMMON, "epochs": 1, "augment": "none", **GOES_ON}
    with pytest.raises(CutOffError):
        bc.fit(make(1), *parts[:2], run_dir=tmp_path / "run", **{**options, "callbacks": [CutAt(1)]})
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    model, whole = other_weights(make(1)), other_weights(make(1))
    bc.fit(whole, *parts[:2], run_dir=tmp_path / "whole", **options)
    bc.fit(model, *parts[:2], run_dir=tmp_path / "run", **options)
    assert bits(model) == bits(whole)
    found, expected = (
        json.loads((tmp_path / name / "config.json").read_text(encoding="utf-8"))["model"] for name in ("run", "whole")
    )
    assert found == {**expected, "name": found["name"]}


def test_what_a_killed_process_left_half_written_is_removed(parts, make, tmp_path):
    cut_off(make, parts, tmp_path)
    left = [tmp_path / ".model.abcd1234.keras", tmp_path / "checkpoints" / ".epoch-000001-step-00000000.abcd1234.npz"]
    for path in left:
        path.write_bytes(b"half")
    kept = tmp_path / ".mine.keras"
    kept.write_bytes(b"not of a run")
    bc.fit(make(1), *parts[:2], **COMMON, epochs=3, augment="none", run_dir=tmp_path, **GOES_ON)
    assert not any(path.exists() for path in left)
    assert kept.exists()


def test_the_csv_of_a_run_that_goes_on_has_each_epoch_once(parts, make, tmp_path):
    log = tmp_path / "log.csv"
    cut_off(make, parts, tmp_path / "run", steps=7, logging=Logging(log, checkpoint_steps=1))
    rows = log.read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    # As if the process had been killed between the log and the checkpoint.
    log.write_text("\n".join([*rows, rows[-1].replace("2,", "3,", 1)]) + "\n", encoding="utf-8")
    options = {**SHORT, "run_dir": tmp_path / "run", **GOES_ON}
    bc.fit(make(1), *parts[:2], logging=Logging(log), **options)
    assert log.read_bytes() == (tmp_path / "run" / "history.csv").read_bytes()
    assert [row.split(",")[0] for row in log.read_text(encoding="utf-8").splitlines()] == ["epoch", "1", "2", "3"]


def test_without_the_start_of_a_phase_it_goes_back_to_the_phase_before(parts, make, tmp_path):
    _, options = MODES["phases"]
    whole = make(2)
    bc.fit(whole, *parts[:2], **COMMON, **options)
    cut_at = {"run_dir": tmp_path, "logging": Logging(checkpoint_steps=1), "callbacks": [CutAt(9)]}
    with pytest.raises(CutOffError):
        bc.fit(make(2), *parts[:2], **cut_at, **COMMON, **options)
    (tmp_path / "checkpoints" / "phase-1.npz").write_bytes(b"")
    model = make(2)
    with (
        pytest.warns(TrainingWarning, match=r"phase-1\.npz cannot be read"),
        pytest.warns(TrainingWarning, match="repeated from epoch 1"),
    ):
        bc.fit(model, *parts[:2], run_dir=tmp_path, **GOES_ON, **COMMON, **options)
    assert bits(model) == bits(whole)


def test_a_state_that_holds_all_weights_goes_on_without_the_start_of_its_phase(parts, make, tmp_path):
    _, options = MODES["phases"]
    whole = make(2)
    bc.fit(whole, parts[0], **COMMON, **options)
    with pytest.raises(CutOffError):
        bc.fit(
            make(2),
            parts[0],
            run_dir=tmp_path,
            logging=Logging(checkpoint_steps=1),
            callbacks=[CutAt(11)],
            **COMMON,
            **options,
        )
    for phase in (0, 1):
        (tmp_path / "checkpoints" / f"phase-{phase}.npz").write_bytes(b"")
    model, steps = other_weights(make(2)), CutAt(0)
    with pytest.warns(TrainingWarning, match=r"phase-1\.npz cannot be read"):
        bc.fit(model, parts[0], run_dir=tmp_path, resume=True, callbacks=[steps], **COMMON, **options)
    assert bits(model) == bits(whole)
    assert -steps.left == 4 * 3 - 10


def test_only_the_newest_two_are_kept(parts, make, tmp_path):
    cut_off(make, parts, tmp_path, steps=7)
    assert len(list((tmp_path / "checkpoints").glob("epoch-*"))) == 2


def test_interrupted_by_the_user_it_ends_with_the_best_and_can_go_on(parts, make, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        left = 2

        def on_epoch_end(self, epoch, logs=None):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    whole = make(1)
    options = {**COMMON, "epochs": 4, "augment": "none"}
    bc.fit(whole, *parts[:2], **options)
    model = make(1)
    cut = Interrupt()
    with pytest.warns(TrainingWarning, match="Interrupted"):
        run = bc.fit(model, *parts[:2], run_dir=tmp_path, callbacks=[cut], **options)
    assert run.stopped == "interrupted"
    assert bits(bc.load_model(tmp_path / "model.keras")) == bits(model)
    again = make(1)
    resumed = bc.fit(again, *parts[:2], run_dir=tmp_path, resume=True, callbacks=[cut], **options)
    assert resumed.stopped == "all epochs done"
    assert bits(again) == bits(whole)


def test_a_missing_checkpoint_is_none(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.read("phase-0") is None
    assert checkpoints.read_newest() is None
    assert checkpoints.newest_phase() is None
