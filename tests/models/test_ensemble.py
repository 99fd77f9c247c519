import json
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest

from breastcls.calibration.calibrators import Calibrator
from breastcls.calibration.stored_calibration import store_calibration
from breastcls.datasets.dataset import Dataset
from breastcls.errors import LeakageError, ModelError
from breastcls.evaluation.evaluate import evaluate
from breastcls.images.resize import resize_image
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.models.building import build_model
from breastcls.models.ensemble import build_ensemble, list_members
from breastcls.models.model_card import ModelCard, get_card, set_card
from breastcls.models.persistence import load_model, save_model
from breastcls.predictions.member_predictions import predict_members
from breastcls.predictions.predict import predict

CLASSES = ("benign", "malignant")
STAIN = {"name": "reinhard", "means": [70.5, 20.0, -10.0], "spreads": [15.0, 8.0, 6.0]}
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def member(seed, backbone="cnn4", size=32, *, classes=CLASSES, **fields):
    model = build_model(backbone, classes=classes, image_size=size, weights=None, seed=seed)
    logits = model.get_layer("logits")
    # Random heads all say about a half; these disagree.
    logits.set_weights([np.random.default_rng(seed).normal(0, 3, weight.shape) for weight in logits.get_weights()])
    set_card(model, get_card(model).replace(**fields))
    return model


def soft(logits):
    scaled = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def pair():
    return member(1), member(2)


@pytest.fixture(scope="module")
def outputs(pair):
    found = [predict(model, IMAGES).probabilities.astype(np.float64) for model in pair]
    assert np.abs(found[0] - found[1]).max() > 0.05
    return found


@pytest.mark.parametrize("weights", [None, [1, 1], [3.0, 1.0], [0, 2]])
def test_it_is_the_mean_of_the_members(pair, outputs, weights):
    shares = np.array(weights or [1, 1]) / sum(weights or [1, 1])
    of_probabilities = predict(build_ensemble(pair, weights=weights), IMAGES).probabilities
    np.testing.assert_allclose(of_probabilities, np.tensordot(shares, outputs, 1), atol=1e-6)
    of_logits = predict(build_ensemble(pair, weights=weights, average="logits"), IMAGES).probabilities
    np.testing.assert_allclose(of_logits, soft(np.tensordot(shares, np.log(outputs), 1)), atol=1e-6)
    if weights != [0, 2]:
        assert np.abs(of_logits - of_probabilities).max() > 1e-4


def test_mean_logits_are_those_before_the_softmax(pair):
    logits = [keras.Model(model.inputs, model.get_layer("logits").output)(IMAGES) for model in pair]
    expected = keras.ops.softmax((logits[0] + logits[1]) / 2)
    found = predict(build_ensemble(pair, average="logits"), IMAGES).probabilities
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected), atol=1e-6)


def test_members_of_several_architectures_with_their_own_scaling():
    models = [member(1), member(2, "cancernet"), member(3, "squeezenet")]
    expected = np.mean([predict(model, IMAGES).probabilities for model in models], axis=0)
    np.testing.assert_allclose(predict(build_ensemble(models), IMAGES).probabilities, expected, atol=1e-6)


def test_a_member_of_another_size_gets_resized_images():
    models = [member(1, size=24), member(2, size=48)]
    ensemble = build_ensemble(models)
    assert get_card(ensemble).image_size == (48, 48)
    # What the layer makes is near to what the library's own resizing makes of smooth images.
    smooth = np.stack([cv2.GaussianBlur(cv2.resize(image, (48, 48)), (0, 0), 2) for image in IMAGES])
    members = list_members(ensemble)
    assert members[1].resize is None
    inner = keras.ops.convert_to_numpy(members[0].resize(smooth.astype(np.float32)))
    assert np.abs(inner - resize_image(smooth, (24, 24)).astype(np.float32)).mean() < 1.5
    expected = np.mean([keras.ops.convert_to_numpy(models[0](inner)), predict(models[1], smooth).probabilities], axis=0)
    np.testing.assert_allclose(predict(ensemble, smooth).probabilities, expected, atol=1e-6)


