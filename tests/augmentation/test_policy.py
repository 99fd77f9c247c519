"""All registered policies keep shape and range, are reproducible, and change labels only if they mix images."""

import numpy as np
import pytest
import tensorflow as tf

from breastcls.augmentation.policy import Policy
from breastcls.augmentation.policy_registry import POLICIES, find_policy, list_policies, register_policy
from breastcls.errors import RegistryError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 24, 24, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def apply(policy, key=(1, 2), images=IMAGES):
    out, labels = find_policy(policy)(
        tf.constant(images), tf.constant(LABELS[: len(images)]), tf.constant(key, tf.int64), class_count=3
    )
    return out.numpy(), labels.numpy()


@pytest.mark.parametrize("name", list_policies())
def test_policies(name):
    images, labels = apply(name)
    assert images.shape == IMAGES.shape
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(apply(name)[0], images)
    if find_policy(name).mixes:
        assert labels.shape == (6, 3)
        assert labels.dtype == np.float32
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    else:
        np.testing.assert_array_equal(labels, LABELS)
    if name == "none":
        np.testing.assert_array_equal(images, IMAGES)
    else:
        assert (apply(name, (1, 3))[0] != images).any()
        assert (images != IMAGES).any()


@pytest.mark.parametrize("name", list_policies())
def test_in_a_graph_it_is_the_same_as_eagerly(name):
    policy = find_policy(name)
    dataset = tf.data.Dataset.from_tensors((IMAGES, LABELS)).map(
        lambda images, labels: policy(images, labels, tf.constant([1, 2], tf.int64), class_count=3)
    )
    images, labels = next(iter(dataset))
    expected = apply(name)
    np.testing.assert_array_equal(labels.numpy(), expected[1])
    # Graph and eager kernels of some Keras layers round differently by one level.
    assert np.abs(images.numpy().astype(int) - expected[0]).max() <= 1


@pytest.mark.parametrize("name", list_policies())
def test_any_aspect_ratio_and_a_batch_of_one(name):
    assert apply(name, images=IMAGES[:1, :16])[0].shape == (1, 16, 24, 3)


@pytest.mark.parametrize("name", [name for name in list_policies() if not find_policy(name).mixes])
def test_a_part_of_a_batch_is_augmented_as_within_the_batch(name):
    places = np.array([4, 0, 4])
    images, _ = find_policy(name)(
        tf.constant(IMAGES[places]),
        tf.constant(LABELS[places]),
        tf.constant([1, 2], tf.int64),
        part=(tf.constant(places), len(IMAGES)),
    )
    np.testing.assert_array_equal(images.numpy(), apply(name)[0][places])


def test_an_image_does_not_depend_on_its_batch():
    for name in ("classic", "standard", "stain", "strong"):
        np.testing.assert_array_equal(apply(name, images=IMAGES[:3])[0], apply(name)[0][:3])


def test_registering(monkeypatch):
    monkeypatch.setattr(POLICIES, "_items", dict(POLICIES))
    mine = register_policy(Policy("mine", "Small rotations.", rotation=5))
    assert find_policy("mine") is mine
    assert find_policy(mine) is mine
    assert find_policy(None).name == "none"
    assert "mine" in list_policies()
    with pytest.raises(RegistryError, match="registered already"):
        register_policy(mine)
    with pytest.raises(RegistryError, match="'classic'"):
        find_policy("clasic")


def test_a_policy_is_restored_from_its_parameters():
    policy = find_policy("standard")
    assert Policy(**policy.to_dict()) == policy


@pytest.mark.parametrize("options", [{"rotation": -1}, {"zoom": 1.0}, {"mixup": 1.0, "cutmix": 1.0}])
def test_invalid_parameters(options):
    with pytest.raises(ValueError, match="policy 'wrong'"):
        Policy("wrong", "", **options)


def test_mixing_without_the_number_of_classes():
    with pytest.raises(ValueError, match="class_count"):
        find_policy("mixup")(tf.constant(IMAGES), tf.constant(LABELS), tf.constant([0, 0], tf.int64))
