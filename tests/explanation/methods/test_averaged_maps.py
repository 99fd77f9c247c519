import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.averaged_maps import average_dihedral, join_tiles


def test_a_map_that_turns_with_the_image_stays_as_it_is():
    images = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    seen = []

    def compute(pixels):
        seen.append(pixels)
        return pixels.mean(axis=-1)

    np.testing.assert_allclose(average_dihedral(compute, images), images.mean(axis=-1), rtol=1e-5)
    assert len({pixels.tobytes() for pixels in seen}) == 8
    seen.clear()
    average_dihedral(compute, images[:, :6])
    assert len({pixels.tobytes() for pixels in seen}) == 4


def test_a_map_that_ignores_the_image_becomes_symmetric():
    fixed = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    made = average_dihedral(lambda pixels: fixed, np.zeros((1, 8, 8, 3), np.float32))
    np.testing.assert_allclose(made, np.rot90(made, axes=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(made, made[:, ::-1], rtol=1e-6)
    assert made.mean() == pytest.approx(fixed.mean())


@pytest.mark.parametrize("tiles", [1, 2, 3])
def test_tiles_are_joined_where_they_are(tiles):
    """A map of the mean colour of each 4x4 cell: the joined map is the enlarged image at a higher resolution."""
    ramp = np.linspace(0, 200, 16, dtype=np.float32)
    images = np.repeat((ramp[:, None] + 0.25 * ramp)[None, ..., None], 3, axis=-1)

    def compute(pixels):
        return pixels.mean(axis=-1).reshape(1, 4, 4, 4, 4).mean(axis=(2, 4))

    made = join_tiles(compute, images, tiles)
    assert made.shape == (1, 4 * tiles, 4 * tiles)
    coarse = made.reshape(1, 4, tiles, 4, tiles).mean(axis=(2, 4))
    np.testing.assert_allclose(coarse, compute(images), atol=2.0)
    assert np.all(np.diff(made, axis=1) > 0)


def test_both_are_options_of_class_activation_maps(blue_squares):
    for options in ({"dihedral": True}, {"tiles": 2}, {"dihedral": True, "tiles": 2}):
        made = explain(blue_squares.model, blue_squares.images, "grad-cam", target_class=1, **options)
        for heat, mask in zip(made.heatmaps, blue_squares.masks, strict=True):
            assert heat[mask].mean() > 4 * heat[~mask].mean()
    with pytest.raises(ExplanationError, match="tiles is 0"):
        explain(blue_squares.model, blue_squares.images, "grad-cam", tiles=0)
