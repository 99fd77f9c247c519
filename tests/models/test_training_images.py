import warnings

import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationWarning
from breastcls.images.decode import read_image
from breastcls.models.building import build_model
from breastcls.models.model_card import get_card, set_card
from breastcls.models.training_cases import record_training
from breastcls.models.training_images import ImageKinds, describe_images, find_differences
from breastcls.predictions.predict import predict

BINARY = ("benign", "malignant")


def make_data(paths, **columns):
    return Dataset.from_columns(BINARY, path=paths, label=["benign"] * len(paths), case=["a"] * len(paths), **columns)


def test_the_record_has_sizes_magnifications_and_physical_sizes(make_folder):
    data = make_data(make_folder(3), magnification=[200] * 3, mpp=[0.5, 0.5, None])
    record = describe_images(data).to_record()
    assert record == {
        "shorter_side": [40, 40],
        "aspect": [1.3, 1.3],
        "magnifications": [200],
        "um_per_pixel": [0.5, 0.5],
    }
    assert "magnifications" not in describe_images(make_data(make_folder(2), magnification=[200, None])).to_record()
    named = make_data(["SOB_B_A-14-22549AB-100-001.png", "absent.png"])
    assert describe_images(named) == ImageKinds((), (100, 0), ())


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (ImageKinds(sides=((450, 690),), magnifications=(200, 0), scales=(0.45,)), []),
        (ImageKinds(sides=((300, 460),)), ["shorter side of 300 pixels (in training 456 to 460)"]),
        (ImageKinds(sides=((2000, 3040),)), ["shorter side of 2000 pixels"]),
        (ImageKinds(sides=((460, 460), (460, 700))), ["1 image has an aspect ratio of 1 (in training"]),
        (ImageKinds(magnifications=(400, 40, 400)), ["3 images have the magnification 40, 400 (in training 200)"]),
        (ImageKinds(scales=(0.25, 0.5, 1.0)), ["2 images have 0.25 to 1 micrometres per pixel (in training 0.5)"]),
    ],
)
def test_what_differs_from_training(images, words):
    record = ImageKinds(((456, 700), (460, 700)), (200, 200), (0.5,)).to_record()
    found = find_differences(record, images)
    assert len(found) == len(words)
    for phrase, expected in zip(found, words, strict=True):
        assert expected in phrase
    assert find_differences(None, images) == find_differences({"shorter_side": "x", "aspect": [1]}, images) == []


def test_predict_warns_of_images_that_differ(make_folder):
    model = build_model("cnn4", classes=BINARY, image_size=16, seed=7)
    train = make_data(make_folder(3), magnification=[200] * 3)
    set_card(model, record_training(get_card(model), {}, train))
    small = make_folder(2, 20, 26, "small")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict(model, train)
        predict(model, train.paths)
        predict(model, np.zeros((1, 16, 16, 3), np.uint8))
    for images in (small, make_data(small), [read_image(path) for path in small]):
        with pytest.warns(EvaluationWarning, match=r"2 images have a shorter side of 20 pixels \(in training 40\)"):
            predict(model, images)
    with pytest.warns(EvaluationWarning, match="3 images have the magnification 40"):
        predict(model, make_data(train.paths, magnification=[40] * 3))
