import cv2
import numpy as np
import pytest

from breastcls.explanation.evidence_scale import evidence_opacity, find_glass, share_on_glass
from breastcls.images.decode import read_image


def test_opacity_is_proportional_to_the_share_up_to_one_half():
    assert [evidence_opacity(share) for share in (0.0, 0.1, 0.5, 1.0)] == [0.0, 0.2, 1.0, 1.0]


@pytest.mark.parametrize("light", [(255, 255, 255), (222, 232, 226), (250, 224, 222)], ids=["white", "grey", "warm"])
def test_a_lumen_is_glass_and_pale_stroma_is_not(light):
    """Also where the lamp is dim or tinted; a speck is neither."""
    generator = np.random.default_rng(0)
    stroma = np.array(light) * (0.92, 0.74, 0.86)
    image = np.tile(stroma, (120, 160, 1))
    inside = cv2.circle(np.zeros((120, 160), np.uint8), (80, 60), 30, 1, -1).astype(bool)
    image[inside] = light
    image[5, 5] = light
    image = np.clip(image + generator.normal(0, 2, image.shape), 0, 255).round().astype(np.uint8)
    glass = find_glass(image)
    assert (glass != inside).mean() < 0.01
    assert not glass[5, 5]


def test_images_without_glass_and_of_glass_only():
    assert not find_glass(np.full((50, 50, 3), (235, 190, 215), np.uint8)).any()
    assert find_glass(np.full((50, 50, 3), 244, np.uint8)).all()


@pytest.mark.real
def test_a_real_duct_is_recognised(real_data):
    """A breast duct of a slide with greenish light: its lumen is glass, its epithelium and the stroma are not."""
    [path] = real_data.glob("BreaKHis_v1/**/SOB_B_A-14-22549AB-100-001.png")
    glass = find_glass(np.asarray(read_image(path)))
    assert glass[322:368, 250:550].mean() > 0.9
    assert glass[:184, 550:].mean() < 0.15


def test_the_share_on_glass_ignores_what_is_outside_of_the_input():
    heat = np.array([[np.nan, 3.0], [np.nan, 1.0]], np.float32)
    assert share_on_glass(heat, np.array([[True, False], [False, True]])) == pytest.approx(0.25)
    assert share_on_glass(np.zeros((2, 2), np.float32), np.ones((2, 2), bool)) == 0.0
