"""What a path with images is recognised as."""

import cv2
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import LayoutError


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    return folder


@pytest.mark.parametrize(
    ("names", "expected", "reason"),
    [
        (["a/SOB_B_TA-14-22549AB-40-001.png", "b/x.png"], "breakhis", "1 of 2 images have such file names"),
        (["8863/0/8863_idx5_x101_y1201_class0.png"], "idc", "1 of 1 image have such file names"),
        (["benign/1.png", "malignant/2.png"], "classes", "2 images in folders class"),
        (["train/benign/1.png", "test/benign/2.png"], "classes", "2 images in folders split/class"),
        (["1.png", "2.jpg"], "images", "2 images, and no folders of classes"),
        (["scans/1.png"], "images", "1 image, and no folders of classes"),
    ],
)
def test_folders(tmp_path, names, expected, reason):
    found = bc.datasets.detect_format(write(tmp_path, *names))
    assert (found.name, found.reason) == (expected, reason)


def test_tables_and_what_is_neither(tmp_path):
    table = tmp_path / "images.CSV"
    table.write_text("path,label\n", encoding="utf-8")
    assert bc.datasets.detect_format(table).name == "table"
    for path, message in (
        (tmp_path / "none.csv", "does not exist"),
        (tmp_path / "none", "does not exist"),
        (tmp_path, "contains no images"),
    ):
        with pytest.raises(LayoutError, match=message):
            bc.datasets.detect_format(path)
