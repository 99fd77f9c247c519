import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.augmentation.policy import Policy
from breastcls.errors import RegistryError, TrainingError
from breastcls.models.model_card import get_card
from breastcls.training.run_options import Preprocessing

OPTIONS = {"epochs": 2, "batch_size": 8, "augment": "standard", "seed": 4}


def bits(model):
    return [weight.tobytes() for weight in model.get_weights()]


def test_a_run_is_run_again_from_its_folder_alone(parts, small, tmp_path):
    model = small()
    first = bc.fit(
        model, *parts[:2], run_dir=tmp_path / "first", class_weight={"benign": 2.0, "malignant": 1.0}, **OPTIONS
    )
    again, run = bc.training.rerun(tmp_path / "first", new_run_dir=tmp_path / "second", progress=False)
    assert bits(again) == bits(model)
    assert run.history["loss"].tolist() == first.history["loss"].tolist()
    assert (tmp_path / "second" / "run.json").exists()


@keras.saving.register_keras_serializable(package="tests")
class HalvedLoss(keras.losses.CategoricalCrossentropy):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) / 2


@pytest.mark.parametrize(
    "objects",
    [
        {
            "optimizer": keras.optimizers.AdamW(3e-3, weight_decay=1e-2, global_clipnorm=1.0),
            "loss": keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
            "augment": Policy("own", "Quarter turns and flips.", dihedral=True),
        },
        {"learning_rate": keras.optimizers.schedules.CosineDecay(3e-3, 6), "loss": HalvedLoss()},
        {"optimizer": keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.1, 6))},
        {"learning_rate": bc.training.EpochSchedule(3e-3, "cosine", 0.5), "optimizer": "nadam"},
    ],
)
def test_a_run_with_objects_of_keras_is_run_again(parts, small, tmp_path, objects):
    model, other = small(), small()
    bc.fit(model, *parts[:2], run_dir=tmp_path / "first", **{**OPTIONS, **objects})
    again, _ = bc.training.rerun(tmp_path / "first", progress=False)
    assert bits(again) == bits(model)
    bc.fit(other, *parts[:2], **OPTIONS)
    assert bits(other) != bits(model)


def test_a_class_that_is_no_longer_registered_is_named(parts, small, tmp_path):
    bc.fit(small(), *parts[:2], run_dir=tmp_path / "first", loss=HalvedLoss(), **OPTIONS)
    config = tmp_path / "first" / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("tests>HalvedLoss", "tests>Gone"), encoding="utf-8")
    with pytest.raises(TrainingError, match=r"HalvedLoss, which Keras does not know.*register_keras_serializable"):
        bc.training.rerun(tmp_path / "first", progress=False)


def test_the_logs_of_the_first_run_are_left_as_they_are(parts, small, tmp_path):
    logging = bc.training.Logging(tmp_path / "log.csv", tmp_path / "board")
    bc.fit(small(), *parts[:2], run_dir=tmp_path / "first", logging=logging, **OPTIONS)
    before = {path: path.read_bytes() for path in [tmp_path / "log.csv", *(tmp_path / "board").rglob("events.*")]}
    _, run = bc.training.rerun(tmp_path / "first", progress=False)
    assert run.config["fit"]["logging"] == {
        "csv": None,
        "tensorboard": None,
        "checkpoint_steps": None,
        "progress": False,
    }
    after = {path: path.read_bytes() for path in [tmp_path / "log.csv", *(tmp_path / "board").rglob("events.*")]}
    assert after == before


def test_with_weights_from_a_file_and_a_stain_normalizer(parts, small, tmp_path):
    from breastcls.stain.fitting import fit_normalizer

    source = small()
    next(layer for layer in source.layers if isinstance(layer, keras.Model)).save_weights(tmp_path / "own.weights.h5")
    model = bc.build_model(
        "cnn4", classes=("benign", "malignant"), image_size=32, weights=tmp_path / "own.weights.h5", seed=3
    )
    stain = fit_normalizer(parts[0].to_numpy(32)[0], "reinhard")
    bc.fit(model, *parts[:2], run_dir=tmp_path / "first", preprocessing=Preprocessing(stain=stain), **OPTIONS)
    with pytest.raises(TrainingError, match=r"own\.weights\.h5"):
        bc.training.rerun(tmp_path / "first")
    again, _ = bc.training.rerun(tmp_path / "first", weights=tmp_path / "own.weights.h5", progress=False)
    assert bits(again) == bits(model)


