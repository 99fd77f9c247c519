import cv2
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import DatasetError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("masks")
    tree = bc.datasets.make_breakhis(root, images_per_slide=1, magnifications=(200,), image_size=(92, 140), seed=3)
    return bc.load_breakhis(tree, magnification=200)


def test_nuclei_are_darker_and_bluer_than_the_rest(data):
    masks = bc.datasets.make_masks(data, "nuclei", seed=3)
    assert len(masks) == len(data)
    darker = []
    for path, mask in zip(data.paths, masks, strict=True):
        image = cv2.imread(str(path))[..., ::-1].astype(float)
        assert mask.shape == (92, 140)
        assert 0.01 < mask.mean() < 0.7
        darker.append(image[~mask][:, 0].mean() - image[mask][:, 0].mean())
    assert np.median(darker) > 25


def test_carcinomas_have_tumour_and_benign_lesions_glands(data):
    tumour = np.array([mask.mean() for mask in bc.datasets.make_masks(data, "tumour", seed=3)])
    glands = np.array([mask.mean() for mask in bc.datasets.make_masks(data, "glands", seed=3)])
    malignant = (data.table["label"] == "malignant").to_numpy()
    assert tumour[~malignant].max() == 0
    # About one image in eight shows normal tissue.
    assert (tumour[malignant] > 0).mean() > 0.6
    assert glands[~malignant].mean() > 2 * glands[malignant].mean()


def test_a_wrong_seed_a_real_image_and_an_unknown_kind_are_refused(data, tmp_path):
    with pytest.raises(DatasetError, match="seed=4"):
        bc.datasets.make_masks(data[:1], seed=4)
    other = tmp_path / "SOB_B_A-14-22549AB-200-001.png"
    cv2.imwrite(str(other), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DatasetError, match="only synthetic images"):
        bc.datasets.make_masks([other])
    with pytest.raises(DatasetError, match="'nuclei', 'glands', 'tumour'"):
        bc.datasets.make_masks(data[:1], "cells", seed=3)
