"""Properties of all registered stain normalizers."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breastcls.errors import DatasetError, DatasetWarning, ImageError, RegistryError
from breastcls.images.decode import read_image
from breastcls.images.pipeline import read_batch
from breastcls.stain.fitting import fit_normalizer
from breastcls.stain.normalizer import FallbackCount, StainNormalizer, percentiles
from breastcls.stain.normalizer_registry import (
    NORMALIZERS,
    list_normalizers,
    normalizer_from_dict,
    register_normalizer,
)

HAEMATOXYLIN = np.array([0.65, 0.70, 0.29])
EOSIN = np.array([0.07, 0.99, 0.11])


def stained(seed, haematoxylin=1.0, eosin=1.0, side=48):
    """Draw patches of nuclei, of stroma and of both, with glass at the border, and some noise."""
    generator = np.random.default_rng(seed)
    amounts = generator.gamma(0.6, 0.6, (side // 2, side // 2, 2)).repeat(2, 0).repeat(2, 1) + 0.1
    amounts[:4] = 0.01
    density = haematoxylin * amounts[..., :1] * HAEMATOXYLIN + eosin * amounts[..., 1:] * EOSIN
    light = 250 * np.exp(-density) + generator.normal(0, 1, density.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


REFERENCE = stained(0)


def colour_distance(image):
    """Return how far the mean and the darkest tenth of the colours are from those of the reference."""
    shown = [np.concatenate([i.mean(axis=(0, 1)), np.percentile(i, 10, axis=(0, 1))]) for i in (image, REFERENCE)]
    return np.linalg.norm(shown[0] - shown[1])


@pytest.mark.parametrize("name", list_normalizers())
class TestEveryNormalizer:
    def test_the_reference_is_almost_unchanged(self, name):
        normalizer = fit_normalizer(REFERENCE, name)
        out = normalizer.transform(REFERENCE)
        assert out.dtype == np.uint8
        assert out.shape == REFERENCE.shape
        tissue = REFERENCE.max(axis=2) < 200
        assert np.abs(out[tissue].astype(int) - REFERENCE[tissue]).mean() < 8
        assert normalizer.fallbacks.total == 0

    def test_other_stainings_come_nearer_to_the_reference(self, name):
        normalizer = fit_normalizer(REFERENCE, name)
        for haematoxylin, eosin in ((0.6, 1.4), (1.5, 0.7), (1.4, 1.4), (0.6, 0.6)):
            image = stained(3, haematoxylin, eosin)
            before, after = (colour_distance(shown) for shown in (image, normalizer.transform(image)))
            assert after < 0.8 * before

    @pytest.mark.parametrize("value", [0, 255, 128])
    def test_a_single_colour_is_unchanged_and_counted(self, name, value):
        normalizer = fit_normalizer(REFERENCE, name)
        image = np.full((20, 30, 3), value, np.uint8)
        np.testing.assert_array_equal(normalizer.transform(image), image)
        assert normalizer.fallbacks.total == 1

    def test_a_single_stain_gives_an_image(self, name):
        normalizer = fit_normalizer(REFERENCE, name)
        out = normalizer.transform(stained(1, eosin=0))
        assert out.dtype == np.uint8

    def test_noise_and_tiny_images_give_images(self, name):
        normalizer = fit_normalizer(REFERENCE, name)
        generator = np.random.default_rng(0)
        for shape in ((1, 1, 3), (1, 5, 3), (3, 2, 3), (30, 40, 3)):
            image = generator.integers(0, 256, shape, dtype=np.uint8)
            assert normalizer.transform(image).shape == shape

    def test_a_reference_without_tissue_is_refused(self, name):
        with pytest.raises(ImageError, match=f"'{name}' shows"):
            fit_normalizer(np.full((20, 20, 3), 255, np.uint8), name)
        with pytest.raises(DatasetError, match="at least one"):
            fit_normalizer([], name)

    def test_several_references_of_any_size(self, name):
        images = [stained(seed, side=side) for seed, side in ((1, 40), (2, 48), (3, 60))]
        normalizer = fit_normalizer(images, name)
        alone = fit_normalizer(images[0], name)
        assert normalizer.key != alone.key
        assert normalizer != alone

    def test_key_and_record_follow_from_the_fit(self, name):
        first, second = fit_normalizer(REFERENCE, name), fit_normalizer(REFERENCE, name)
        assert first == second
        assert hash(first) == hash(second)
        assert first.key.startswith(name)
        assert first.to_dict()["name"] == name
        assert first.key != fit_normalizer(stained(5, 1.4), name).key

    @given(seed=st.integers(0, 2**16), haematoxylin=st.floats(0.7, 1.8), eosin=st.floats(0.7, 1.8))
    @settings(max_examples=15, deadline=None)
    def test_through_json_it_gives_the_same_pixels(self, name, seed, haematoxylin, eosin):
        normalizer = fit_normalizer(stained(seed, haematoxylin, eosin), name)
        again = normalizer_from_dict(json.loads(json.dumps(normalizer.to_dict())))
        assert type(again) is type(normalizer)
        assert again == normalizer
        assert again.key == normalizer.key
        assert again.to_dict() == normalizer.to_dict()
        for image in (REFERENCE, stained(seed + 1, eosin, haematoxylin)):
            np.testing.assert_array_equal(again.transform(image), normalizer.transform(image))

    def test_invalid_values_are_refused(self, name):
        values = fit_normalizer(REFERENCE, name).to_dict()
        field = next(key for key in values if key != "name")
        short = {key: value for key, value in values.items() if key != field}
        for wrong, words in (
            (short, "does not describe"),
            ({**values, "light": 240}, "does not describe"),
            ({**values, field: values[field][:-1]}, "of shape"),
            ({**values, field: [[float("nan")] * 3] * 2}, "finite numbers"),
            ({**values, field: "blue"}, "finite numbers"),
            ({**values, field: None}, "finite numbers"),
            ({**values, field: [[1.0], [1.0, 2.0]]}, "finite numbers"),
        ):
            with pytest.raises(ImageError, match=words):
                normalizer_from_dict(wrong)
        with pytest.raises(ImageError, match="does not describe"):
            NORMALIZERS[name].from_dict({**values, "name": "another"})


def test_through_the_store(make_folder, tmp_path):
    paths = make_folder(3)
    normalizer = fit_normalizer(REFERENCE, "reinhard")
    found = read_batch(paths, image_size=(40, 52), normalizer=normalizer, cache_dir=tmp_path / "cache")
    again = read_batch(paths, image_size=(40, 52), normalizer=normalizer, cache_dir=tmp_path / "cache")
    plain = read_batch(paths, image_size=(40, 52), cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(found, np.stack([normalizer.transform(read_image(path)) for path in paths]))
    np.testing.assert_array_equal(again, found)
    assert (plain != found).any()


def test_unchanged_images_are_reported(make_folder, tmp_path):
    from PIL import Image

    paths = make_folder(2)
    Image.new("RGB", (40, 52), (255, 255, 255)).save(paths[1])
    with pytest.warns(DatasetWarning, match=r"1 image was left unchanged: 1 with too little tissue"):
        read_batch(paths, image_size=16, normalizer=fit_normalizer(REFERENCE, "reinhard"), cache_dir=tmp_path / "cache")


def test_registering(monkeypatch):
    monkeypatch.setattr(NORMALIZERS, "_items", dict(NORMALIZERS))

    class Grey(StainNormalizer):
        name = "grey"

        @classmethod
        def fit(cls, pixels):
            return cls()

        def normalize(self, image):
            return np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)

    register_normalizer(Grey)
    assert isinstance(normalizer_from_dict({"name": "grey"}), Grey)
    assert fit_normalizer(REFERENCE, "grey").transform(REFERENCE).shape == REFERENCE.shape
    with pytest.raises(RegistryError, match="registered already"):
        register_normalizer(Grey)
    with pytest.raises(RegistryError, match="'macenko'"):
        fit_normalizer(REFERENCE, "macenco")


@pytest.mark.parametrize("wrong", [None, [], {}, {"name": 3}, "macenko"])
def test_values_without_a_name_are_refused(wrong):
    with pytest.raises(ImageError, match="restored from a dict with its `name`"):
        normalizer_from_dict(wrong)


def test_a_normalizer_of_numbers_and_of_an_unknown_name(monkeypatch):
    monkeypatch.setattr(NORMALIZERS, "_items", dict(NORMALIZERS))

    @register_normalizer
    @dataclass(frozen=True, eq=False)
    class Darker(StainNormalizer):
        share: float
        name = "darker"

        @classmethod
        def fit(cls, pixels):
            return cls(float(pixels.mean() / 255))

        def normalize(self, image):
            return (image * self.share).astype(np.uint8)

    normalizer = fit_normalizer(REFERENCE, "darker")
    again = normalizer_from_dict(json.loads(json.dumps(normalizer.to_dict())))
    assert again == normalizer
    assert isinstance(again.share, float)
    np.testing.assert_array_equal(again.transform(REFERENCE), normalizer.transform(REFERENCE))
    with pytest.raises(RegistryError, match="'darker'"):
        normalizer_from_dict({"name": "darkr", "share": 1.0})


def test_counting():
    count = FallbackCount()
    assert str(count) == "every image was normalised"
    for reason in ("too little tissue", "one stain only", "too little tissue"):
        count.add(reason)
    assert str(count) == "3 images were left unchanged: 1 with one stain only, 2 with too little tissue"


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_percentiles_are_those_of_numpy(count):
    values = np.random.default_rng(0).normal(size=count)
    np.testing.assert_allclose(percentiles(values, (1, 50, 99)), np.percentile(values, (1, 50, 99)), rtol=1e-9)
