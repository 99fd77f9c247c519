"""Shared by the tests of cross-validation: images, networks, and one uninterrupted cross-validation."""

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.experiments.cross_validation import cross_validate
from breastcls.models.model_card import ModelCard, set_card
from support.training_fixtures import build_network


@pytest.fixture(scope="package")
def data(tmp_path_factory):
    """Return images of a few cases."""
    root = bc.datasets.make_breakhis(
        tmp_path_factory.mktemp("breakhis"),
        magnifications=(200,),
        slides_per_subtype=2,
        images_per_slide=2,
        image_size=(40, 56),
        seed=3,
    )
    found = bc.load_breakhis(root)
    # Not in the order of the folder, so that a lost order is noticed.
    return found[np.random.default_rng(0).permutation(len(found))]


@pytest.fixture(scope="package")
def quick():
    """Return settings for the shortest training."""
    return {"epochs": 1, "augment": "none", "seed": 5}


@pytest.fixture(scope="package")
def build():
    """Return a function that builds a network with batch normalisation and dropout."""
    return build_network


@pytest.fixture(scope="package")
def tiny():
    """Return a function that builds the smallest trainable network: tracing a larger one takes most of a test."""

    def tiny():
        pixels = keras.Input((32, 32, 3))
        maps = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
        scores = keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling2D()(maps))
        model = keras.Model(pixels, scores)
        set_card(model, ModelCard(classes=("benign", "malignant"), image_size=(32, 32)))
        return model

    return tiny


@pytest.fixture(scope="package")
def undisturbed(data, build, quick, tmp_path_factory):
    """Return a cross-validation over three folds."""
    return cross_validate(
        build, data, folds=3, val_fraction=0.3, run_dir=tmp_path_factory.mktemp("whole") / "cv", tta="dihedral", **quick
    )