def test_other_images_or_callbacks_are_refused(parts, small, tmp_path):
    train, val, test = parts
    slow = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 10)
    model = small()
    bc.fit(model, train, val, run_dir=tmp_path / "run", callbacks=[slow], **OPTIONS)
    with pytest.raises(TrainingError, match=r"had the callbacks \['LearningRateScheduler'\].*found \[\]"):
        bc.training.rerun(tmp_path / "run")
    with pytest.raises(TrainingError, match=r"callbacks: \['LearningRateScheduler'\] there, \[\] here"):
        bc.fit(small(), train, val, run_dir=tmp_path / "run", resume=True, **OPTIONS)
    again, _ = bc.training.rerun(tmp_path / "run", callbacks=[slow], progress=False)
    assert bits(again) == bits(model)
    with pytest.raises(TrainingError, match=rf"train: {len(train)} images there, {len(test)} here"):
        bc.training.rerun(tmp_path / "run", train=test, val=val, callbacks=[slow])


def test_an_overwritten_image_is_named(parts, small, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    paths = [shutil.copy(path, folder) for path in parts[0].paths]
    train = bc.Dataset(parts[0].table.assign(path=paths), parts[0].classes)
    bc.fit(small(), train, run_dir=tmp_path / "run", **OPTIONS)
    with Path(paths[0]).open("ab") as file:
        file.write(b"more")
    with pytest.raises(TrainingError, match="1 image has the same names but other content"):
        bc.training.rerun(tmp_path / "run")


def test_names_of_classes_may_hold_what_parts_them(easy, small, tmp_path):
    names = ("gutartig|ä", "bösartig")
    table = easy.table.assign(label=[names[index] for index in easy.labels])
    data = bc.Dataset(table, names)
    model = bc.build_model("cnn4", classes=names, image_size=32, weights=None, seed=3)
    bc.fit(model, data, run_dir=tmp_path / "run", **OPTIONS)
    again, _ = bc.training.rerun(tmp_path / "run", progress=False)
    assert bits(again) == bits(model)


def test_a_stain_by_name_is_fitted_on_the_training_images(parts, small, tmp_path):
    fitted, named = small(), small()
    bc.fit(
        fitted,
        *parts[:2],
        preprocessing=Preprocessing(stain=bc.stain.fit_normalizer(parts[0], "reinhard", seed=4)),
        **OPTIONS,
    )
    bc.fit(named, *parts[:2], preprocessing=Preprocessing(stain="reinhard"), run_dir=tmp_path / "named", **OPTIONS)
    assert bits(named) == bits(fitted)
    assert get_card(named).stain["name"] == "reinhard"
    assert get_card(named).stain == get_card(fitted).stain
    again, _ = bc.training.rerun(tmp_path / "named", progress=False)
    assert bits(again) == bits(named)
    with pytest.raises(RegistryError, match="reinhart"):
        bc.fit(small(), *parts[:2], preprocessing=Preprocessing(stain="reinhart"), **OPTIONS)


def test_what_cannot_be_built_again_is_said(parts, small, tmp_path):
    with pytest.raises(TrainingError, match=r"config\.json"):
        bc.training.rerun(tmp_path)
    trained = small()
    bc.fit(trained, parts[0], **OPTIONS)
    bc.fit(trained, parts[0], run_dir=tmp_path / "more", **OPTIONS)
    with pytest.raises(TrainingError, match="other initial weights"):
        bc.training.rerun(tmp_path / "more")
    own = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    bc.fit(own, parts[0], run_dir=tmp_path / "own", **OPTIONS)
    with pytest.raises(TrainingError, match="not made by build_model"):
        bc.training.rerun(tmp_path / "own")


def test_images_that_are_gone_are_named_and_can_be_given(parts, small, tmp_path):
    bc.fit(small(), parts[0], run_dir=tmp_path / "first", **OPTIONS)
    # As on another machine: the record is relative, and the folder of the images is not part of it.
    (tmp_path / "first" / "local.json").unlink()
    with pytest.raises(ValueError, match="do not exist"):
        bc.training.rerun(tmp_path / "first", progress=False)
    _, run = bc.training.rerun(tmp_path / "first", train=parts[0], progress=False)
    assert json.loads(run.to_json())["stopped"] == "all epochs done"
    assert np.isfinite(run.history["loss"]).all()
