import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.images.order import EpochOrder
from breastcls.images.pipeline import EpochCounter
from breastcls.training.frozen import FeatureBatches, compute_features, split_frozen


def test_batches_come_in_the_order_of_the_pipeline(parts):
    train = parts[0]
    order = EpochOrder(len(train), 8, shuffle=True, seed=5)
    counter = EpochCounter(2)
    batches = FeatureBatches(np.arange(len(train)), train.labels, order, counter)
    images = train.to_tf((32, 32), batch_size=8, shuffle=True, seed=5, initial_epoch=2, with_rows=True)
    for _ in range(2):
        wanted = [batch[-1].numpy().tolist() for batch in images]
        assert [batches[number][0].tolist() for number in range(len(batches))] == wanted
        counter.value += 1


def test_features_through_the_head_are_the_models_output(parts, small):
    model = small()
    frozen, head = split_frozen(model)
    images, _ = parts[0].to_numpy((32, 32))
    features = compute_features(frozen, parts[0].to_tf((32, 32), batch_size=8))
    np.testing.assert_allclose(head.predict(features, verbose=0), model.predict(images, verbose=0), atol=1e-5)


@pytest.mark.parametrize("augment", ["none", "dihedral"])
def test_the_result_is_that_of_a_plain_loop(parts, small, augment):
    """Against plain Keras: frozen backbone, the same batches of images one by one, no features computed ahead."""
    train = parts[0]
    options = {"epochs": 3, "batch_size": 8, "fine_tune": False, "seed": 5, "class_weight": None, "progress": False}
    run = bc.fit(small(dropout=0.0), train, augment=augment, **options)
    plain = small(dropout=0.0)
    next(layer for layer in plain.layers if isinstance(layer, keras.Model)).trainable = False
    plain.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", jit_compile=False)
    batches = train.to_tf((32, 32), batch_size=8, shuffle=True, seed=5, augment=augment)
    losses = []
    for _ in range(3):
        total = 0.0
        for images, labels in batches:
            plain.reset_metrics()
            total += float(plain.train_on_batch(images, labels)) * len(labels)
        losses.append(total / len(train))
    np.testing.assert_allclose(run.history["loss"], losses, rtol=2e-4)
