import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.images.order import EpochOrder
from breastcls.training.features.feature_views import FeatureBatches


def test_batches_come_in_the_order_of_the_pipeline(parts):
    train = parts[0]
    order = EpochOrder(len(train), 8, shuffle=True, seed=5)
    source = FeatureBatches(np.arange(len(train))[None], train.labels, order)
    images = train.to_tf((32, 32), batch_size=8, shuffle=True, seed=5, initial_epoch=2, with_rows=True)
    for epoch in (2, 3):
        wanted = [batch[-1].numpy().tolist() for batch in images]
        assert [shown.tolist() for shown, _ in source.batches(epoch)] == wanted
        assert [shown.tolist() for shown, _ in source.batches(epoch, 2)] == wanted[2:]
        assert source.steps == len(wanted)


@pytest.mark.parametrize("augment", ["none", "dihedral"])
def test_the_result_is_that_of_a_plain_loop(parts, small, augment):
    """Against plain Keras: frozen backbone, the same batches of images one by one, no features computed ahead."""
    train = parts[0]
    options = {"epochs": 3, "batch_size": 8, "fine_tune": False, "seed": 5, "class_weight": None, "progress": False}
    run = bc.fit(small(dropout=0.0), train, augment=augment, feature_views=None, **options)
    assert run.config["roads"] == ["features" if augment == "none" else "images"]
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
