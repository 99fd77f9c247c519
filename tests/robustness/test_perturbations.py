import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from breastcls.errors import ImageError, RegistryError
from breastcls.robustness.perturbations import PERTURBATIONS, Perturbation, list_perturbations, register_perturbation
from breastcls.stain.optical_density import HAEMATOXYLIN_EOSIN_RESIDUAL


@pytest.fixture(scope="module")
def tissue():
    """Two stains in smooth blotches, in the middle of the grey scale."""
    generator = np.random.default_rng(0)
    amounts = cv2.GaussianBlur(generator.random((48, 60, 2)), (0, 0), 3)
    amounts = (amounts - amounts.min()) / np.ptp(amounts) * 0.7 + 0.15
    light = 255 * np.exp(-amounts @ HAEMATOXYLIN_EOSIN_RESIDUAL[:2]) + generator.normal(0, 2, (48, 60, 1))
    return np.clip(light, 0, 255).astype(np.uint8)


def draw(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", list_perturbations())
def test_every_perturbation(name, tissue):
    one = PERTURBATIONS[name]
    assert one.name == name
    assert one.summary
    assert one.unit
    kept = tissue.copy()
    assert one(tissue, 0.0, draw()) is tissue
    for sign in (-1, 1):
        distances = []
        for strength in sorted((s for s in one.strengths if s * sign > 0), key=abs):
            changed = one(tissue, strength, draw())
            assert changed.shape == tissue.shape
            assert changed.dtype == np.uint8
            np.testing.assert_array_equal(changed, one(tissue, strength, draw()))
            distances.append(np.abs(changed.astype(float) - tissue).mean())
        assert all(distance > 0 for distance in distances)
        assert distances == sorted(distances), "more strength, more change"
    np.testing.assert_array_equal(tissue, kept)
    assert 0 not in one.strengths


def test_blur_is_that_of_scipy(tissue):
    found = PERTURBATIONS["blur"](tissue, 2.0, draw())
    # OpenCV cuts its kernel for bytes at three standard deviations.
    expected = gaussian_filter(tissue.astype(float), (2, 2, 0), mode="mirror", truncate=3)
    assert np.abs(found - expected).max() <= 1.5


def test_jpeg_is_that_of_opencv_by_hand(tissue):
    _, data = cv2.imencode(".jpg", tissue[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]
    np.testing.assert_array_equal(PERTURBATIONS["jpeg"](tissue, 30, draw()), expected)


@pytest.mark.parametrize("strength", [-0.2, 0.1])
def test_brightness_adds(tissue, strength):
    expected = np.clip(np.rint(tissue + 255 * strength), 0, 255)
    assert np.abs(PERTURBATIONS["brightness"](tissue, strength, draw()) - expected).max() <= 1


@pytest.mark.parametrize("strength", [-0.4, 0.4])
def test_contrast_is_about_the_mean(tissue, strength):
    grey = tissue.reshape(-1, 3).mean(axis=0) @ [0.299, 0.587, 0.114]
    expected = np.clip(grey + (1 + strength) * (tissue - grey), 0, 255)
    assert np.abs(PERTURBATIONS["contrast"](tissue, strength, draw()) - expected).max() <= 1


def test_hue_keeps_luminance_and_turns_back(tissue):
    turned = PERTURBATIONS["hue"](tissue, 0.05, draw())
    luminance = [0.299, 0.587, 0.114]
    assert np.abs(turned @ luminance - tissue @ luminance).max() < 1.5
    back = PERTURBATIONS["hue"](turned, -0.05, draw())
    assert np.abs(back.astype(int) - tissue).max() <= 3


def test_noise_is_of_its_strength(tissue):
    noise = PERTURBATIONS["noise"](np.full((200, 200, 3), 128, np.uint8), 10.0, draw()).astype(float) - 128
    assert abs(noise.mean()) < 0.2
    assert noise.std() == pytest.approx(10, rel=0.02)


def test_stain_scales_the_amounts_in_optical_density(tissue):
    """By hand: unmix with the inverse of the stain matrix, scale and shift each amount, mix again."""
    generator = draw(3)
    numbers = 2 * generator.random(20).astype(np.float32) - 1
    amounts = -np.log((tissue + 1.0) / 256) @ np.linalg.inv(HAEMATOXYLIN_EOSIN_RESIDUAL)
    changed = amounts * (1 + 0.4 * numbers[13:16]) + 0.4 / 5 * numbers[16:19]
    expected = np.clip(256 * np.exp(-changed @ HAEMATOXYLIN_EOSIN_RESIDUAL) - 1, 0, 255)
    assert np.abs(PERTURBATIONS["stain"](tissue, 0.4, draw(3)) - expected).max() <= 1


def test_stains_are_shared_by_a_slide():
    assert PERTURBATIONS["stain"].shared_by == "slide"
    assert PERTURBATIONS["noise"].shared_by == "image"


@pytest.mark.parametrize(("name", "strength"), [("jpeg", 100), ("stain", 1.0), ("contrast", -1.5)])
def test_strengths_that_cannot_be(tissue, name, strength):
    with pytest.raises(ImageError, match="strength"):
        PERTURBATIONS[name](tissue, strength, draw())


def test_what_is_registered_must_keep_the_shape(tissue):
    half = Perturbation("half", "Every other row.", "", (1.0,), lambda image, strength, generator: image[::2])
    with pytest.raises(ImageError, match=r"'half' returned uint8 of shape \(24, 60, 3\)"):
        half(tissue, 1.0, draw())
    with pytest.raises(RegistryError, match="registered already"):
        register_perturbation(PERTURBATIONS["blur"])
