import json
import warnings

import numpy as np
import pytest
from PIL import Image

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError, EvaluationError, EvaluationWarning, LeakageError
from breastcls.images.decode import read_image
from breastcls.models.building import build_model
from breastcls.models.card_ood import ColourLimit, find_colour_limit, measure_colours
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.predictions.independence import check_independence
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.streamed_output import predict_to_file
from breastcls.uncertainty.stored_ood_limit import fit_ood_limit, store_ood_limit

BINARY = ("benign", "malignant")


def write(folder, name, cases, tint, seed):
    """Write two images per case, of colours that vary around a tint, more between cases than within them."""
    generator = np.random.default_rng(seed)
    paths, names = [], []
    (folder / name).mkdir()
    for case in range(cases):
        shift = generator.normal(0, 8, 3)
        for number in range(2):
            pixels = np.array(tint) + shift + generator.normal(0, 3, 3) + generator.normal(0, 15, (16, 16, 3))
            paths.append(str(folder / name / f"{case}-{number}.png"))
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(paths[-1])
            names.append(f"{name}-{case}")
    return Dataset.from_columns(BINARY, path=paths, label=[BINARY[n % 2] for n in range(2 * cases)], case=names)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colours")
    pink, blue = (200, 140, 180), (110, 120, 200)
    tints = {"train": (20, pink), "val": (30, pink), "test": (60, pink), "ood": (10, blue)}
    return {name: write(folder, name, *known, seed) for seed, (name, known) in enumerate(tints.items())}


@pytest.fixture
def model():
    return build_model("cnn4", classes=BINARY, image_size=16, seed=7)


def test_new_cases_are_accepted_and_other_colours_are_flagged_in_every_form(data, model, tmp_path):
    assert predict(model, data["test"]).ood is None
    limit = fit_ood_limit(model, data["train"], data["val"], accepted=0.8)
    store_ood_limit(model, limit)
    found = predict(model, data["test"], batch_size=7)
    assert 0.7 < 1 - found.ood.mean() < 0.95
    assert predict(model, data["ood"]).ood.all()
    assert "out-of-distribution" in str(found).splitlines()[2]
    np.testing.assert_array_equal(predict(model, data["test"].paths).ood, found.ood)
    array = np.stack([read_image(path) for path in data["test"].paths])
    np.testing.assert_array_equal(predict(model, array, tta="dihedral").ood, found.ood)
    predict_to_file(model, data["test"], tmp_path / "out.csv", batch_size=7)
    found.to_csv(tmp_path / "expected.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == (tmp_path / "expected.csv").read_text(encoding="utf-8")
    assert Predictions.from_csv(tmp_path / "out.csv").columns is None


def test_the_distance_is_that_of_the_covariance():
    generator = np.random.default_rng(0)
    colours = generator.normal(100, 5, (9, 6)) @ generator.normal(0, 1, (6, 6))
    covariance = np.cov(generator.normal(0, 1, (6, 50)))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))
    expected = [(one - 100) @ np.linalg.inv(covariance) @ (one - 100) for one in colours]
    np.testing.assert_allclose(ColourLimit(np.full(6, 100.0), whitening, None).distances(colours), expected)
    images = generator.integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    expected = np.concatenate([images.mean(axis=(1, 2)), images.std(axis=(1, 2))], axis=1)
    np.testing.assert_allclose(measure_colours(images), expected)


def test_it_is_kept_in_the_card_with_its_cases(data, model):
    limit = fit_ood_limit(model, data["train"], data["val"])
    store_ood_limit(model, limit)
    card = ModelCard.from_json(get_card(model).to_json())
    np.testing.assert_array_equal(find_colour_limit(card).whitening, limit.colours.whitening)
    assert len(json.dumps(limit.to_dict())) < 3000
    report = check_independence(predict(model, data["val"]), None, None, card.provenance)
    assert report.shared_cases == tuple(sorted(set(data["val"].cases)))
    assert "accepting 90%; fitted on 60 images of 30 cases" in str(limit)
    store_ood_limit(model, None)
    assert predict(model, data["ood"]).ood is None
    set_card(model, get_card(model).replace(provenance={"ood": {"mean": [1, 2], "whitening": None}}))
    assert predict(model, data["ood"]).ood is None


def test_too_few_cases_and_what_cannot_be_fitted(data, model):
    with pytest.warns(EvaluationWarning, match="from 9 cases on"):
        limit = fit_ood_limit(model, data["train"], data["val"][:8])
    assert "no image is flagged or accepted; fitted on 8 images of 4 cases" in str(limit)
    assert "accepting" not in str(limit)
    store_ood_limit(model, limit)
    # Flags that are False everywhere would look as if the images had been accepted.
    assert predict(model, data["ood"]).ood is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for arguments, error, words in [
            ((data["train"], data["train"]), LeakageError, "share 20 cases"),
            ((data["train"].paths, data["val"]), DatasetError, "train must be a Dataset"),
        ]:
            with pytest.raises(error, match=words):
                fit_ood_limit(model, *arguments)
        with pytest.raises(EvaluationError, match="fraction"):
            fit_ood_limit(model, data["train"], data["val"], accepted=1.0)
