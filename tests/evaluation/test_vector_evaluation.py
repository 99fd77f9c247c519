"""Evaluations, cross-validations and tests on vectors, with and without images."""

import numpy as np
import pytest

import breastcls as bc
from breastcls.calibration.calibrators import fit_calibrator
from breastcls.experiments.permutation_testing import permutation_test
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.training.class_weights import class_weights
from support.vector_fixtures import build_head, make_vectors

pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")
FEW = bc.intervals.Bootstrap(50)
EXACT = {"frozen_head": "lbfgs", "logging": bc.training.Logging(progress=False)}


@pytest.fixture(scope="module")
def evaluated(embeddings):
    train, test = embeddings.split((0.5, 0.5), seed=1)
    model = build_head(embeddings)
    bc.fit(model, train, **EXACT)
    return model, bc.evaluate(model, test, train=train, bootstrap=FEW), train, test


def test_sections_of_pixels_are_left_out_with_the_reason(evaluated, tmp_path):
    _, result, _, _ = evaluated
    for name in ("colour_baseline", "colour_difference", "by_stain", "by_sharpness"):
        assert result.sections.get(name) is None
    reason = next(one for one in result.limitations if "vectors without image files" in one)
    assert "Colour-only baseline" in reason
    assert reason in str(result)
    assert result.leakage.vectors_compared
    page = result.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "vectors without image files, and so without colours" in page
    assert "classifier (linear) of the vectors of test encoder" in page


def test_the_colour_baseline_stays_beside_vectors_of_images(easy_vectors):
    data, _ = easy_vectors
    train, test = data.split((0.5, 0.5), seed=1)
    model = build_head(data)
    bc.fit(model, train, **EXACT)
    result = bc.evaluate(model, test, train=train, bootstrap=FEW)
    assert np.isfinite(result.colour_baseline.loc["roc_auc", "value"])
    assert result.by_stain is not None


def test_cross_validation_is_that_of_the_exact_head_on_its_folds(embeddings, tmp_path):
    result = bc.cross_validate(
        lambda: build_head(embeddings), embeddings, folds=2, run_dir=tmp_path, bootstrap=FEW, progress=False, **EXACT
    )
    for number in (1, 2):
        train, test = embeddings[result.fold_of != number], embeddings[result.fold_of == number]
        weights = class_weights("balanced", train.labels, train.classes)
        probe = fit_linear_probe(train.vectors, train.labels, train.cases, 2, class_weight=weights)
        found = result.predictions.probabilities[result.fold_of == number]
        np.testing.assert_allclose(found, probe.probabilities(test.vectors), atol=1e-5)
    assert any("vectors without image files" in one for one in result.evaluation.limitations)
    # A run on other vectors is not resumed.
    changed = make_vectors(seed=0, signal=0.5, encoder="test encoder")
    with pytest.raises(bc.errors.TrainingError, match="vectors_sha256"):
        bc.cross_validate(
            lambda: build_head(changed), changed, folds=2, run_dir=tmp_path, resume=True, progress=False, **EXACT
        )


def test_models_of_vectors_are_compared_tested_and_calibrated(evaluated, embeddings):
    model, _, train, test = evaluated
    other = build_head(embeddings)
    found = bc.compare({"fitted": model, "random": other}, test, bootstrap=FEW)
    assert found.metrics.loc["roc_auc", "fitted"] > found.metrics.loc["roc_auc", "random"]
    tested = permutation_test(
        lambda: build_head(embeddings), embeddings, permutations=3, folds=2, workers=1, frozen_head="lbfgs"
    )
    assert tested.settings["features_kept"]
    calibrator = fit_calibrator(bc.predict(other, train))
    assert calibrator.apply(bc.predict(other, test)).calibration is not None


def test_images_of_another_distribution_are_detected_by_their_vectors(evaluated):
    model, _, train, test = evaluated
    far = make_vectors(seed=9)
    far = bc.features.load_embeddings(far, far.vectors + 30)
    scores = bc.uncertainty.score_ood(model, test, far, train, bootstrap=FEW)
    assert scores["auroc"].max() > 0.99
