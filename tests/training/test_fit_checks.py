import json

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import BreastclsError, DatasetError, TrainingError, TrainingWarning
from breastcls.models.model_card import get_card, set_card
from breastcls.training.fit_checks import check_fit
from breastcls.training.fit_options import FrozenHead
from breastcls.training.fit_settings import FitSettings


@pytest.fixture
def quick():
    return {"epochs": 2, "batch_size": 8, "augment": "none"}


def test_what_is_no_model_and_no_dataset_is_named(parts, small, quick):
    with pytest.raises(TrainingError, match=r"model must be a keras\.Model.*found str"):
        bc.fit("resnet50", parts[0], **quick)
    with pytest.raises(DatasetError, match="train must be a Dataset; found str"):
        bc.fit(small(), "BreaKHis_v1", **quick)
    with pytest.raises(DatasetError, match="val must be a Dataset; found tuple"):
        bc.fit(small(), parts[0], parts[1:2], **quick)


def _dense(activation, classes=2):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(classes, kernel_initializer=keras.initializers.GlorotUniform(seed=1)),
            layers.Activation(activation),
        ]
    )


@pytest.mark.parametrize("activation", ["linear", "sigmoid", "relu"])
def test_outputs_that_are_no_probabilities(parts, activation):
    with pytest.raises(TrainingError, match=r"for an image are -?\d.*; expected one probability for each class"):
        check_fit(_dense(activation), parts[0], None, FitSettings())


def test_probabilities_that_no_softmax_gives(parts, small):
    assert check_fit(_dense("softmax"), parts[0], None, FitSettings()) == (32, 32)
    # The mean of two models ends with no softmax.
    ensemble = bc.models.build_ensemble([small(), small()])
    assert check_fit(ensemble, parts[0], None, FitSettings()) == (32, 32)


def test_outputs_that_are_not_finite(parts):
    model = _dense("sigmoid")
    model.layers[2].set_weights([np.full((3072, 2), np.nan), np.zeros(2)])
    with pytest.raises(TrainingError, match="for an image are nan, nan"):
        check_fit(model, parts[0], None, FitSettings())


def test_a_validation_set_of_one_class_and_one_of_none(easy, parts, small):
    with pytest.raises(TrainingError, match=r"validation set holds images of one class only: {'benign': 4, .*: 0}"):
        check_fit(small(), parts[0], easy[:4], FitSettings())
    with pytest.raises(TrainingError, match="validation set holds no images"):
        check_fit(small(), parts[0], easy[:0], FitSettings())


def test_classes_without_images_are_named(easy):
    names = {"benign": "A", "malignant": "DC"}
    three = bc.Dataset.from_columns(
        ("A", "DC", "MC"),
        path=easy.paths,
        label=[names[easy.classes[label]] for label in easy.labels],
        case=easy.cases.tolist(),
    )
    model = bc.build_model("cnn4", classes=three.classes, image_size=32, weights=None)
    with pytest.warns(TrainingWarning, match="training set has no images of MC: they cannot be trained"):
        check_fit(model, three, None, FitSettings())
    with pytest.raises(TrainingError, match="needs training images of every class"):
        check_fit(model, three, None, FitSettings(frozen_head=FrozenHead("lbfgs")))
    whole = three.table.copy()
    whole.loc[:1, "label"] = "MC"
    full = bc.Dataset.from_columns(three.classes, path=three.paths, label=whole["label"], case=three.cases.tolist())
    with pytest.warns(TrainingWarning, match="validation set has no images of MC: they have no part"):
        check_fit(model, full, three, FitSettings())


def test_models_of_unknown_shape(parts):
    class Own(keras.Model):
        def call(self, images):
            return images

    unbuilt = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    for model in (Own(), unbuilt):
        with pytest.raises(TrainingError, match=r"shapes of the model .* are not known"):
            check_fit(model, parts[0], None, FitSettings())


@pytest.mark.parametrize(
    "wrong",
    [
        {"augment": "clasic"},
        {"fine_tune": 9},
        {"selection": "val_auc"},
        {"frozen_head": FrozenHead("lbfgs", 2), "augment": "mixup"},
        {"frozen_head": "lbfgs", "fine_tune": False, "loss": "focal"},
        {"class_weight": "even"},
    ],
)
def test_what_is_wrong_is_found_before_a_folder_is_begun(parts, small, quick, tmp_path, wrong):
    model = small()
    set_card(model, get_card(model).replace(weights="own.h5"))
    with pytest.raises(BreastclsError):
        bc.fit(model, *parts[:2], **{**quick, **wrong}, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_numbers_of_numpy_are_numbers(parts, small, quick, tmp_path):
    weights = {"benign": np.float32(1), "malignant": np.float32(2)}
    numbers = {"epochs": np.int64(2), "seed": np.int64(3), "learning_rate": np.float32(1e-3), "class_weight": weights}
    run = bc.fit(small(), *parts[:2], **{**quick, **numbers}, run_dir=tmp_path / "run")
    assert run.config["phases"][0]["epochs"] == 2
    assert json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))["fit"]["class_weight"] == {
        "benign": 1.0,
        "malignant": 2.0,
    }
