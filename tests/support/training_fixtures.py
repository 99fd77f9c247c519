"""A task that a tiny network learns in seconds: benign cases are blue, malignant ones red, with noise."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.models.model_card import ModelCard, set_card


@pytest.fixture(scope="session")
def easy(tmp_path_factory: pytest.TempPathFactory) -> bc.Dataset:
    folder: Path = tmp_path_factory.mktemp("easy")
    rng = np.random.default_rng(0)
    paths, labels, cases = [], [], []
    for case in range(12):
        for number in range(4):
            pixels = rng.integers(60, 200, (32, 32, 3), dtype=np.uint8)
            pixels[..., 0 if case % 2 else 2] += np.uint8(50)
            path = folder / f"{case}-{number}.png"
            cv2.imwrite(str(path), pixels)
            paths.append(str(path))
            labels.append(("benign", "malignant")[case % 2])
            cases.append(f"case{case}")
    return bc.Dataset.from_columns(("benign", "malignant"), path=paths, label=labels, case=cases)


@pytest.fixture(scope="session")
def parts(easy):
    return easy.split((0.5, 0.25, 0.25), seed=1)


@pytest.fixture
def small():
    """Build the tiny model anew for each test."""

    def build(**options):
        return bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=3, **options)

    return build


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file, so that a model has a head phase and a fine-tuning phase."""
    model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=3)
    path = tmp_path_factory.mktemp("weights") / "own.weights.h5"
    next(layer for layer in model.layers if isinstance(layer, keras.Model)).save_weights(path)
    return path


def build_network(seed=3):
    """Build the smallest network with all that a training changes or draws: tracing `cnn4` takes twice as long."""
    layers = keras.layers
    glorot = keras.initializers.GlorotUniform
    pixels = keras.Input((32, 32, 3))
    maps = layers.Conv2D(4, 3, strides=4, kernel_initializer=glorot(seed))(layers.Rescaling(1 / 255)(pixels))
    maps = layers.ReLU()(layers.BatchNormalization()(maps))
    maps = layers.Dropout(0.2, seed=seed)(layers.GlobalAveragePooling2D()(maps))
    scores = layers.Dense(2, "softmax", kernel_initializer=glorot(seed + 1), name="scores")(maps)
    model = keras.Model(pixels, scores)
    set_card(model, ModelCard(classes=("benign", "malignant"), image_size=(32, 32), seed=seed))
    return model


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


# A run is resumed with the callbacks that it was begun with, here with one that no longer cuts it off.
GOES_ON = {"resume": True, "callbacks": [CutAt(0)]}


@pytest.fixture
def make(pretrained):
    def build(phases):
        if phases == 0:
            return build_own()
        if phases == 1:
            return build_network()
        return bc.build_model(
            "cnn4", classes=("benign", "malignant"), image_size=32, weights=pretrained, dropout=0.5, seed=3
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


COMMON = {"batch_size": 8, "seed": 4}


SHORT = {**COMMON, "epochs": 3, "augment": "none"}


def cut_off(make, parts, folder, steps=5, **options):
    options = {**SHORT, "logging": bc.training.Logging(checkpoint_steps=1), **options}
    with pytest.raises(CutOffError):
        bc.fit(make(1), *parts[:2], run_dir=folder, callbacks=[CutAt(steps)], **options)
