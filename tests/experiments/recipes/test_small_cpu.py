import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

import breastcls as bc
from breastcls.errors import LeakageError, TrainingError
from breastcls.experiments.recipes.small_cpu import PENALTY, SMALL_CPU, train_small_cpu
from breastcls.models import inference
from breastcls.models.backbones.stain_texture import build_stain_texture
from breastcls.models.inference import run_batches
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import split_model

FILE = "mobilenet_2_5_224_tf_no_top.h5"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = bc.datasets.make_breakhis(
        tmp_path_factory.mktemp("small-cpu"), slides_per_subtype=2, magnifications=(200,), image_size=(64, 96), seed=1
    )
    return bc.load_breakhis(root)


@pytest.fixture(scope="module")
def model(data):
    return train_small_cpu(data, weights=None, image_size=64, batch_size=8)


def test_the_layer_is_the_logistic_regression_of_scikit_learn(model, data):
    features, _ = split_model(model)
    images, labels = data.to_numpy(64)
    described = features.predict(images.astype("float32"), verbose=0).astype(np.float64)
    scaled = StandardScaler().fit(described)
    reference = LogisticRegression(C=PENALTY, class_weight="balanced", tol=1e-9, max_iter=5000)
    expected = reference.fit(scaled.transform(described), labels).predict_proba(scaled.transform(described))
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=2e-3)


def test_the_card_lists_the_training_cases(model, data):
    training = get_card(model).provenance["training"]
    assert training["cases"] == sorted(set(data.cases))
    assert training["slides"] == sorted(set(data.slides))
    assert training["fit"]["c"] == PENALTY
    assert training["data"]["train"]["images"] == len(data)
    assert get_card(model).resize == "stretch"


def test_a_leak_into_it_is_found_after_saving(model, data, tmp_path):
    path = bc.save_model(model, tmp_path / "small.keras")
    with pytest.raises(LeakageError, match="case"):
        bc.evaluate(path, data)


def test_it_repeats_bit_for_bit(model, data):
    again = train_small_cpu(data, weights=None, image_size=64, batch_size=8)
    for first, second in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_more_than_two_classes(data):
    names = tuple(sorted(set(data.table["subtype"])))
    model = train_small_cpu(data.with_classes(names, "subtype"), weights=None, image_size=32)
    assert model.output_shape == (None, len(names))


@pytest.mark.parametrize("c", [0, -1.0, float("inf"), True, "small"])
def test_an_invalid_penalty_is_refused(data, c):
    with pytest.raises(TrainingError, match="positive number"):
        train_small_cpu(data, weights=None, image_size=32, c=c)


def test_a_class_without_images(data):
    with pytest.raises(TrainingError, match="Every class needs training images"):
        train_small_cpu(data.where(label="benign"), weights=None, image_size=32)


def test_it_is_registered():
    assert bc.experiments.list_recipes().names.count("small-cpu") == 1
    assert SMALL_CPU.train is not None


@pytest.mark.real
@pytest.mark.slow
def test_it_beats_pftas_by_case_on_real_images(real_data, monkeypatch):
    data = bc.load_breakhis(real_data / "BreaKHis_200X_224")
    weights = real_data / "weights" / FILE
    # No training changes the features, so they are computed once for all folds.
    features, _ = split_model(build_stain_texture(classes=data.classes, weights=weights))
    batches = data.to_keras(features.input_shape[1:3], batch_size=32)
    described = np.concatenate(list(run_batches(features, (batches[place][0] for place in range(len(batches))))))
    place = {path: number for number, path in enumerate(data.paths)}
    values = np.zeros(len(data))
    for train, test in data.folds(5, seed=0):
        trained, tested = ([place[path] for path in part.paths] for part in (train, test))
        monkeypatch.setattr(inference, "run_batches", lambda *_, rows=trained: [described[rows]])
        model = train_small_cpu(train, weights=weights)
        monkeypatch.undo()
        found = split_model(model)[1].predict(described[tested], verbose=0)
        # Probabilities near one have few digits in float32; the odds have the order of the logits.
        values[tested] = np.log(found[:, 1] / np.maximum(found[:, 0], 1e-12))
    np.testing.assert_allclose(bc.predict(model, test[:32]).probabilities, found[:32], atol=1e-5)
    assert roc_auc_score(data.labels, values) > 0.94
