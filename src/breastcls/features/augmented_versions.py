"""Augmented versions of single images: each a pure function of the pixels, the seed and the number of the version.

The pipeline draws its augmentation batch by batch, which is fastest. Stored features must not depend on the other
images of a batch: each fold of a cross-validation has other batches.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.augmentation.policy import Policy
from breastcls.augmentation.policy_registry import find_policy
from breastcls.augmentation.resampling import DRAWS, augment_batch
from breastcls.errors import TrainingError
from breastcls.images.resize import Pixels


def find_version_policy(augment: str | Policy | None) -> Policy | None:
    """Return the policy that makes the versions, or None without augmentation.

    Raises:
        RegistryError: If no policy has that name.
        TrainingError: If it mixes images.
    """
    policy = find_policy(augment)
    if policy.mixes:
        raise TrainingError(
            f"The policy {policy.name!r} mixes images with one another, so that a single image has no versions whose "
            "features could be stored. Train on images (FrozenHead(feature_versions=None)), or choose another "
            "policy."
        )
    return None if policy.name == "none" else policy


def augment_versions(policy: Policy, images: Pixels, seed: int, versions: npt.NDArray[np.int64]) -> Pixels:
    """Augment each image separately.

    Args:
        policy: A policy that does not mix images.
        images: uint8 of shape (b, height, width, 3).
        seed: The seed of all versions.
        versions: The number of the version of each image, shape (b,).

    Returns:
        uint8 of the same shape.

    Example:
        >>> turned = augment_versions(find_policy("dihedral"), np.zeros((2, 8, 8, 3), np.uint8), 7, np.array([0, 1]))
        >>> turned.shape
        (2, 8, 8, 3)
    """
    keys = [_version_key(image, seed, version) for image, version in zip(images, versions.tolist(), strict=True)]
    if policy.random_operations:
        return _augment_by_graph(policy, images, np.stack([np.frombuffer(key, np.int64) for key in keys]))
    draws = np.stack([_generator(key).random(DRAWS, np.float32) for key in keys])
    return augment_batch(policy, images, draws)


def _version_key(image: Pixels, seed: int, version: int) -> bytes:
    # From its pixels, not its path, so that a folder that was moved has the same versions.
    digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    digest.update(f"{seed} {version}".encode())
    return digest.digest()


def _generator(key: bytes) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def _augment_by_graph(policy: Policy, images: Pixels, keys: npt.NDArray[np.int64]) -> Pixels:
    import tensorflow as tf

    with tf.device("CPU:0"):
        return np.asarray(_graph(policy)(tf.constant(images), tf.constant(keys)))


@lru_cache(maxsize=8)
def _graph(policy: Policy) -> Any:
    import tensorflow as tf

    def augment_one(item: tuple[Any, Any]) -> Any:
        image, key = item
        return policy(image[None], tf.zeros((1,), tf.int64), key)[0][0]

    # It has no branches on tensors, so that no conversion is needed.
    unconverted = tf.autograph.experimental.do_not_convert(augment_one)

    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def augment(images: Any, keys: Any) -> Any:
        return tf.map_fn(unconverted, (images, keys), fn_output_signature=tf.uint8)

    return augment
