"""CancerNet against its published description, written out layer by layer."""

import keras
import numpy as np
from keras import layers

from breastcls.models.building import build_model
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import find_backbone


def published():
    model = keras.Sequential([keras.Input((48, 48, 3))])
    for filters, repeats in ((32, 1), (64, 2), (128, 3)):
        for _ in range(repeats):
            model.add(layers.SeparableConv2D(filters, (3, 3), padding="same"))
            model.add(layers.Activation("relu"))
            model.add(layers.BatchNormalization(axis=-1))
        model.add(layers.MaxPooling2D(pool_size=(2, 2)))
        model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(256))
    model.add(layers.Activation("relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(2))
    model.add(layers.Activation("softmax"))
    return model


def test_by_default_it_is_the_published_network():
    reference, ours = published(), build_model("cancernet", classes=("negative", "positive"), seed=3)
    assert get_card(ours).image_size == (48, 48)
    assert [weight.shape for weight in ours.weights] == [weight.shape for weight in reference.weights]
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0.05, 0.4, weight.shape).astype("float32") for weight in reference.weights]
    reference.set_weights(weights)
    ours.set_weights(weights)
    images = rng.integers(0, 256, (3, 48, 48, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(ours(images)), np.asarray(reference(images / 255)), rtol=1e-4, atol=1e-6)
    rates = [layer.rate for layer in find_backbone(ours).layers if isinstance(layer, layers.Dropout)]
    assert rates == [0.25] * 3
    assert ours.get_layer("dropout").rate == 0.5
