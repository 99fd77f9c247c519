import base64
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from breastcls.errors import EvaluationError
from breastcls.evaluation.report.shown_images import (
    check_thumbnails,
    encode_picture,
    find_correct,
    find_mistakes,
    show_images,
)
from breastcls.predictions.predictions import Predictions


def predictions(**changes):
    fields = {
        "probabilities": [0.9, 0.2, 0.6, 0.55, 0.05],
        "labels": [0, 0, 0, 1, 1],
        "classes": ("benign", "malignant"),
        "cases": list("abcde"),
    }
    return Predictions.from_arrays(**(fields | changes))


def mistakes(some, count):
    return show_images(some, find_mistakes(some)[:count].tolist(), {}, count)


def test_the_most_certain_mistakes_come_first():
    assert find_mistakes(predictions()).tolist() == [4, 0, 2]


def test_the_threshold_decides_what_a_mistake_is():
    assert find_mistakes(predictions(threshold=0.95)).tolist() == [4, 3]


def test_an_image_without_a_label_is_no_mistake():
    assert find_mistakes(predictions(labels=[-1, 0, 0, 1, 1])).tolist() == [4, 2]


def test_mistakes_are_spread_over_the_cases():
    """First the best of each case, the most confident case first; within a case the more confident first."""
    some = predictions(
        probabilities=[0.99, 0.98, 0.97, 0.9, 0.6, 0.8], labels=[0] * 6, cases=list("aaabbc"), classes=("no", "yes")
    )
    assert find_mistakes(some).tolist() == [0, 3, 5, 1, 4, 2]
    assert find_mistakes(dataclasses.replace(some, cases=None)).tolist() == [0, 1, 2, 3, 5, 4]


def test_correct_images_are_spread_over_classes_and_cases():
    some = predictions(
        probabilities=[0.01, 0.02, 0.03, 0.9, 0.95, 0.8, 0.9],
        labels=[0, 0, 0, 1, 1, 1, 0],
        cases=list("aabccda"),
    )
    assert find_correct(some).tolist() == [0, 4, 2, 5, 1, 3]


def test_a_mistake_holds_classes_probabilities_and_origin(tissue):
    shown = mistakes(predictions(paths=tissue[:49:12], slides=["s1", "", "s3", "", "e"]), 2)
    first, second = shown
    assert (first.true, first.predicted) == ("malignant", "benign")
    assert (first.probability, first.true_probability) == pytest.approx((0.95, 0.05))
    assert first.origin == "case e, slide e" or first.origin == "case e"
    assert second.origin == "case a, slide s1"
    assert first.file_name == Path(tissue[48]).name
    assert first.problem == ""


def test_a_picture_is_the_one_of_its_file(tissue):
    picture = mistakes(predictions(paths=tissue[:49:12]), 1)[0].picture
    kind, data = picture.address.split(",")
    assert kind == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (picture.height, picture.width, 3) == (46, 70, 3)
    original = cv2.imread(tissue[48])
    assert np.abs(decoded.astype(int) - original).mean() < 12


def test_a_large_picture_is_made_small_and_keeps_its_shape():
    picture = encode_picture(np.full((460, 700, 3), (255, 0, 0), np.uint8), 100_000)
    assert (picture.height, picture.width) == (237, 360)


def test_a_picture_keeps_to_its_share_of_bytes():
    noise = np.random.default_rng(0).integers(0, 256, (460, 700, 3), dtype=np.uint8)
    assert len(encode_picture(noise, 15_000).address) <= 15_000


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("gone.png", None, "no longer exists"),
        ("text.png", b"not an image", "cannot be read as an image"),
        ("empty.png", b"", "cannot be read as an image"),
    ],
)
def test_a_file_without_a_picture_is_named_with_the_reason(tmp_path, name, content, problem):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    (mistake,) = mistakes(predictions(paths=[*"1234", str(path)]), 1)
    assert mistake.picture is None
    assert problem in mistake.problem
    assert str(tmp_path) not in mistake.problem


def test_predictions_without_paths_say_so():
    (mistake,) = mistakes(predictions(), 1)
    assert "not known" in mistake.problem


@pytest.mark.parametrize("count", [-1, 101])
def test_a_senseless_count_is_refused(count):
    with pytest.raises(EvaluationError, match="expected a whole number from 0 to 100"):
        check_thumbnails(count)
