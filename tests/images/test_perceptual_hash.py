"""Hashes of similar images are close, of different ones distant, and all close pairs are found."""

import io

import numpy as np
import pytest
from PIL import Image

from breastcls.images import perceptual_hash as perceptual
from breastcls.images.perceptual_hash import find_near_pairs, perceptual_hash


def distance(first, second):
    return (perceptual_hash(first) ^ perceptual_hash(second)).bit_count()


def drawn(seed):
    blocks = np.random.default_rng(seed).integers(60, 240, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blocks).resize((160, 120), Image.Resampling.BICUBIC))


def test_hashes_of_similar_images_are_close():
    image = drawn(0)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=40)
    assert distance(image, np.asarray(Image.open(stream))) <= 3
    assert distance(image, np.asarray(Image.fromarray(image).resize((80, 60)))) <= 3
    assert distance(image, np.clip(image * 0.8 + 20, 0, 255).astype(np.uint8)) <= 3


def test_hashes_of_different_images_are_distant():
    images = [drawn(seed) for seed in range(12)]
    distances = [distance(images[i], images[j]) for i in range(12) for j in range(i)]
    assert min(distances) > 12
    assert distance(images[0], images[0][:, ::-1].copy()) > 12


@pytest.mark.parametrize("limit", [0, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 400])
def test_all_pairs_are_found(limit, count, monkeypatch):
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**64, count, dtype=np.uint64)
    # Neighbours of neighbours at every distance from 0 to 9.
    for number in range(count // 2, count):
        flips = generator.choice(64, number % 10, replace=False)
        hashes[number] = hashes[number - count // 2] ^ np.bitwise_or.reduce(np.uint64(1) << flips.astype(np.uint64))
    expected = {(i, j) for j in range(count) for i in range(j) if int(hashes[i] ^ hashes[j]).bit_count() <= limit}
    assert set(map(tuple, find_near_pairs(hashes, limit).tolist())) == expected
    monkeypatch.setattr(perceptual, "_BLOCK", 5)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert set(map(tuple, find_near_pairs(hashes, limit).tolist())) == expected


def test_a_distance_at_which_pairs_would_be_missed():
    with pytest.raises(ValueError, match="0 to 7"):
        find_near_pairs(np.zeros(2, np.uint64), 8)
