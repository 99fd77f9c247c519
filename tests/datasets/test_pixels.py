import cv2
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import DatasetError, OutputError


@pytest.fixture
def data(flat):
    return bc.load_breakhis(flat)


def test_all_roads_give_the_same_pixels(data):
    images, labels = data.to_numpy(8)
    assert images.shape == (24, 8, 8, 3)
    assert images.dtype == np.uint8
    by_tf = [(x.numpy(), y.numpy()) for x, y in data.to_tf(8, batch_size=10)]
    batches = data.to_keras(8, batch_size=10)
    by_keras = [batches[number] for number in range(len(batches))]
    for road in (by_tf, by_keras):
        np.testing.assert_array_equal(np.concatenate([x for x, _ in road]), images)
        np.testing.assert_array_equal(np.concatenate([y for _, y in road]), labels)


def test_what_the_dataset_knows_need_not_be_said(data):
    labels = np.concatenate([y.numpy() for _, y in data[:18].to_tf(8, sampling="class-balanced", seed=1)])
    assert abs(int((labels == 0).sum()) - int((labels == 1).sum())) <= 1
    rows = np.concatenate([b[-1].numpy() for b in data.to_tf(8, sampling="case-balanced", seed=1, with_rows=True)])
    drawn = np.unique(data.cases[rows].astype(str), return_counts=True)[1]
    assert drawn.max() - drawn.min() <= 1
    _, mixed = next(iter(data.to_tf(8, augment="mixup", shuffle=True, seed=1)))
    assert mixed.shape == (24, 2)


def test_a_contact_sheet(data, tmp_path):
    path = bc.datasets.preview(data, "dihedral", tmp_path / "sheet.png", image_size=(20, 30), images=3, columns=4)
    sheet = cv2.imread(str(path))
    assert sheet.shape[0] >= 60
    assert sheet.shape[1] >= 150
    again = bc.datasets.preview(data, "dihedral", tmp_path / "again.png", image_size=(20, 30), images=3, columns=4)
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(DatasetError, match="1 to 64"):
        bc.datasets.preview(data, "dihedral", path, images=0)
    with pytest.raises(OutputError, match="PNG"):
        bc.datasets.preview(data, "dihedral", tmp_path / "sheet.jpg")
