import itertools

import numpy as np
import pytest

from breastcls.errors import EvaluationError
from breastcls.predictions.test_time_augmentation import list_transforms, transform_batches, transform_images

SQUARE = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3), dtype=np.uint8)
OBLONG = np.random.default_rng(1).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)


def test_a_square_has_the_eight_views_of_the_dihedral_group():
    found = {transform_images(SQUARE, view).tobytes() for view in list_transforms("dihedral", (5, 5))}
    expected = set()
    for turns, flips in itertools.product(range(4), ((), (1,), (2,), (1, 2))):
        seen = np.stack([np.rot90(image, turns) for image in SQUARE])
        for axis in flips:
            seen = np.flip(seen, axis)
        expected.add(np.ascontiguousarray(seen).tobytes())
    assert len(expected) == 8
    assert found == expected


def test_what_is_not_square_has_the_four_that_keep_its_shape():
    views = list_transforms("dihedral", (4, 6))
    found = {transform_images(OBLONG, view).tobytes() for view in views}
    flipped = (OBLONG, OBLONG[:, ::-1], OBLONG[:, :, ::-1], OBLONG[:, ::-1, ::-1])
    assert found == {np.ascontiguousarray(seen).tobytes() for seen in flipped}
    assert all(transform_images(OBLONG, view).shape == OBLONG.shape for view in views)


def test_the_first_view_is_the_image_itself():
    for tta, size in (("dihedral", (5, 5)), ("dihedral", (4, 6)), (None, (5, 5))):
        np.testing.assert_array_equal(transform_images(SQUARE, list_transforms(tta, size)[0]), SQUARE)


def test_all_views_of_a_batch_come_before_the_next_batch():
    views = list_transforms("dihedral", (5, 5))
    seen = list(transform_batches([SQUARE[:1], SQUARE[1:]], views))
    assert len(seen) == 16
    np.testing.assert_array_equal(seen[0], SQUARE[:1])
    np.testing.assert_array_equal(seen[8], SQUARE[1:])
    alone = list(transform_batches([SQUARE], list_transforms(None, (5, 5))))
    assert len(alone) == 1
    assert alone[0] is SQUARE


@pytest.mark.parametrize("tta", ["flip", True, 8, ""])
def test_what_is_not_known_is_refused(tta):
    with pytest.raises(EvaluationError, match="expected one of None, 'dihedral'"):
        list_transforms(tta, (5, 5))
