import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.input_region import Frame, find_input_region, place_heatmap
from breastcls.images.resize import resize_image


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(460, 700), (700, 460), (50, 50), (37, 23), (64, 64)])
@pytest.mark.parametrize("image_size", [(64, 64), (48, 80)])
def test_a_heatmap_comes_back_to_where_the_picture_was(resize, size, image_size):
    """A bright spot goes through the real resizing and its place in the result is mapped back to the spot."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    # In the middle half, which no way of resizing cuts off.
    y, x = 0.42 * height, 0.55 * width
    spread = 0.08 * min(size)
    spot = 255 * np.exp(-((rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2) / (2 * spread**2))
    picture = np.repeat(spot[..., None], 3, axis=2).round().astype(np.uint8)
    seen = resize_image(picture, image_size, resize=resize)[..., 0].astype(np.float32) / 255
    if resize == "pad":
        # Filled with white; a heat-map there is possible, but not in this test.
        frame = find_input_region(size, image_size, "pad")
        assert frame.height >= height
        assert frame.width >= width
        seen[seen > 0.999] = 0
    placed = np.nan_to_num(place_heatmap(seen, size, resize))
    assert placed.shape == size
    centre = np.array([(placed * (rows + 0.5)).sum(), (placed * (columns + 0.5)).sum()]) / placed.sum()
    pixel = max(height / image_size[0], width / image_size[1])
    np.testing.assert_allclose(centre, [y, x], atol=0.35 * pixel + 0.2)


def test_what_was_cropped_away_is_unknown():
    placed = place_heatmap(np.ones((8, 8), np.float32), (10, 30), "crop")
    np.testing.assert_array_equal(np.isnan(placed).any(axis=0), [True] * 10 + [False] * 10 + [True] * 10)
    np.testing.assert_allclose(placed[:, 10:20], 1)


def test_padding_leaves_nothing_unknown():
    heatmap = np.zeros((10, 10), np.float32)
    heatmap[:, 4:6] = 1
    placed = place_heatmap(heatmap, (40, 20), "pad")
    assert not np.isnan(placed).any()
    # The picture took up 5 of 10 columns, from the second on.
    assert placed[20].argmax() in range(8, 16)


def test_an_unknown_way_is_refused():
    with pytest.raises(ExplanationError, match="'stretch', 'crop' or 'pad'"):
        find_input_region((4, 6), (2, 2), "squeeze")


def test_frames_are_in_pixels_of_the_image():
    assert find_input_region((460, 700), (224, 224), "stretch") == Frame(0.0, 0.0, 460.0, 700.0)
    assert find_input_region((460, 700), (224, 112), "crop") == Frame(0.0, 235.0, 460.0, 230.0)
    assert find_input_region((40, 20), (10, 10), "pad") == Frame(0.0, -8.0, 40.0, 40.0)
