import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.integrated_gradients import integrated_gradients
from breastcls.explanation.scored_model import ScoredModel
from breastcls.explanation.target_score import ClassDifference, TargetedModel, subtract_classes
from support.model_kinds import CLASSES, MODEL_KINDS

IMAGES = np.random.default_rng(6).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
METHODS = {"hires-cam": {}, "smooth-grad": {"samples": 2}, "occlusion": {"window": 16}, "score-cam": {"channels": 2}}
pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")  # the weights are random


@pytest.fixture(scope="module")
def model():
    return MODEL_KINDS["functional"]()


def run(model, method, target):
    return explain(model, IMAGES, method, target_class=target, classes=CLASSES, **METHODS[method])


@pytest.mark.parametrize("method", METHODS)
def test_one_class_for_each_image(model, method):
    made = run(model, method, ["invasive", 0, np.int64(1)])
    assert made.targets.tolist() == [2, 0, 1]
    for number, target in enumerate((2, 0, 1)):
        np.testing.assert_array_equal(made.heatmaps[number], run(model, method, target).heatmaps[number])


@pytest.mark.parametrize("method", METHODS)
def test_a_difference_of_two_classes_and_a_function_of_the_scores(model, method):
    difference = run(model, method, ClassDifference("invasive", "benign"))
    assert difference.target_score == "invasive - benign"
    assert difference.targets.tolist() == [2, 2, 2]
    assert "explained: invasive - benign" in difference.caption(0)
    assert "invasive - benign: 3 explained" in str(difference)
    if method != "score-cam":
        # Score-CAM weighs by a probability of the difference, for which a function has none.
        function = run(model, method, lambda scores: scores[:, 2] - scores[:, 0])
        np.testing.assert_array_equal(function.heatmaps, difference.heatmaps)
        single = run(model, method, lambda scores: scores[:, 1])
        np.testing.assert_allclose(single.heatmaps, run(model, method, 1).heatmaps, atol=1e-6)
    other = run(model, method, ClassDifference("invasive", "in situ"))
    assert np.abs(other.heatmaps - difference.heatmaps).max() > 1e-3


def test_integrated_gradients_of_a_difference_sum_to_it(model):
    scored = TargetedModel(ScoredModel(model, IMAGES), subtract_classes(1, 2, CLASSES))
    images = IMAGES.astype(np.float32)
    made = integrated_gradients(scored, images, np.zeros(3, np.int64), steps=64)
    scores = ScoredModel(model, IMAGES).scores(np.concatenate([images, np.full_like(images[:1], 255)]))
    difference = scores[:, 1] - scores[:, 2]
    np.testing.assert_allclose(made.values.sum(axis=(1, 2)), difference[:3] - difference[3], rtol=0.02)


def test_a_difference_for_an_ensemble_is_explained_in_each_member():
    made = explain(MODEL_KINDS["ensemble"](), IMAGES, "grad-cam", target_class=ClassDifference("benign", "invasive"))
    assert made.layer.startswith("member_1/")
    assert made.heatmaps.max() == pytest.approx(1.0)


def test_functions_of_the_caller_are_not_kept_with_the_model(model):
    prepared = model.breastcls_prepared.get(model, IMAGES.astype(np.float32), None)
    before = set(prepared._compiled)
    run(model, "hires-cam", lambda scores: scores[:, 0])
    assert set(prepared._compiled) == before


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([0, 1], "has 2 classes for 3 images"),
        ([0, 1, "other"], "target_class='other'"),
        (ClassDifference("benign", 0), "difference of a class with itself"),
        (ClassDifference("benign", "other"), "target_class='other'"),
        (1.5, "expected the name or the index"),
        (lambda scores: scores, r"returned the shape \(.*, 3\); expected \(.*,\), one value per image"),
        (lambda scores: scores[:1, 0], r"returned the shape \(1,\); expected"),
        (lambda scores: scores[:, 0] - scores[0, 0], "from its own class scores alone"),
        (lambda scores: scores[:, 7], r"failed on scores of 3 classes: .*keras\.ops"),
        (lambda scores: np.asarray(scores)[:, 0], r"failed on scores of 3 classes: .*keras\.ops"),
    ],
)
def test_wrong_targets_are_named(model, target, message):
    with pytest.raises(ExplanationError, match=message):
        run(model, "hires-cam", target)
