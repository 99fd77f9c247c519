import io
import pathlib
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from breastcls.errors import DatasetWarning, EvaluationError
from breastcls.predictions.given_images import open_given
from support.image_fixtures import draw


@pytest.fixture
def files(make_folder):
    return make_folder(3)


def names(values):
    return [image.name for image in open_given(values)]


def test_every_form_gives_the_same_pixels(files):
    expected = [draw(number) for number in range(3)]
    forms = {
        "paths": files,
        "path objects": tuple(map(pathlib.Path, files)),
        "a Series": pd.Series(files),
        "an array of paths": np.array(files),
        "an array of objects": np.array(files, dtype=object),
        "bytes": [pathlib.Path(path).read_bytes() for path in files],
        "buffers": [bytearray(pathlib.Path(path).read_bytes()) for path in files],
        "open files": [io.BytesIO(pathlib.Path(path).read_bytes()) for path in files],
        "Pillow": [Image.open(path) for path in files],
        "arrays": expected,
        "one array": np.stack(expected),
        "a generator of batches": (part for part in (np.stack(expected[:2]), expected[2])),
        "a mixture": [files[0], [expected[1]], iter([Image.open(files[2])])],
        "a folder": str(pathlib.Path(files[0]).parent),
        "a folder in a list": [pathlib.Path(files[0]).parent],
    }
    for form, values in forms.items():
        found = [image.read() for image in open_given(values)]
        assert len(found) == 3, form
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=form)
    for form, value in [("path", files[0]), ("bytes", pathlib.Path(files[0]).read_bytes()), ("array", expected[0])]:
        given = open_given(value)
        assert given.count == 1, form
        np.testing.assert_array_equal(next(iter(given)).read(), expected[0])


def test_what_is_known_before_the_first_image_is_read(files):
    assert open_given(files).count == 3
    assert open_given(iter(files)).count is None
    assert open_given([np.zeros((2, 4, 4, 3), np.uint8)]).count is None
    assert open_given(pathlib.Path(files[0]).parent).root == str(pathlib.Path(files[0]).parent)
    assert names([b"x", np.zeros((4, 4, 3), np.uint8)]) == ["image 0 (bytes)", "image 1 (array)"]


def test_a_generator_is_consumed_lazily():
    taken = []

    def images():
        for number in range(100):
            taken.append(number)
            yield np.full((4, 4, 3), number, np.uint8)

    iterator = iter(open_given(images()))
    assert taken == []
    next(iterator)
    assert taken == [0]


def test_a_folder_of_classes_has_images_only_and_names_what_is_ignored(tmp_path, picture):
    for name in ("benign/a.png", "malignant/deep/b.PNG", ".hidden/c.png", "benign/.d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name, "PNG")
    (tmp_path / "notes.txt").write_text("text", encoding="utf-8")
    with pytest.warns(DatasetWarning, match=r"ignored: 1 .*notes\.txt.* 2 hidden files"):
        assert names(tmp_path) == [str(tmp_path / "benign/a.png"), str(tmp_path / "malignant/deep/b.PNG")]
    (tmp_path / "notes.txt").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(names(tmp_path / "malignant")) == 1


def write(folder, name):
    (folder / name).write_bytes(b"content")
    return str(folder / name)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "no" / "x.png", "nearest existing parent"),
        (lambda folder: folder / "*.png", "glob"),
        (lambda folder: "~/no-such-image.png", "expanduser"),
        (lambda folder: "https://example.org/x.png", "not downloaded"),
        (lambda folder: "", "empty"),
        (lambda folder: folder, "no images in the folder"),
        (lambda folder: write(folder, "table.csv"), "load_table"),
        (lambda folder: write(folder, "model.keras"), "first argument"),
        (lambda folder: write(folder, "images.zip"), "unzip"),
        (lambda folder: [], "sequence is empty"),
        (lambda folder: ["a.png", "b\udcff.png"], r"b\\udcff\.png: the name has bytes that are not UTF-8"),
        (lambda folder: None, "type NoneType"),
        (lambda folder: 7, "type int"),
        (lambda folder: {"image": 1}, "type dict"),
        (lambda folder: [None], "Item 0"),
        (lambda folder: pd.DataFrame({"path": ["a.png"]}), "column of files"),
        (lambda folder: io.StringIO("text"), "rb"),
        (lambda folder: [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3))], "Image 1 has the type float64"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, make, words):
    with pytest.raises(EvaluationError, match=words):
        names(make(tmp_path))


def test_tensors_of_tensorflow_are_arrays(picture):
    import tensorflow as tf

    for values in (tf.constant(picture), tf.constant(picture[np.newaxis]), [tf.constant(picture)]):
        np.testing.assert_array_equal(next(iter(open_given(values))).read(), picture)
    batches = tf.data.Dataset.from_tensor_slices(picture[np.newaxis].repeat(3, axis=0)).batch(2)
    assert len(names(batches)) == 3
