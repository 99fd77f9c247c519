"""What a dataset returns of its table, and of its images."""

import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError, RegistryError

WITHOUT = Dataset.from_columns((), path=["b.png", "a.png"])
WITH = Dataset.from_columns(("b", "m"), path=["1.png", "2.png"], label=["m", "b"], case=["x", "y"], slide=["x1", None])


def test_unknown_labels_cases_and_slides_have_substitutes():
    assert WITHOUT.labels.tolist() == [-1, -1]
    assert WITHOUT.cases.tolist() == WITHOUT.slides.tolist() == ["b.png", "a.png"]
    assert WITH.labels.tolist() == [1, 0]
    assert WITH.slides.tolist() == ["x1", "y"]


def test_the_table_is_a_copy():
    table = WITH.table
    table["label"] = "b"
    assert WITH.labels.tolist() == [1, 0]


def test_what_is_required_is_named():
    with pytest.raises(DatasetError, match="Training needs labels, and these 2 images have none"):
        WITHOUT.require_labels("Training")
    with pytest.raises(DatasetError, match="Folds needs the case of each image, and these 2 images have none"):
        WITHOUT.require_cases("Folds")
    WITH.require_labels("Training")
    WITH.require_cases("Folds")


def test_options_of_batches_are_checked_before_an_image_is_read():
    with pytest.raises(DatasetError, match="sampling='case-balanced' needs the case"):
        WITHOUT.to_tf(8, sampling="case-balanced")
    with pytest.raises(RegistryError):
        WITH.to_keras(8, augment="none such")


def test_pixels_and_labels_are_in_the_order_of_the_table(tmp_path, draw):
    paths = [str(draw(tmp_path / name, seed)) for seed, name in enumerate(["b.png", "a.png"])]
    data = Dataset.from_columns(("b", "m"), path=paths, label=["m", "b"], case=["x", "y"])
    images, labels = data.to_numpy((4, 6), cache=False)
    assert images.shape == (2, 4, 6, 3)
    assert labels.tolist() == [1, 0]
    assert (images[1] == data[1].to_numpy((4, 6), cache=False)[0][0]).all()
    ((first, second),) = list(data.to_keras((4, 6), cache_dir=tmp_path / "cache"))
    assert (first == images).all()
    assert second.tolist() == [1, 0]
