import keras
import numpy as np
import pytest

from breastcls.models.stain_separation import StainSeparation
from breastcls.stain.macenko import Macenko, find_stains, find_strengths
from breastcls.stain.optical_density import density_table, to_density

USUAL = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
USUAL /= np.linalg.norm(USUAL, axis=1, keepdims=True)


def draw(stains, seed, *, size=48, strength=(1.2, 0.8)):
    """Nuclei on a ground of eosin, with glass in a corner."""
    generator = np.random.default_rng(seed)
    amounts = generator.gamma(2.0, 0.25, (size, size, 2)) * strength
    amounts[generator.random((size, size)) < 0.7, 0] *= 0.1
    amounts[:8, :8] = 0
    light = 240 * np.exp(-amounts @ np.asarray(stains)) - 1
    return np.clip(light + generator.normal(0, 1, light.shape), 0, 255).round().astype(np.uint8), amounts


def reference(image, density=1.2):
    """The same by the package's Macenko, which is tested against torchstain."""
    of_pixels = to_density(image, density_table(240.0))
    unmix = np.linalg.pinv(find_stains(image, of_pixels).T)
    amounts = of_pixels @ unmix.T / find_strengths(of_pixels, unmix)
    return np.clip(255 * np.exp(-density * amounts), 0, 255)


@pytest.mark.parametrize("seed", range(6))
def test_it_equals_the_macenko_of_the_package(seed):
    stains = USUAL + np.random.default_rng(seed).normal(0, 0.05, (2, 3))
    stains = np.abs(stains) / np.linalg.norm(stains, axis=1, keepdims=True)
    image, _ = draw(stains, seed)
    result = keras.ops.convert_to_numpy(StainSeparation()(image[None]))[0]
    np.testing.assert_allclose(result, reference(image), atol=0.25)


def test_it_equals_the_macenko_of_the_package_in_one_batch_of_different_images():
    images = np.stack([draw(USUAL, seed, strength=(0.5 + seed / 4, 1.0))[0] for seed in range(4)])
    result = keras.ops.convert_to_numpy(StainSeparation()(images))
    for image, pictures in zip(images, result, strict=True):
        np.testing.assert_allclose(pictures, reference(image), atol=0.25)


def test_the_colour_image_equals_that_of_the_normalizer():
    image, _ = draw(USUAL, 7)
    result = keras.ops.convert_to_numpy(StainSeparation(colours=True)(image[None]))[0]
    expected = Macenko(USUAL, np.array([1.6, 1.0])).normalize(image)
    # The normalizer rounds.
    np.testing.assert_allclose(result[..., :3], expected, atol=0.6)
    np.testing.assert_allclose(result[..., 3:], reference(image), atol=0.25)


def test_images_show_the_known_concentrations():
    image, amounts = draw(USUAL, 3)
    result = keras.ops.convert_to_numpy(StainSeparation()(image[None]))[0]
    for stain in (0, 1):
        assert np.corrcoef(np.exp(-amounts[..., stain]).ravel(), result[..., stain].ravel())[0, 1] > 0.97


def test_a_paler_slide_gives_nearly_the_same_images():
    dark, _ = draw(USUAL, 5, strength=(1.2, 0.9))
    pale, _ = draw(USUAL, 5, strength=(0.8, 0.6))
    first, second = keras.ops.convert_to_numpy(StainSeparation()(np.stack([dark, pale])))
    assert np.abs(dark.astype(float) - pale).mean() > 12
    assert np.abs(first - second).mean() < 6


@pytest.mark.parametrize(
    "image",
    [
        np.full((32, 32, 3), 255, np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.full((32, 32, 3), (180, 90, 160), np.uint8),
        np.repeat(np.random.default_rng(0).integers(0, 256, (32, 32, 1), np.uint8), 3, axis=-1),
    ],
    ids=["glass", "black", "one colour", "grey"],
)
def test_images_without_two_stains_use_the_reference_stains(image):
    tissue, _ = draw(USUAL, 1, size=32)
    result = keras.ops.convert_to_numpy(StainSeparation()(np.stack([image, tissue])))
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 255
    density = -np.log((image + 1.0) / 240)
    expected = np.clip(255 * np.exp(-1.2 * density @ np.linalg.pinv(USUAL)), 0, 255)
    if image.std() == 0:
        np.testing.assert_allclose(result[0], expected, atol=0.5)
    np.testing.assert_allclose(result[1], reference(tissue), atol=0.25)


def test_a_gradient_reaches_the_image():
    tf = pytest.importorskip("tensorflow")
    image = tf.constant(draw(USUAL, 2)[0][None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(StainSeparation()(image)[..., 0])
    gradient = tape.gradient(total, image).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_its_arguments_are_saved():
    layer = StainSeparation(density=0.9, colours=True, name="stains")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (again.density, again.colours, again.name) == (0.9, True, "stains")
    image, _ = draw(USUAL, 4)
    np.testing.assert_array_equal(layer(image[None]), again(image[None]))


def test_it_computes_in_float32_in_every_precision_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert StainSeparation()(draw(USUAL, 4)[0][None]).dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.real
def test_it_equals_the_macenko_of_the_package_on_real_images(real_data):
    import breastcls as bc

    data = bc.load_breakhis(real_data / "BreaKHis_200X_224")[::60]
    images, _ = data.to_numpy(224)
    result = keras.ops.convert_to_numpy(StainSeparation()(images))
    for image, pictures in zip(images, result, strict=True):
        np.testing.assert_allclose(pictures, reference(image), atol=0.25)


@pytest.mark.real
def test_the_closed_form_changes_real_images_by_less_than_the_rounding_of_float32(real_data, monkeypatch):
    import breastcls as bc

    data = bc.load_breakhis(real_data / "BreaKHis_200X_224")[::60]
    images, _ = data.to_numpy(224)
    result = keras.ops.convert_to_numpy(StainSeparation(colours=True)(images))
    monkeypatch.setattr("breastcls.models.stain_separation.eigh_3x3", keras.ops.eigh)
    by_lapack = keras.ops.convert_to_numpy(StainSeparation(colours=True)(images))
    np.testing.assert_allclose(result / 255, by_lapack / 255, atol=1e-5)
