import cv2
import pytest

import breastcls as bc
from breastcls.errors import DatasetError, OutputError


@pytest.fixture
def data(flat):
    return bc.load_breakhis(flat)


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
