import warnings

import numpy as np
import pytest

from breastcls.errors import DatasetWarning, EvaluationError, ImageError
from breastcls.images.image_source import ReadSettings
from breastcls.predictions.given_images import open_given
from breastcls.predictions.image_stream import ImageStream
from support.image_fixtures import draw


def stream(values, **options):
    return ImageStream(open_given(values), ReadSettings((8, 8)), 2, **options)


def test_images_that_are_skipped_leave_no_gap(make_folder, tmp_path):
    files = make_folder(5)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    mixed = [str(broken), *files[:3], str(tmp_path / "absent.png"), *files[3:]]
    found = stream(mixed, on_error="skip")
    with pytest.warns(DatasetWarning, match="2 images of 7 cannot be read and were left out"):
        batches = list(found)
    for one, other in zip(batches, stream(files), strict=True):
        np.testing.assert_array_equal(one, other)
    assert found.paths == files
    assert found.positions == [1, 2, 3, 5, 6]
    table = found.skipped_table()
    assert table["path"].tolist() == [str(broken), str(tmp_path / "absent.png")]
    assert table["reason"].str.split(" ").str[:3].str.join(" ").tolist() == ["the file is", "the file does"]


def test_one_error_names_all_broken_files(make_folder, tmp_path):
    files = make_folder(4)
    absent = [str(tmp_path / f"absent-{number}.png") for number in range(12)]
    with pytest.raises(ImageError) as caught:
        list(stream([*absent[:1], *files, *absent[1:]]))
    message = str(caught.value)
    assert message.startswith("12 images cannot be read:\n")
    assert message.count("absent-") == 10
    assert "and 2 more" in message


def test_an_iterator_is_not_read_to_its_end_after_an_error():
    taken = []

    def images():
        for number in range(1000):
            taken.append(number)
            yield b"" if number == 3 else draw(number, 8, 8)

    with pytest.raises(ImageError, match=r"image 3 \(bytes\): the file is empty"):
        list(stream(images()))
    assert len(taken) < 50


def test_no_image_at_all():
    with pytest.raises(EvaluationError, match="nothing to predict"):
        list(stream(iter([])))
    with pytest.raises(EvaluationError, match=r"No image is left.*2 images cannot be read"):
        list(stream([b"", b"x"], on_error="skip"))


def test_nothing_is_reported_where_all_is_well(picture):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = stream([picture] * 3)
        assert [len(batch) for batch in found] == [2, 1]
    assert found.skipped_table() is None
