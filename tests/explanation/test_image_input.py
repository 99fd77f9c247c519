import cv2
import numpy as np
import pytest
from PIL import Image

from breastcls.datasets.dataset import Dataset
from breastcls.errors import ExplanationError, ImageError
from breastcls.explanation.image_input import open_images

IMAGES = [np.random.default_rng(n).integers(0, 256, (6 + n, 9, 3), dtype=np.uint8) for n in range(3)]


@pytest.fixture
def paths(tmp_path):
    for number, image in enumerate(IMAGES):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image[..., ::-1])
    return [tmp_path / f"{number}.png" for number in range(3)]


def test_arrays_of_different_sizes_and_paths_give_the_same_images(paths):
    for source in (open_images(IMAGES), open_images(paths), open_images(tuple(map(str, paths)))):
        assert len(source) == 3
        for number, image in enumerate(IMAGES):
            np.testing.assert_array_equal(source.read(number), image)


def test_bytes_images_of_pillow_and_a_folder(paths):
    contents = [path.read_bytes() for path in paths]
    for source in (open_images(contents), open_images(map(Image.open, paths)), open_images([paths[0], *contents[1:]])):
        assert source.paths is None
        for number, image in enumerate(IMAGES):
            np.testing.assert_array_equal(source.read(number), image)
    folder = open_images(paths[0].parent)
    assert folder.relative_paths == ("0.png", "1.png", "2.png")
    np.testing.assert_array_equal(folder.read(2), IMAGES[2])


def test_a_dataset_has_paths_labels_and_classes(paths):
    data = Dataset.from_columns(
        classes=("benign", "malignant"),
        path=[str(path) for path in paths],
        label=["benign", "malignant", "benign"],
        case=["1", "2", "3"],
    )
    source = open_images(data[1:])
    assert source.labels == ("malignant", "benign")
    assert source.classes == ("benign", "malignant")
    assert source.paths == (str(paths[1]), str(paths[2]))
    np.testing.assert_array_equal(source.read(0), IMAGES[1])
    with pytest.raises(ExplanationError, match="no images"):
        open_images(data[:0])


def test_one_image_or_one_path_is_accepted(paths):
    assert len(open_images(IMAGES[0])) == 1
    assert len(open_images(paths[0])) == 1
    assert len(open_images(str(paths[0]))) == 1


def test_arrays_are_copied():
    array = IMAGES[0].copy()
    source = open_images(array)
    array[:] = 0
    np.testing.assert_array_equal(source.read(0), IMAGES[0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images"),
        (np.zeros((0, 4, 4, 3), np.uint8), "is empty"),
        (np.zeros((2, 4, 4, 1), np.uint8), r"the shape \(2, 4, 4, 1\).*one channel"),
        (np.zeros((2, 4, 4, 3), np.float32), "float32 and values from 0 to 0; expected the type uint8"),
        (7, "int; expected a path"),
    ],
)
def test_anything_but_images_is_refused(images, message):
    with pytest.raises(ExplanationError, match=message):
        open_images(images)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png"):
        open_images([tmp_path / "gone.png"]).read(0)
