import cv2
import numpy as np
import pytest

from breastcls.images.decode import read_image
from breastcls.stain.glass_pixels import find_glass


@pytest.mark.parametrize("light", [(255, 255, 255), (222, 232, 226), (188, 219, 194), (250, 224, 222)])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_lumen_is_glass_and_pale_stroma_is_not(light, scale):
    """Also where the lamp is dim or tinted, and at any image size; a speck is neither."""
    generator = np.random.default_rng(0)
    height, width = 120 * scale, 160 * scale
    inside = cv2.circle(np.zeros((height, width), np.uint8), (width // 2, height // 2), 30 * scale, 1, -1).astype(bool)
    # Pale stroma: hardly more pink than the light, with fibres.
    fibres = 1.0 + 0.05 * np.sin(np.arange(height) / scale)[:, np.newaxis, np.newaxis]
    image = np.tile(np.array(light) * (0.94, 0.90, 0.91), (height, width, 1)) * fibres
    image[inside] = light
    image[5:7, 5:7] = light
    image = np.clip(image + generator.normal(0, 2, image.shape), 0, 255).round().astype(np.uint8)
    glass = find_glass(image)
    assert (glass != inside).mean() < 0.02
    assert not glass[5, 5]


def test_images_without_glass_and_of_glass_only():
    assert not find_glass(np.full((50, 50, 3), (235, 190, 215), np.uint8)).any()
    assert find_glass(np.full((50, 50, 3), 244, np.uint8)).all()
    assert not find_glass(np.zeros((120, 120, 3), np.uint8)).any()


def test_a_small_patch_has_glass_between_thin_walls():
    """Fat cells of a patch with 50 pixels: each is a few pixels across, so that no window without a wall exists."""
    image = np.full((50, 50, 3), (240, 238, 242), np.uint8)
    for row in (0, 1):
        image[row::8] = image[:, row::8] = (190, 120, 170)
    glass = find_glass(image)
    assert glass[4:48:8, 4:48:8].all()
    assert glass[::8].mean() < 0.1


@pytest.mark.real
def test_real_lumina_are_glass_and_stroma_is_not(real_data):
    """A duct in greenish light; then an overexposed and a dim image of the palest case."""
    [path] = real_data.glob("BreaKHis_v1/**/SOB_B_A-14-22549AB-100-001.png")
    glass = find_glass(np.asarray(read_image(path)))
    assert glass[322:368, 250:550].mean() > 0.9
    assert glass[:184, 550:].mean() < 0.15
    [path] = real_data.glob("BreaKHis_200X_224/**/SOB_B_TA-14-13200-200-011.png")
    glass = find_glass(np.asarray(read_image(path)))
    assert glass[135:185, 90:94].mean() > 0.9
    assert glass.mean() < 0.3
    [path] = real_data.glob("BreaKHis_200X_224/**/SOB_B_TA-14-13200-200-001.png")
    glass = find_glass(np.asarray(read_image(path)))
    assert glass[25:48, 138:158].mean() > 0.9
    assert glass.mean() < 0.05