def test_it_is_in_inference_mode_by_default():
    ensemble = build_ensemble([member(1, size=24), member(2, "cancernet", 48)])
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    before = ensemble.get_weights()
    called = keras.ops.convert_to_numpy(ensemble(images))
    np.testing.assert_allclose(called, predict(ensemble, images).probabilities, atol=1e-6)
    for old, new in zip(before, ensemble.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_calibrated_members_keep_their_temperature(pair, outputs):
    model = member(1, temperature=2.5)
    calibrated = predict(model, IMAGES).probabilities
    assert np.abs(calibrated - outputs[0]).max() > 0.01
    expected = (calibrated + outputs[1]) / 2
    found = predict(build_ensemble([model, pair[1]]), IMAGES).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(predict_members(build_ensemble([model, pair[1]]), IMAGES)[0], calibrated, atol=1e-6)


def test_a_probability_of_zero_leaves_the_mean_positive():
    sure = member(1)
    layer = sure.get_layer("logits")
    layer.set_weights([np.zeros_like(layer.get_weights()[0]), np.array([200.0, 0.0], np.float32)])
    found = predict(build_ensemble([sure, member(2)], average="logits"), IMAGES).probabilities
    assert np.isfinite(found).all()
    assert (found[:, 1] > 0).all()


def test_the_card_lists_the_members_and_their_training_cases():
    models = [
        member(1, provenance={"training": {"cases": ["a", "b"], "slides": ["a1"]}}, resize="stretch", threshold=0.3),
        member(2, provenance={"training": {"cases": ["b", "c"], "slides": []}, "calibration": {"cases": ["d"]}}),
        member(3),
    ]
    card = get_card(build_ensemble(models, weights=[1, 2, 1]))
    assert ModelCard.from_json(card.to_json()) == card
    assert card.provenance["training"] == {
        "cases": ["a", "b", "c", "d"],
        "slides": ["a1"],
        "trained_on": {"cases": ["a", "b", "c"], "slides": ["a1"]},
        "members_without_record": 1,
    }
    assert card.provenance["ensemble"] == {"average": "probabilities", "weights": [0.25, 0.5, 0.25]}
    assert card.provenance["members"] == [json.loads(get_card(model).to_json()) for model in models]
    assert card.threshold is None
    assert card.resize == "stretch"
    assert "training" not in get_card(build_ensemble([member(1), member(2)])).provenance
    again = get_card(build_ensemble([build_ensemble(models), member(4)]))
    assert again.provenance["training"]["cases"] == ["a", "b", "c", "d"]


@pytest.fixture
def data(tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(8)]
    for number, path in enumerate(paths):
        cv2.imwrite(path, np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    return Dataset.from_columns(
        CLASSES, path=paths, label=[CLASSES[n // 4] for n in range(8)], case=[f"c{n}" for n in range(8)]
    )


@pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
def test_evaluate_detects_leakage_into_one_member(data, tmp_path):
    models = [
        member(1, provenance={"training": {"cases": ["x"], "slides": []}}),
        member(2, provenance={"training": {"cases": ["c3"], "slides": []}}),
    ]
    path = save_model(build_ensemble(models), tmp_path / "ensemble.keras")
    with pytest.raises(LeakageError, match=r"shared cases?: c3"):
        evaluate(path, data, bootstrap=Bootstrap(10))
    result = evaluate(path, data.where(data.cases != "c3"), bootstrap=Bootstrap(10))
    assert result.leakage.clean


PLAIN = """
import sys
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
np.save(sys.argv[3], np.asarray(model(np.load(sys.argv[2]))))
assert not any(name.startswith("breastcls") for name in sys.modules)
from breastcls.models.persistence import load_model
from breastcls.models.ensemble import list_members
from breastcls.predictions.predict import predict
model = load_model(sys.argv[1])
assert [member.weight for member in list_members(model)] == [0.5, 0.25, 0.25]
np.save(sys.argv[3] + ".ours.npy", predict(model, np.load(sys.argv[2])).probabilities)
"""


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_keras_and_breastcls_load_it_in_a_new_process(tmp_path, average):
    models = [member(1, temperature=1.7), member(2, "cancernet", 48), member(3)]
    paths = [save_model(model, tmp_path / f"{number}.keras") for number, model in enumerate(models)]
    ensemble = build_ensemble([paths[0], models[1], str(paths[2])], average=average, weights=[2, 1, 1])
    large = np.stack([cv2.resize(image, (48, 48)) for image in IMAGES])
    expected = predict(ensemble, large).probabilities
    path = save_model(ensemble, tmp_path / "ensemble.keras")
    np.save(tmp_path / "images.npy", large)
    run = subprocess.run(
        [sys.executable, "-c", PLAIN, str(path), str(tmp_path / "images.npy"), str(tmp_path / "out.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy.ours.npy"), expected, atol=1e-6)
    loaded = load_model(path)
    assert get_card(loaded) == get_card(ensemble)
    names = [layer.name for layer in loaded.layers]
    assert len(set(names)) == len(names)


def test_the_mean_is_float32_in_mixed_precision(pair, outputs):
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        found = predict(build_ensemble(pair), IMAGES).probabilities
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_allclose(found, np.mean(outputs, axis=0), atol=1e-6)


def test_an_ensemble_shares_its_weights_with_its_members():
    models = [member(1), member(2)]
    ensemble = build_ensemble(models)
    layer = models[0].get_layer("logits")
    layer.set_weights([value * 0 for value in layer.get_weights()])
    expected = np.mean([predict(model, IMAGES).probabilities for model in models], axis=0)
    np.testing.assert_allclose(predict(ensemble, IMAGES).probabilities, expected, atol=1e-6)


def test_only_an_ensemble_has_members(pair):
    assert list_members(pair[0]) == ()
    plain = keras.Model(pair[0].inputs, pair[0].outputs)
    assert list_members(plain) == ()
    found = list_members(build_ensemble(pair))
    assert [get_card(one.model) for one in found] == [get_card(model) for model in pair]
    for one, model in zip(found, pair, strict=True):
        np.testing.assert_array_equal(one.model(IMAGES), model(IMAGES))


def test_the_card_has_the_common_stain_normalizer():
    assert get_card(build_ensemble([member(1, stain=STAIN), member(2, stain=STAIN)])).stain == STAIN
    for other, words in ((None, r"'reinhard' with its own parameters; none"), ({**STAIN, "means": [1, 2, 3]}, "own")):
        with pytest.raises(ModelError, match=words):
            build_ensemble([member(1, stain=STAIN), member(2, stain=other)])


def _three_classes():
    return member(3, classes=("a", "b", "c"))


def _without_a_card():
    model = member(3)
    return keras.Model(model.inputs, model.outputs)


def _calibrated():
    model = member(3)
    store_calibration(model, Calibrator("isotonic", CLASSES, {"curves": []}))
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_three_classes, "member 2 .*'a', 'b', 'c'"),
        (_without_a_card, "has no card"),
        (_calibrated, "calibrated by 'isotonic'"),
        (lambda: member(3, resize="crop"), "resize modes crop and stretch"),
        (lambda: 7, "Member 2 is a int"),
    ],
)
def test_models_that_cannot_be_joined_are_refused(pair, make, words):
    with pytest.raises(ModelError, match=words):
        build_ensemble([pair[0], make()])


def test_cropped_members_need_equal_proportions():
    models = [member(1, size=(32, 32), resize="crop"), member(2, size=(32, 48), resize="crop")]
    with pytest.raises(ModelError, match="different proportions"):
        build_ensemble(models)
    build_ensemble([models[0], member(3, size=(64, 64), resize="crop")])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"average": "median"}, "expected one of 'probabilities', 'logits'"),
        ({"weights": [1]}, "expected 2 numbers"),
        ({"weights": [1, -1]}, "0 or more"),
        ({"weights": [0, 0]}, "not all 0"),
        ({"weights": [1, float("nan")]}, "0 or more"),
    ],
)
def test_wrong_arguments_are_named(pair, arguments, words):
    with pytest.raises(ModelError, match=words):
        build_ensemble(pair, **arguments)


def test_an_ensemble_needs_two_different_models(pair, tmp_path):
    for models in ([], pair[:1], "model.keras", tmp_path):
        with pytest.raises(ModelError, match="at least two models"):
            build_ensemble(models)
    with pytest.raises(ModelError, match="Members 1 and 2 share weights"):
        build_ensemble([pair[0], pair[0]])
    with pytest.raises(ModelError, match="There is no file"):
        build_ensemble([pair[0], tmp_path / "absent.keras"])
