"""Batches: contents, order and epochs, and training with Keras."""

import os

import numpy as np
import pytest
from PIL import Image

from breastcls.augmentation.policy_registry import find_policy
from breastcls.errors import ImageError
from breastcls.images import pipeline as pipeline_module
from breastcls.images.decode import read_image
from breastcls.images.epoch_order import BatchPart
from breastcls.images.pipeline import EpochCounter, make_pipeline, read_batch
from breastcls.images.resize import resize_image

SIZE = (16, 16)


def collect(batches):
    return [tuple(np.asarray(part) for part in batch) for batch in batches]


def assert_equal(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.fixture
def paths(make_folder):
    return make_folder(10)


def make(paths, **options):
    if options.get("augment"):
        options["augment"] = find_policy(options["augment"])
    return make_pipeline(paths, np.arange(len(paths)) % 3, image_size=SIZE, **{"batch_size": 4, **options})


def test_in_the_given_order_with_labels(paths):
    batches = collect(make(paths))
    assert [batch[0].shape for batch in batches] == [(4, 16, 16, 3), (4, 16, 16, 3), (2, 16, 16, 3)]
    images = np.concatenate([batch[0] for batch in batches])
    np.testing.assert_array_equal(images, np.stack([resize_image(read_image(path), SIZE) for path in paths]))
    np.testing.assert_array_equal(np.concatenate([batch[1] for batch in batches]), np.arange(10) % 3)
    assert batches[0][0].dtype == np.uint8
    assert batches[0][1].dtype == np.int64


def test_keras_knows_how_many_batches_there_are(paths):
    assert make(paths).cardinality() == 3
    assert make(paths, drop_remainder=True).cardinality() == 2
    assert make(paths, drop_remainder=True).element_spec[0].shape == (4, 16, 16, 3)


def test_each_iteration_is_the_next_epoch_and_a_seed_repeats_it(paths):
    first = make(paths, shuffle=True, seed=3, with_rows=True)
    epochs = [collect(first) for _ in range(3)]
    orders = [np.concatenate([batch[2] for batch in epoch]).tolist() for epoch in epochs]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    again = make(paths, shuffle=True, seed=3, with_rows=True)
    for epoch in epochs:
        assert_equal(collect(again), epoch)
    resumed = make(paths, shuffle=True, seed=3, with_rows=True, initial_epoch=2)
    assert_equal(collect(resumed), epochs[2])


def test_an_epoch_that_was_only_peeked_into_begins_again(paths):
    batches = make(paths, shuffle=True, seed=3, batch_size=2)
    expected = collect(make(paths, shuffle=True, seed=3, batch_size=2))
    next(iter(batches))
    assert_equal(collect(batches), expected)


def test_the_counter_can_be_set_from_outside(paths):
    counter = EpochCounter(5)
    batches = make(paths, shuffle=True, initial_epoch=counter)
    fifth = collect(batches)
    assert counter.value == 6
    counter.value = 5
    assert_equal(collect(batches), fifth)


@pytest.mark.parametrize("augment", [None, "standard", "mixup"])
def test_the_number_of_threads_does_not_matter(paths, augment, monkeypatch):
    options = {"shuffle": True, "augment": augment, "class_count": 3, "cache": False}
    monkeypatch.setattr(pipeline_module, "_PARALLEL_BATCHES", 1)
    one = collect(make(paths, workers=1, **options))
    monkeypatch.setattr(pipeline_module, "_PARALLEL_BATCHES", 4)
    assert_equal(collect(make(paths, workers=4, **options)), one)


def test_with_and_without_the_cache_is_the_same(paths):
    assert_equal(collect(make(paths, shuffle=True, cache=False)), collect(make(paths, shuffle=True)))


def test_augmentation_changes_with_the_epoch_and_repeats_with_the_seed(paths):
    batches = make(paths, augment="standard", seed=2)
    first, second = collect(batches), collect(batches)
    assert any((one[0] != other[0]).any() for one, other in zip(first, second, strict=True))
    assert_equal(collect(make(paths, augment="standard", seed=2)), first)
    assert_equal(collect(make(paths, augment="standard", seed=2, initial_epoch=1)), second)


def test_balanced_sampling(paths):
    labels = np.array([0] * 8 + [1] * 2)
    batches = collect(make_pipeline(paths, labels, image_size=SIZE, sampling="class-balanced"))
    assert np.bincount(np.concatenate([batch[1] for batch in batches])).tolist() == [5, 5]
    cases = ["a"] * 4 + ["b"] * 6
    batches = collect(
        make_pipeline(paths, labels, image_size=SIZE, sampling="case-balanced", cases=cases, with_rows=True)
    )
    assert np.sum(np.concatenate([batch[2] for batch in batches]) < 4) == 5


def test_shards_together_are_the_epoch(paths):
    rows = [
        np.concatenate([batch[2] for batch in collect(make(paths, shuffle=True, shard=(i, 3), with_rows=True))])
        for i in range(3)
    ]
    assert sorted(np.concatenate(rows).tolist()) == list(range(10))


def test_weights_and_rows(paths):
    batch = collect(make(paths, weights=np.linspace(0, 1, 10), with_rows=True))[1]
    np.testing.assert_allclose(batch[2], np.linspace(0, 1, 10)[4:8], rtol=1e-6)
    assert batch[2].dtype == np.float32
    np.testing.assert_array_equal(batch[3], [4, 5, 6, 7])


def test_random_crops_while_training_and_the_middle_otherwise(paths):
    large = read_batch(paths, image_size=(24, 28))
    middle = np.concatenate([batch[0] for batch in collect(make(paths, crop_from=(24, 28)))])
    np.testing.assert_array_equal(middle, large[:, 4:20, 6:22])
    corners = set()
    for images, _, rows in collect(make(paths, crop_from=(24, 28), shuffle=True, with_rows=True)):
        for image, row in zip(images, rows, strict=True):
            found = [
                (top, left)
                for top in range(9)
                for left in range(13)
                if np.array_equal(large[row, top : top + 16, left : left + 16], image)
            ]
            assert len(found) == 1
            corners.add(found[0])
    assert len(corners) > 3


def test_mixing_policies_need_the_number_of_classes(paths):
    with pytest.raises(ValueError, match="class_count"):
        make(paths, augment="mixup")
    labels = collect(make(paths, augment="cutmix", class_count=3))[0][1]
    assert labels.shape == (4, 3)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)


