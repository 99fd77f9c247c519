import numpy as np
import pytest

from breastcls.datasets.synthetic.whole_mount import PATCH, generate_mosaic


@pytest.mark.parametrize("patches", [2, 3, 17, 60])
def test_any_number_of_patches_has_both_classes(patches: int) -> None:
    mosaic = generate_mosaic(patches, np.random.SeedSequence(patches))
    assert len({tuple(cell) for cell in mosaic.cells}) == patches
    assert mosaic.cells.min(axis=0).tolist() == [0, 0]
    assert mosaic.image.shape == (*(mosaic.cells.max(axis=0) + 1) * PATCH, 3)
    assert 0 < mosaic.positive.sum() < patches


def test_a_seed_can_be_used_twice() -> None:
    seed = np.random.SeedSequence(3)
    np.testing.assert_array_equal(generate_mosaic(4, seed).image, generate_mosaic(4, seed).image)


def test_tumour_is_denser_in_nuclei() -> None:
    darker = []
    for number in range(4):
        mosaic = generate_mosaic(30, np.random.SeedSequence(number))
        red = [mosaic.image[y * PATCH :, x * PATCH :][:PATCH, :PATCH, 0].mean() for y, x in mosaic.cells]
        darker.append(np.mean(np.array(red)[~mosaic.positive]) - np.mean(np.array(red)[mosaic.positive]))
    assert min(darker) > 0
