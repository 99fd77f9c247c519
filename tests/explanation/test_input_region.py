import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.input_region import InputRegion, find_input_region, place_heatmap
from breastcls.images.resize import resize_image


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(460, 700), (700, 460), (50, 50), (37, 23), (64, 64)])
@pytest.mark.parametrize("image_size", [(64, 64), (48, 80)])
def test_a_heatmap_is_mapped_back_to_the_original_position(resize, size, image_size):
    """The position of a bright spot after resizing is mapped back to the spot."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    # In the middle half, which no resize mode removes.
    y, x = 0.42 * height, 0.55 * width
    spread = 0.08 * min(size)
    spot = 255 * np.exp(-((rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2) / (2 * spread**2))
    image = np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8)
    resized = resize_image(image, image_size, resize=resize)[..., 0].astype(np.float32) / 255
    if resize == "pad":
        # Padding is white; this test has no heat-map there.
        region = find_input_region(size, image_size, "pad")
        assert region.height >= height
        assert region.width >= width
        resized[resized > 0.999] = 0
    placed = np.nan_to_num(place_heatmap(resized, size, resize))
    assert placed.shape == size
    centre = np.array([(placed * (rows + 0.5)).sum(), (placed * (columns + 0.5)).sum()]) / placed.sum()
    pixel = max(height / image_size[0], width / image_size[1])
    np.testing.assert_allclose(centre, [y, x], atol=0.35 * pixel + 0.2)


def test_pixels_outside_of_the_crop_are_nan():
    placed = place_heatmap(np.ones((8, 8), np.float32), (10, 30), "crop")
    np.testing.assert_array_equal(np.isnan(placed).any(axis=0), [True] * 10 + [False] * 10 + [True] * 10)
    np.testing.assert_allclose(placed[:, 10:20], 1)


def test_with_padding_no_pixel_is_nan():
    heatmap = np.zeros((10, 10), np.float32)
    heatmap[:, 4:6] = 1
    placed = place_heatmap(heatmap, (40, 20), "pad")
    assert not np.isnan(placed).any()
    # The image has 5 of 10 columns, from the second on.
    assert placed[20].argmax() in range(8, 16)


def test_an_unknown_resize_mode_is_refused():
    with pytest.raises(ExplanationError, match="'stretch', 'crop' or 'pad'"):
        find_input_region((4, 6), (2, 2), "squeeze")


def test_regions_are_in_pixels_of_the_image():
    assert find_input_region((460, 700), (224, 224), "stretch") == InputRegion(0.0, 0.0, 460.0, 700.0)
    assert find_input_region((460, 700), (224, 112), "crop") == InputRegion(0.0, 235.0, 460.0, 230.0)
    assert find_input_region((40, 20), (10, 10), "pad") == InputRegion(0.0, -8.0, 40.0, 40.0)
