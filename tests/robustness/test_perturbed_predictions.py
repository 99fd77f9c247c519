import cv2
import numpy as np
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, ImageError, LeakageError
from breastcls.predictions.predict import predict
from breastcls.robustness.perturbed_predictions import file_names, keep_image, predict_perturbed, seeded_generator
from breastcls.stain.fitting import fit_normalizer


def darken(image, row):
    return (image * 0.7).astype(np.uint8)


@pytest.mark.parametrize("batch_size", [5, 32])
def test_without_alteration_it_is_predict(pictures, colour_model, batch_size):
    model = colour_model(threshold=0.4, resize="crop")
    plain = predict(model, pictures, batch_size=batch_size)
    changes = [keep_image, darken, keep_image]
    same, darker, again = predict_perturbed(model, pictures, changes, batch_size=batch_size)
    np.testing.assert_array_equal(same.probabilities, plain.probabilities)
    np.testing.assert_array_equal(again.probabilities, plain.probabilities)
    assert same.threshold == 0.4
    assert same.paths.tolist() == plain.paths.tolist()
    assert (darker.positive > plain.positive).mean() > 0.9


def test_the_alteration_is_of_the_file(pictures, colour_model, tmp_path):
    """The same as predicting files into which the perturbed images were written."""
    model = colour_model()
    rows = []

    def alter(image, row):
        rows.append((row, image.shape))
        return darken(image, row)

    (found,) = predict_perturbed(model, pictures, [alter], batch_size=7)
    assert sorted(rows) == [(row, (24, 30, 3)) for row in range(len(pictures))]
    paths = []
    for path in pictures.paths:
        paths.append(str(tmp_path / path.rsplit("/", 1)[-1]))
        cv2.imwrite(paths[-1], darken(cv2.imread(path), 0))
    written = Dataset(pictures.table.assign(path=paths), pictures.classes)
    np.testing.assert_array_equal(found.probabilities, predict(model, written, batch_size=7).probabilities)


def test_stain_and_calibration_of_the_card_come_after(pictures, colour_model):
    model = colour_model(temperature=2.0, stain=fit_normalizer(pictures, "reinhard", max_images=4).to_dict())
    (same,) = predict_perturbed(model, pictures, [keep_image])
    np.testing.assert_array_equal(same.probabilities, predict(model, pictures).probabilities)
    (darker,) = predict_perturbed(model, pictures, [darken])
    # Reinhard's method brings the brightness back, so that darkening before it hardly shows.
    plain, dark = predict_perturbed(colour_model(temperature=2.0), pictures, [keep_image, darken])
    assert np.abs(darker.positive - same.positive).mean() < 0.5 * np.abs(dark.positive - plain.positive).mean()


def test_memory_holds_one_batch(pictures, colour_model):
    alive, most = set(), []

    def watch(image, row):
        alive.add(row)
        most.append(len(alive))
        if row % 4 == 3:
            alive.clear()
        return image

    predict_perturbed(colour_model(), pictures, [watch], batch_size=4)
    assert max(most) <= 4


def test_a_model_trained_on_these_cases_is_refused(pictures, colour_model):
    model = colour_model(provenance={"training": {"cases": ["case 3"], "slides": []}})
    with pytest.raises(LeakageError, match="case 3"):
        predict_perturbed(model, pictures, [keep_image])
    assert len(predict_perturbed(model, pictures, [keep_image], allow_leakage=True)) == 1


def test_what_does_not_fit(pictures, colour_model):
    with pytest.raises(EvaluationError, match="batch_size is 0"):
        predict_perturbed(colour_model(), pictures, [keep_image], batch_size=0)
    with pytest.raises(EvaluationError, match="classes are"):
        predict_perturbed(
            colour_model(), pictures.with_classes(("m", "b"), {"malignant": "m", "benign": "b"}), [keep_image]
        )

    def fail(image, row):
        raise ImageError("not this one")

    with pytest.raises(ImageError, match="not this one"):
        predict_perturbed(colour_model(), pictures, [fail])


def test_random_numbers_depend_on_name_and_seed(pictures):
    draws = {(name, seed): seeded_generator(name, seed).random() for name in ("a", "b") for seed in (0, 1)}
    assert len(set(draws.values())) == 4
    assert seeded_generator("a", 0).random() == draws["a", 0]
    assert file_names(pictures)[:2] == ["0-0.png", "0-1.png"]
