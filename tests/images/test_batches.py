"""The Keras batches are those of the pipeline."""

import keras
import numpy as np
import pytest

from breastcls.augmentation.policy_registry import find_policy
from breastcls.images.batches import ImageBatches
from breastcls.images.pipeline import make_pipeline


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": True, "seed": 5},
        {"shuffle": True, "augment": find_policy("standard"), "seed": 5},
        {"augment": find_policy("mixup"), "class_count": 2},
        {"sampling": "class-balanced", "drop_remainder": True},
        {"shard": (1, 2), "weights": np.linspace(0, 1, 10), "initial_epoch": 3, "shuffle": True},
    ],
)
def test_the_same_batches_as_the_pipeline(make_folder, options):
    paths, labels = make_folder(10), np.arange(10) % 2
    pipeline = make_pipeline(paths, labels, image_size=16, batch_size=4, **options)
    batches = ImageBatches(paths, labels, image_size=16, batch_size=4, **options)
    for _ in range(2):
        expected = [[np.asarray(part) for part in batch] for batch in pipeline]
        assert len(batches) == len(expected)
        for number, batch in enumerate(expected):
            for left, right in zip(batches[number], batch, strict=True):
                np.testing.assert_array_equal(left, right)
                assert left.dtype == right.dtype
        batches.on_epoch_end()


def test_keras_trains_on_it(make_folder):
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs)))
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    batches = ImageBatches(make_folder(6), [0, 1] * 3, image_size=8, batch_size=4, shuffle=True)
    assert len(model.fit(batches, epochs=2, verbose=0).history["loss"]) == 2


def test_there_is_no_batch_after_the_last(make_folder):
    with pytest.raises(IndexError, match="batch 2 of 2"):
        ImageBatches(make_folder(6), [0] * 6, image_size=8, batch_size=4)[2]
