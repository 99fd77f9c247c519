"""`extract_features`: what it computes, writes and records."""

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import DatasetError, ModelError
from breastcls.features.embedding_table import load_embeddings
from breastcls.features.feature_extraction import extract_features, find_features
from breastcls.models.model_parts import split_model


def test_the_vectors_are_the_features_in_front_of_the_head(easy, encoder, easy_vectors):
    data, _ = easy_vectors
    pixels, _ = easy.to_numpy(32)
    expected = split_model(encoder)[0].predict(pixels.astype(np.float32), verbose=0)
    np.testing.assert_allclose(data.vectors, expected, rtol=1e-4, atol=1e-5)
    assert data.paths == easy.paths
    assert data.encoder["name"] == "cnn4"
    assert data.encoder["image_size"] == [32, 32]
    assert len(data.encoder["weights_sha256"]) == 64


def test_the_written_file_gives_the_same_dataset(easy, easy_vectors):
    data, path = easy_vectors
    again = load_embeddings(easy[::-1], path)
    np.testing.assert_array_equal(again.vectors, data.vectors[::-1])
    assert again.encoder == data.encoder
    assert again.has_images


def test_maps_are_averaged_and_a_softmax_is_cut_off(easy):
    pixels = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(4, 3)(pixels)
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(maps))
    of_maps = extract_features(keras.Model(pixels, maps), easy[:3], batch_size=2).vectors
    of_model = extract_features(keras.Model(pixels, outputs), easy[:3]).vectors
    np.testing.assert_allclose(of_maps, of_model, rtol=1e-5)
    assert of_maps.shape == (3, 4)


def test_another_engine_gives_the_same_vectors(easy, encoder, easy_vectors):
    pytest.importorskip("openvino")
    found = extract_features(encoder, easy[:4], engine="openvino")
    np.testing.assert_allclose(found.vectors, easy_vectors[0].vectors[:4], rtol=1e-3, atol=1e-4)
    assert found.encoder["engine"] == "openvino"


def test_what_cannot_be_computed_is_refused_before_anything_is_read(easy, encoder, embeddings, tmp_path):
    with pytest.raises(DatasetError, match=r"\.npz"):
        extract_features(encoder, easy, output=tmp_path / "a.npy")
    with pytest.raises(DatasetError, match="no image files"):
        extract_features(encoder, embeddings)
    with pytest.raises(ModelError, match="takes images"):
        extract_features(bc.build_model("embeddings", classes=("a", "b"), dimensions=4), easy)
    with pytest.raises(ModelError, match="name of a backbone"):
        find_features(3)
