"""Vectors of images that do not exist, and vectors of small images."""

import keras
import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.features.embedding_table import load_embeddings
from breastcls.features.feature_extraction import extract_features


def make_vectors(cases=16, each=4, size=16, seed=0, signal=1.0, **options):
    """A dataset of vectors without images; half of the cases are malignant."""
    generator = np.random.default_rng(seed)
    case = np.repeat(np.arange(cases), each)
    labels = case % 2
    vectors = generator.normal(size=(len(case), size)) + generator.normal(size=(cases, size))[case] / 2
    vectors[:, 0] += signal * (2 * labels - 1)
    table = pd.DataFrame(
        {
            "path": [f"{seed}/{row}.png" for row in range(len(case))],
            "label": np.where(labels, "malignant", "benign"),
            "case": [f"{seed}-{name}" for name in case],
        }
    )
    return load_embeddings(table, vectors.astype(np.float32), **options)


@pytest.fixture(scope="session")
def embeddings():
    return make_vectors(encoder="test encoder")


@pytest.fixture(scope="session")
def encoder():
    """A small network with a backbone, as a user would take one for frozen features."""
    return bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=3)


@pytest.fixture(scope="session")
def easy_vectors(easy, encoder, tmp_path_factory):
    """The vectors of the small images, and the file that they were written to."""
    path = tmp_path_factory.mktemp("vectors") / "easy.npz"
    return extract_features(encoder, easy, output=path), path


def build_head(data, **options):
    """Build a model for the vectors of a dataset."""
    return bc.build_model("embeddings", classes=data.classes, dimensions=data.vectors.shape[1], seed=3, **options)


def same_weights(first: keras.Model, second: keras.Model) -> bool:
    return all(map(np.array_equal, first.get_weights(), second.get_weights()))
