import hashlib

import keras
import numpy as np
import pytest

from breastcls.augmentation.policy_registry import find_policy
from breastcls.features.feature_job import FeatureJob, entry_keys, folder_name
from breastcls.images.cache_segment import KEY_BYTES
from breastcls.images.image_source import ReadSettings


@pytest.fixture(scope="module")
def frozen():
    return keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D()])


def make_job(frozen, size=(16, 16), policy=None, seed=0, precision="float32"):
    entries = np.arange(3)
    return FeatureJob(frozen, ReadSettings(size), policy, seed, precision, np.zeros_like(entries), entries)


@pytest.mark.parametrize(("size", "count"), [((16, 16), 32), ((300, 300), 32), ((301, 300), 16), ((5000, 5000), 1)])
def test_the_batch_size_follows_from_the_image_size(frozen, size, count):
    assert make_job(frozen, size).batch_size == count


def test_features_that_differ_are_stored_in_other_folders(frozen):
    policy = find_policy("dihedral")
    names = [
        folder_name(make_job(frozen, **options))
        for options in (
            {},
            {"size": (16, 24)},
            {"policy": policy},
            {"policy": policy, "seed": 1},
            {"precision": "bfloat16"},
        )
    ]
    assert len(set(names)) == len(names)
    assert names[0].startswith("16x16-unaugmented-")
    assert names[2].startswith("16x16-dihedral-")
    # Without augmentation there is nothing random.
    assert folder_name(make_job(frozen, seed=1)) == names[0] == folder_name(make_job(frozen))


def test_the_keys_of_the_entries_are_distinct_and_version_by_version():
    images = b"".join(hashlib.blake2b(bytes([k]), digest_size=KEY_BYTES).digest() for k in range(3))
    keys = entry_keys(images, 2)
    assert len(set(keys)) == 6
    assert all(len(key) == KEY_BYTES for key in keys)
    assert keys[:3] == entry_keys(images, 1)
