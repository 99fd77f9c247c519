"""Networks whose graph computes what is not returned."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.models.backbones.stain_texture import build_stain_texture

CLASSES = ("benign", "malignant")


class SumsForNothing(keras.layers.Layer):
    """Computes a tensor that nothing uses, which OpenVINO makes an output."""

    def call(self, inputs):
        keras.ops.sum(inputs * 2.0, axis=(1, 2))
        return inputs / 255.0


def small_network():
    keras.utils.set_random_seed(0)
    images = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(4, 3)(SumsForNothing()(images))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(images, keras.layers.Dense(2, activation="softmax")(pooled))


def stain_network():
    return build_stain_texture(classes=CLASSES, image_size=32, weights=None, blocks=(1,), seed=1)


@pytest.mark.parametrize("build", [small_network, stain_network])
def test_openvino_gives_what_the_model_returns_and_nothing_else(build, monkeypatch, tmp_path):
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path))
    model = build()
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    expected = bc.predict(model, images, classes=CLASSES).probabilities
    found = bc.predict(model, images, classes=CLASSES, engine="openvino").probabilities
    np.testing.assert_allclose(found, expected, atol=1e-4)
