"""The contact sheet shows each image unchanged, then augmented."""

import numpy as np
import pytest

from breastcls.augmentation.contact_sheet import augment_images, draw_contact_sheet, save_contact_sheet
from breastcls.errors import OutputError
from breastcls.images.decode import read_image

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 3), dtype=np.uint8)


def test_sheet():
    sheet = draw_contact_sheet(IMAGES, "dihedral", columns=3)
    assert sheet.shape == (2 * 12 + 4, 4 * 10 + 3 * 4, 3)
    np.testing.assert_array_equal(sheet[:12, :10], IMAGES[0])
    np.testing.assert_array_equal(sheet[16:, :10], IMAGES[1])
    assert (sheet[12:16] == 255).all()
    assert (sheet[:12, 14:24] != sheet[:12, 28:38]).any() or (sheet[:12, 28:38] != sheet[:12, 42:52]).any()


def test_saved_file(tmp_path):
    path = save_contact_sheet(IMAGES, "standard", tmp_path / "sheet.png", seed=3)
    np.testing.assert_array_equal(read_image(path), draw_contact_sheet(IMAGES, "standard", seed=3))


def test_seed():
    np.testing.assert_array_equal(
        augment_images(IMAGES, "standard", seed=1), augment_images(IMAGES, "standard", seed=1)
    )
    assert (augment_images(IMAGES, "standard", seed=1) != augment_images(IMAGES, "standard", seed=2)).any()


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="1 to 64 images"):
        draw_contact_sheet(IMAGES[:0], "none")
    with pytest.raises(OutputError, match=r"\.png"):
        save_contact_sheet(IMAGES, "none", tmp_path / "sheet.pdf")
