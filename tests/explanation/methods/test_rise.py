import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.rise import draw_masks, rise
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 2], np.int64)


def test_it_equals_one_mask_after_another(small_model, noise_images):
    model, images = small_model("pool"), noise_images[:2].astype(np.float32)
    masks = list(draw_masks(np.random.default_rng(4), 30, 4, 0.6, (16, 16)))
    expected = []
    for image, target in zip(images, TARGETS, strict=True):
        frames = np.stack([mask[..., None] * image for mask in masks])
        probability = model.predict(frames, verbose=0)[:, target]
        mean = [np.average(probability, weights=[mask[place] for mask in masks]) for place in np.ndindex(16, 16)]
        expected.append(np.reshape(mean, (16, 16)) - probability.mean())
    options = {"masks": 30, "cells": 4, "keep": 0.6, "baseline": "black", "seed": 4}
    values = rise(ScoredModel(model, images, 7), images, TARGETS, **options).values
    np.testing.assert_allclose(values, expected, atol=1e-5)
    np.testing.assert_array_equal(values, rise(ScoredModel(model, images, 7), images, TARGETS, **options).values)
    other = rise(ScoredModel(model, images, 7), images, TARGETS, **{**options, "seed": 5}).values
    assert not np.allclose(values, other, atol=1e-4)


def test_masks_have_the_share_and_the_cells_that_were_asked_for():
    masks = np.stack(list(draw_masks(np.random.default_rng(0), 300, 5, 0.3, (40, 60))))
    assert masks.mean() == pytest.approx(0.3, abs=0.02)
    assert masks.min() >= 0
    assert masks.max() <= 1
    # A shift of less than one cell, by another amount each time.
    assert masks.std(axis=0).min() > 0.2


def test_a_model_that_ignores_the_image_has_zeros(noise_images):
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax", kernel_initializer="zeros")]
    )
    images = noise_images[:1].astype(np.float32)
    values = rise(ScoredModel(model, images), images, np.array([1]), masks=20).values
    np.testing.assert_allclose(values, 0, atol=1e-7)


@pytest.mark.parametrize("options", [{"masks": 0}, {"cells": 0}, {"keep": 1.0}, {"keep": 0.0}])
def test_wrong_options_are_refused(small_model, noise_images, options):
    images = noise_images[:1].astype(np.float32)
    with pytest.raises(ExplanationError, match=f"{next(iter(options))} is"):
        rise(ScoredModel(small_model(), images), images, TARGETS[:1], **options)
