"""A run that was cut off goes on and ends with the same bits as one that was not."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import OutputError, TrainingError, TrainingWarning
from breastcls.training.checkpoints import Checkpoints
from breastcls.training.resuming import load_run


class CutOffError(Exception):
    pass


class CutAt(keras.callbacks.Callback):
    """Ends the program's training as a crash would, after so many steps over all epochs."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise CutOffError


@pytest.fixture
def make(pretrained):
    def build(phases):
        if phases == 0:
            return build_own()
        weights = pretrained if phases == 2 else None
        return bc.build_model(
            "cnn4", classes=("benign", "malignant"), image_size=32, weights=weights, dropout=0.5, seed=3
        )

    return build


def build_own():
    """Not from build_model, with random layers that were given no seed."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.RandomFlip(),
            layers.RandomTranslation(0.2, 0.2),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(2, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(seed=1)),
        ]
    )


def other_weights(model):
    model.set_weights([np.full_like(weight, 0.1) for weight in model.get_weights()])
    return model


def bits(model):
    return [weight.tobytes() for weight in model.get_weights()]


COMMON = {"batch_size": 8, "progress": False, "seed": 4}
ROADS = {
    "images": (1, {"epochs": 3, "augment": "standard", "patience": 3, "schedule": "cosine", "warmup_epochs": 0.5}),
    "features": (
        2,
        {"epochs": 4, "augment": "none", "fine_tune": False, "schedule": "cosine", "warmup_epochs": 1.5},
    ),
    "own": (0, {"epochs": 3, "augment": "none"}),
    "views": (2, {"epochs": 4, "augment": "dihedral", "feature_views": 2, "fine_tune": False, "optimizer": "adamw"}),
    "phases": (2, {"epochs": 4, "head_epochs": 2, "augment": "none", "layer_decay": 0.5, "clip_norm": 1.0}),
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("validated", [True, False])
def test_cut_off_and_resumed_it_ends_with_the_same_bits(parts, make, tmp_path, road, validated):
    train, val, _ = parts
    val = val if validated else None
    phases, options = ROADS[road]
    options = {name: value for name, value in options.items() if name != "patience" or validated}
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
                checkpoint_steps=1,
                callbacks=[CutAt(cut)],
                **COMMON,
                **options,
            )
        # A new process would build the model anew; other weights stand for one that was built without a seed.
        model = other_weights(make(phases))
        run = bc.fit(model, train, val, run_dir=folder, resume=True, **COMMON, **options)
        assert bits(model) == bits(whole)
        assert run.history.drop(columns="seconds").equals(expected.history.drop(columns="seconds"))
        assert run.best_epoch == expected.best_epoch
        assert run.scores == expected.scores
        assert not (folder / "checkpoints").exists()


def test_the_same_command_begins_goes_on_and_returns_what_is_finished(parts, make, tmp_path):
    options = {**COMMON, "epochs": 2, "augment": "none", "run_dir": tmp_path / "run", "resume": True}
    first, again = make(1), make(1)
    run = bc.fit(first, *parts[:2], **options)
    returned = bc.fit(again, *parts[:2], **options)
    assert bits(again) == bits(first)
    assert returned.to_dict() == run.to_dict()
    assert load_run(tmp_path / "run").history.equals(run.history)


def test_without_resume_a_run_is_not_overwritten(parts, make, tmp_path):
    options = {**COMMON, "epochs": 1, "augment": "none", "run_dir": tmp_path / "run"}
    bc.fit(make(1), *parts[:2], **options)
    with pytest.raises(OutputError, match="resume=True"):
        bc.fit(make(1), *parts[:2], **options)


def cut_off(make, parts, folder, steps=5, **options):
    options = {**COMMON, "epochs": 3, "augment": "none", "checkpoint_steps": 1, **options}
    with pytest.raises(CutOffError):
        bc.fit(make(1), *parts[:2], run_dir=folder, callbacks=[CutAt(steps)], **options)


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(parts, make, tmp_path):
    whole = make(1)
    options = {**COMMON, "epochs": 3, "augment": "none"}
    bc.fit(whole, *parts[:2], **options)
    cut_off(make, parts, tmp_path)
    *_, newest = sorted((tmp_path / "checkpoints").glob("epoch-*"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    newest.write_bytes(content)
    model = make(1)
    with pytest.warns(TrainingWarning, match=newest.name):
        bc.fit(model, *parts[:2], run_dir=tmp_path, resume=True, **options)
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
        pytest.warns(TrainingWarning, match="begins anew at epoch 1"),
    ):
        bc.fit(model, *parts[:2], run_dir=tmp_path, resume=True, **options)
    assert bits(model) == bits(whole)


def test_if_the_beginning_is_lost_another_model_is_not_taken_for_it(parts, make, tmp_path):
    options = {**COMMON, "epochs": 3, "augment": "none"}
    whole = make(1)
    bc.fit(whole, *parts[:2], **options)
    # Within the first epoch, so that no state holds the best weights.
    cut_off(make, parts, tmp_path, steps=3)
    (tmp_path / "checkpoints" / "phase-0.npz").write_bytes(b"")
    with (
        pytest.warns(TrainingWarning, match=r"phase-0\.npz cannot be read"),
        pytest.raises(TrainingError, match="other weights than the run began with"),
    ):
        bc.fit(other_weights(make(1)), *parts[:2], run_dir=tmp_path, resume=True, **options)
    model, steps = make(1), CutAt(0)
    with pytest.warns(TrainingWarning, match=r"phase-0\.npz cannot be read"):
        bc.fit(model, *parts[:2], run_dir=tmp_path, resume=True, callbacks=[steps], **options)
    assert bits(model) == bits(whole)
    # Of three steps two had been kept.
    assert -steps.left == 3 * 3 - 2


def test_a_run_that_kept_nothing_begins_with_the_model_of_now(parts, make, tmp_path):
    options = {**COMMON, "epochs": 1, "augment": "none", "resume": True}
    with pytest.raises(CutOffError):
        bc.fit(make(1), *parts[:2], run_dir=tmp_path / "run", callbacks=[CutAt(1)], **options)
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    model, whole = other_weights(make(1)), other_weights(make(1))
    bc.fit(whole, *parts[:2], run_dir=tmp_path / "whole", **options)
    bc.fit(model, *parts[:2], run_dir=tmp_path / "run", **options)
    assert bits(model) == bits(whole)
    found, expected = (json.loads((tmp_path / name / "config.json").read_text())["model"] for name in ("run", "whole"))
    assert found == {**expected, "name": found["name"]}


def test_what_a_killed_process_left_half_written_is_removed(parts, make, tmp_path):
    cut_off(make, parts, tmp_path)
    left = [tmp_path / ".model.abcd1234.keras", tmp_path / "checkpoints" / ".epoch-000001-step-00000000.abcd1234.npz"]
    for path in left:
        path.write_bytes(b"half")
    kept = tmp_path / ".mine.keras"
    kept.write_bytes(b"not of a run")
    bc.fit(make(1), *parts[:2], **COMMON, epochs=3, augment="none", run_dir=tmp_path, resume=True)
    assert not any(path.exists() for path in left)
    assert kept.exists()


def test_the_csv_of_a_run_that_goes_on_has_each_epoch_once(parts, make, tmp_path):
    log = tmp_path / "log.csv"
    cut_off(make, parts, tmp_path / "run", steps=7, csv=log)
    rows = log.read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    # As if the process had been killed between the log and the checkpoint.
    log.write_text("\n".join([*rows, rows[-1].replace("2,", "3,", 1)]) + "\n")
    options = {**COMMON, "epochs": 3, "augment": "none", "run_dir": tmp_path / "run", "resume": True}
    bc.fit(make(1), *parts[:2], csv=log, **options)
    assert log.read_bytes() == (tmp_path / "run" / "history.csv").read_bytes()
    assert [row.split(",")[0] for row in log.read_text().splitlines()] == ["epoch", "1", "2", "3"]


def test_without_the_start_of_a_phase_it_goes_back_to_the_phase_before(parts, make, tmp_path):
    _, options = ROADS["phases"]
    whole = make(2)
    bc.fit(whole, *parts[:2], **COMMON, **options)
    cut_at = {"run_dir": tmp_path, "checkpoint_steps": 1, "callbacks": [CutAt(9)]}
    with pytest.raises(CutOffError):
        bc.fit(make(2), *parts[:2], **cut_at, **COMMON, **options)
    (tmp_path / "checkpoints" / "phase-1.npz").write_bytes(b"")
    model = make(2)
    with (
        pytest.warns(TrainingWarning, match=r"phase-1\.npz cannot be read"),
        pytest.warns(TrainingWarning, match="begins anew at epoch 1"),
    ):
        bc.fit(model, *parts[:2], run_dir=tmp_path, resume=True, **COMMON, **options)
    assert bits(model) == bits(whole)


def test_a_state_that_holds_all_weights_goes_on_without_the_start_of_its_phase(parts, make, tmp_path):
    _, options = ROADS["phases"]
    whole = make(2)
    bc.fit(whole, parts[0], **COMMON, **options)
    with pytest.raises(CutOffError):
        bc.fit(make(2), parts[0], run_dir=tmp_path, checkpoint_steps=1, callbacks=[CutAt(11)], **COMMON, **options)
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


def test_other_settings_are_refused_with_the_difference(parts, make, tmp_path):
    cut_off(make, parts, tmp_path)
    options = {**COMMON, "epochs": 3, "augment": "none", "run_dir": tmp_path, "resume": True}
    with pytest.raises(TrainingError, match=r"learning_rate: 0.001 there, 0.5 here"):
        bc.fit(make(1), *parts[:2], **options, learning_rate=0.5)
    with pytest.raises(TrainingError, match=r"seed: 4 there, 5 here"):
        bc.fit(make(1), *parts[:2], **{**options, "seed": 5})
    other = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=48, weights=None, seed=3)
    with pytest.raises(TrainingError, match="image_size"):
        bc.fit(other, *parts[:2], **options)
    # What changes no weight may differ.
    bc.fit(make(1), *parts[:2], **options, csv=tmp_path / "log.csv")


def test_other_data_is_refused_with_the_difference(parts, make, tmp_path):
    train, val, test = parts
    cut_off(make, parts, tmp_path)
    options = {**COMMON, "epochs": 3, "augment": "none", "run_dir": tmp_path, "resume": True}
    with pytest.raises(TrainingError, match=rf"train: {len(train)} images there, {len(train) - 1} here"):
        bc.fit(make(1), train[1:], val, **options)
    with pytest.raises(TrainingError, match="in another order"):
        bc.fit(make(1), train[::-1], val, **options)
    with pytest.raises(TrainingError, match=r"val: .* are new"):
        bc.fit(make(1), train, val + test[:2], **options)


def copies_of(data, folder, end=b"", last=b""):
    """The same images elsewhere, with bytes behind them that no reader looks at."""
    folder.mkdir()
    paths = []
    for path in data.paths:
        paths.append(str(folder / Path(path).name))
        content = Path(path).read_bytes() + (last if path == data.paths[-1] and last else end)
        Path(paths[-1]).write_bytes(content)
    return bc.Dataset(data.table.assign(path=paths), data.classes)


@pytest.mark.parametrize("validated", [True, False])
def test_a_moved_folder_is_the_same_data_and_other_pictures_of_the_same_names_are_not(parts, make, tmp_path, validated):
    val = parts[1] if validated else None
    first = copies_of(parts[0], tmp_path / "first", b"aa")
    cut_off(make, (first, val), tmp_path / "run")
    options = {**COMMON, "epochs": 3, "augment": "none", "run_dir": tmp_path / "run", "resume": True}
    name = Path(first.paths[-1]).name
    # Where the leak audit has read the files their hash is known, else their size alone.
    other = copies_of(parts[0], tmp_path / "other", b"aa", last=b"ab" if validated else b"a")
    with pytest.raises(TrainingError, match=f"1 images have the same names but other content, such as {name}"):
        bc.fit(make(1), other, val, **options)
    moved = copies_of(parts[0], tmp_path / "moved", b"aa")
    assert bc.fit(make(1), moved, val, **options).stopped == "all epochs done"


def test_interrupted_by_the_user_it_ends_with_the_best_and_can_go_on(parts, make, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    whole = make(1)
    options = {**COMMON, "epochs": 4, "augment": "none"}
    bc.fit(whole, *parts[:2], **options)
    model = make(1)
    with pytest.warns(TrainingWarning, match="Interrupted"):
        run = bc.fit(model, *parts[:2], run_dir=tmp_path, callbacks=[Interrupt()], **options)
    assert run.stopped == "interrupted"
    assert bits(bc.load_model(tmp_path / "model.keras")) == bits(model)
    again = make(1)
    resumed = bc.fit(again, *parts[:2], run_dir=tmp_path, resume=True, **options)
    assert resumed.stopped == "all epochs done"
    assert bits(again) == bits(whole)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_record_is_named_and_without_it_the_run_is_done_again(parts, make, tmp_path, content):
    options = {"epochs": 1, "run_dir": tmp_path, "progress": False}
    first = make(1)
    bc.fit(first, *parts[:2], **options)
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(TrainingError, match=r"run\.json is damaged .* Delete it"):
        bc.fit(make(1), *parts[:2], resume=True, **options)
    (tmp_path / "run.json").unlink()
    again = make(1)
    bc.fit(again, *parts[:2], resume=True, **options)
    assert bits(again) == bits(first)


def test_a_file_that_is_no_run_is_refused(parts, make, tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(TrainingError, match="damaged"):
        bc.fit(make(1), *parts[:2], epochs=1, run_dir=tmp_path, resume=True)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(TrainingError, match="no record"):
        bc.fit(make(1), *parts[:2], epochs=1, run_dir=tmp_path, resume=True)


def test_a_missing_checkpoint_is_none(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.read("phase-0") is None
    assert checkpoints.read_newest() is None
    assert checkpoints.newest_phase() is None
