"""A reader, an augmentation policy and a stain normalizer, each in one file outside of the package."""

import json
import runpy

import numpy as np
import pytest

import breastcls as bc
from breastcls.augmentation.policy_registry import POLICIES
from breastcls.stain.normalizer_registry import NORMALIZERS

READER = '''
from pathlib import Path

import breastcls as bc


def load_clinic(root):
    """Read files named <case>_<label>_<number>.png."""
    files = sorted(Path(root).glob("*.png"))
    if not files:
        raise bc.errors.LayoutError(f"No image in {root}.")
    case, label, _ = zip(*(path.stem.split("_") for path in files))
    data = bc.Dataset.from_columns(("benign", "malignant"), path=map(str, files), label=label, case=case)
    return data.with_notes("Read by load_clinic.")
'''

POLICY = '''
from dataclasses import dataclass

import tensorflow as tf

import breastcls as bc


@dataclass(frozen=True)
class Negative(bc.augmentation.Policy):
    """Inverts half of the images."""

    def __call__(self, images, labels, key, *, class_count=None, part=None):
        inverted = tf.random.stateless_uniform(tf.shape(images)[:1], key) < 0.5
        return tf.where(inverted[:, None, None, None], 255 - images, images), labels


bc.augmentation.register_policy(Negative("negative", "Inverts half of the images."))
bc.augmentation.register_policy(bc.augmentation.Policy("half-turns", "Flips along both axes.", flip=True))
'''

NORMALIZER = '''
from dataclasses import dataclass

import numpy as np

import breastcls as bc


@bc.stain.register_normalizer
@dataclass(frozen=True, eq=False)
class Brightness(bc.stain.StainNormalizer):
    """Shifts the mean to that of the reference."""

    mean: float
    name = "brightness"

    @classmethod
    def fit(cls, pixels):
        return cls(float(pixels.mean()))

    def normalize(self, image):
        if image.max() == 0:
            raise bc.stain.UnfitImageError("no light")
        return np.clip(image + (self.mean - image.mean()), 0, 255).astype(np.uint8)
'''


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs a file and returns its names; registrations are undone after the test."""
    for registry in (POLICIES, NORMALIZERS):
        monkeypatch.setattr(registry, "_items", dict(registry))

    def run_file(text):
        path = tmp_path / "extension.py"
        path.write_text(text, encoding="utf-8")
        return runpy.run_path(str(path))

    return run_file


@pytest.fixture
def data(flat):
    return bc.load_breakhis(flat)


def test_a_reader_is_a_function_that_returns_a_dataset(run, tmp_path, draw):
    load_clinic = run(READER)["load_clinic"]
    with pytest.raises(bc.errors.LayoutError, match="No image"):
        load_clinic(tmp_path)
    for case in range(4):
        for number in range(2):
            draw(tmp_path / f"{case}_{'benign' if case < 2 else 'malignant'}_{number}.png", 2 * case + number)
    data = load_clinic(tmp_path)
    train, test = data.split((0.5, 0.5), seed=1)
    assert bc.audit_leakage(train, test).clean
    assert data.to_numpy(8)[0].shape == (8, 8, 8, 3)
    assert "Read by load_clinic." in str(data.summary())


def test_a_policy_is_a_registered_object(run, data, tmp_path):
    run(POLICY)
    assert {"negative", "half-turns"} <= set(bc.augmentation.list_policies())
    originals = data.to_numpy(8)[0]
    images = np.concatenate([x.numpy() for x, _ in data.to_tf(8, augment="negative", seed=3)])
    inverted = (images != originals).any(axis=(1, 2, 3))
    assert 0 < inverted.sum() < len(data)
    np.testing.assert_array_equal(images[inverted], 255 - originals[inverted])
    by_keras = data.to_keras(8, augment="negative", seed=3, batch_size=24)
    np.testing.assert_array_equal(by_keras[0][0], images)
    assert bc.datasets.preview(data, "half-turns", tmp_path / "sheet.png", images=2).is_file()


def test_a_normalizer_is_a_registered_class(run, data):
    run(NORMALIZER)
    assert "brightness" in bc.stain.list_normalizers()
    normalizer = bc.stain.fit_normalizer(data, "brightness", max_images=3)
    image = bc.images.read_image(data.paths[5])
    assert abs(float(normalizer.transform(image).mean()) - normalizer.mean) < 3
    again = bc.stain.normalizer_from_dict(json.loads(json.dumps(normalizer.to_dict())))
    np.testing.assert_array_equal(again.transform(image), normalizer.transform(image))
    assert (data.to_numpy(8, normalizer=normalizer)[0] != data.to_numpy(8)[0]).any()
    normalizer.transform(np.zeros((4, 4, 3), np.uint8))
    assert normalizer.fallbacks.reasons == {"no light": 1}