def test_keras_trains_on_it(paths):
    import keras

    rows_seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rows_seen.append(counter.value)

    counter = EpochCounter()
    inputs = keras.Input((16, 16, 3))
    outputs = keras.layers.Dense(3, activation="softmax")(
        keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    )
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    history = model.fit(
        make(paths, shuffle=True, augment="dihedral", initial_epoch=counter), epochs=3, verbose=0, callbacks=[Watch()]
    )
    assert rows_seen == [1, 2, 3]
    assert np.isfinite(history.history["loss"]).all()
    assert model.predict(make(paths), verbose=0).shape == (10, 3)


def test_broken_and_missing_files_are_named(paths):
    os.unlink(paths[3])
    with pytest.raises(ImageError, match=r"003\.png"):
        make(paths)
    Image.new("RGB", (4, 4)).save(paths[3])
    with open(paths[5], "wb"):
        pass
    with pytest.raises(ImageError, match=r"005\.png: the file is empty"):
        make(paths)


def test_a_file_deleted_while_reading_without_the_cache_is_named(paths):
    import tensorflow as tf

    batches = make(paths, cache=False)
    os.unlink(paths[7])
    with pytest.raises(tf.errors.OpError, match=r"007\.png: the file does not exist"):
        collect(batches)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"crop_from": 8}, "crop_from"),
        ({"weights": [1.0]}, "weights"),
        ({"sampling": "fair"}, "sampling"),
        ({"resize": "zoom"}, "resize"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_arguments_that_do_not_fit(paths, options, reason):
    with pytest.raises(ValueError, match=reason):
        make(paths, **options)


def test_labels_of_another_length(paths):
    with pytest.raises(ValueError, match="labels"):
        make_pipeline(paths, [0, 1], image_size=SIZE)


def test_read_batch(paths):
    expected = np.stack([resize_image(read_image(path), SIZE, "pad") for path in paths])
    for cache in (True, False):
        np.testing.assert_array_equal(read_batch(paths, image_size=SIZE, resize="pad", cache=cache), expected)


@pytest.mark.parametrize("options", [{"augment": "standard"}, {"crop_from": 24}, {}])
def test_parts_are_read_as_within_the_whole_batch(paths, options):
    options = {"shuffle": True, "seed": 5, "initial_epoch": 2, "with_rows": True, **options}
    whole = collect(make(paths, **options))
    parts = [BatchPart(worker, 3) for worker in range(3)]
    read = [collect(make(paths, part=part, **options)) for part in parts]
    for number, expected in enumerate(whole):
        count = len(expected[0])
        for place in range(len(expected)):
            own = [batches[number][place][: part.own(count)] for batches, part in zip(read, parts, strict=True)]
            np.testing.assert_array_equal(np.concatenate(own), expected[place])
        assert {len(batches[number][0]) for batches in read} == {-(-count // 3)}


def test_a_policy_that_mixes_needs_whole_batches(paths):
    with pytest.raises(ValueError, match="mixes images of a batch"):
        make(paths, augment="mixup", class_count=3, part=BatchPart(0, 2))
