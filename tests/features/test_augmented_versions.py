"""Views of single images: those of the policy, and of the image alone."""

import numpy as np
import pytest

from breastcls.augmentation.policy import Policy
from breastcls.augmentation.policy_registry import find_policy
from breastcls.errors import RegistryError, TrainingError
from breastcls.features.augmented_versions import augment_versions, find_version_policy

KINDS = ["dihedral", "classic", "standard", "stain", "strong"]


@pytest.fixture(scope="module")
def images(easy):
    """Images with structure: a gradient and a bright corner on top of noise."""
    pixels = easy[:6].to_numpy((24, 24))[0].astype(np.int64) // 2
    pixels[:, :8, :8] += 100
    pixels += np.arange(24)[:, None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", KINDS)
def test_the_same_image_seed_and_number_make_the_same_version(images, name):
    policy = find_policy(name)
    versions = np.array([0, 1, 2, 0, 1, 2])
    whole = augment_versions(policy, images, 5, versions)
    order = np.array([4, 0, 3])
    np.testing.assert_array_equal(augment_versions(policy, images[order], 5, versions[order]), whole[order])
    assert (augment_versions(policy, images, 6, versions) != whole).any()
    assert (augment_versions(policy, images, 5, versions + 1) != whole).any()
    assert whole.dtype == np.uint8


@pytest.mark.parametrize("name", KINDS)
def test_versions_are_drawn_as_by_the_pipeline(images, easy, name):
    """Against the policy itself, applied to whole batches: many versions have the same mean and deviation by pixel."""
    import tensorflow as tf

    policy, count = find_policy(name), 400
    same = np.repeat(images[:1], count, axis=0)
    versions = augment_versions(policy, same, 3, np.arange(count)).astype(float)
    drawn = policy(tf.constant(same), tf.zeros(count, tf.int64), tf.constant([1, 2], tf.int64))[0].numpy().astype(float)
    spread = np.sqrt((versions.var(axis=0) + drawn.var(axis=0)) / count) + 0.5
    assert (np.abs(versions.mean(axis=0) - drawn.mean(axis=0)) / spread).mean() < 1.2
    np.testing.assert_allclose(versions.std(axis=0).mean(), drawn.std(axis=0).mean(), rtol=0.1)


def test_a_dihedral_view_is_one_of_the_eight_and_each_comes_as_often(images):
    count = 800
    versions = augment_versions(find_policy("dihedral"), np.repeat(images[:1], count, axis=0), 1, np.arange(count))
    turns = [np.rot90(flipped, k) for flipped in (images[0], images[0][:, ::-1]) for k in range(4)]
    which = np.array([[np.array_equal(version, turn) for turn in turns] for version in versions])
    assert (which.sum(axis=1) == 1).all()
    # Each with probability one eighth: 100 of 800, with a standard deviation of 9.4.
    assert np.abs(which.sum(axis=0) - 100).max() < 45


def test_which_policies_make_versions():
    assert find_version_policy("none") is None
    assert find_version_policy(None) is None
    assert find_version_policy("classic").name == "classic"
    own = Policy("own", "Turns.", dihedral=True)
    assert find_version_policy(own) is own
    for name in ("mixup", "cutmix"):
        with pytest.raises(TrainingError, match=f"The policy '{name}' mixes images"):
            find_version_policy(name)
    with pytest.raises(RegistryError, match="dihedral"):
        find_version_policy("dihedrl")
