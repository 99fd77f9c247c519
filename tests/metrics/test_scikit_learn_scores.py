import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve as reference_calibration_curve

import breastcls as bc
from breastcls.errors import EvaluationError
from breastcls.metrics.scikit_learn_scores import (
    calibration_curve,
    classification_report,
    confusion_matrix,
    precision_recall_curve,
    roc_curve,
)

THREE = ("A", "F", "PT")


def test_the_report_is_that_of_scikit_learn(draw):
    some = draw(classes=THREE)
    options = {"labels": [0, 1, 2], "target_names": list(THREE), "zero_division": 0}
    assert classification_report(some) == reference.classification_report(some.labels, some.decisions, **options)
    as_dict = reference.classification_report(some.labels, some.decisions, output_dict=True, **options)
    assert classification_report(some, output_dict=True) == as_dict
    # A class without images or predictions has a row all the same.
    part = some[(some.labels != 2) & (some.decisions != 2)]
    assert classification_report(part, output_dict=True)["PT"]["support"] == 0


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_the_confusion_matrix_is_that_of_scikit_learn(draw, normalize):
    some = draw(classes=THREE)
    found = confusion_matrix(some, normalize=normalize)
    expected = reference.confusion_matrix(some.labels, some.decisions, normalize=normalize)
    np.testing.assert_array_equal(found.to_numpy(), expected)
    assert found.index.tolist() == found.columns.tolist() == list(THREE)


def test_the_threshold_of_the_predictions_decides(draw):
    some = draw().with_threshold(0.9)
    assert confusion_matrix(some)["malignant"].sum() == (some.positive >= 0.9).sum()


def test_the_curves_are_those_of_scikit_learn(draw):
    some = draw()
    fpr, tpr, thresholds = reference.roc_curve(some.labels, some.positive)
    roc = roc_curve(some)
    for name, expected in {"fpr": fpr, "tpr": tpr, "threshold": thresholds}.items():
        np.testing.assert_array_equal(roc[name], expected)
    precision, recall, thresholds = reference.precision_recall_curve(some.labels, some.positive)
    curve = precision_recall_curve(some)
    np.testing.assert_array_equal(curve[["precision", "recall"]], np.stack([precision, recall], axis=1))
    np.testing.assert_array_equal(curve["threshold"], [*thresholds, np.nan])
    frequency, probability = reference_calibration_curve(some.labels, some.positive, n_bins=8, strategy="quantile")
    bins = calibration_curve(some, bins=8, strategy="quantile")
    np.testing.assert_array_equal(bins["predicted_probability"], probability)
    np.testing.assert_array_equal(bins["observed_frequency"], frequency)


def test_more_than_two_classes_have_one_curve_each(draw):
    some = draw(classes=THREE)
    for curve in (roc_curve, precision_recall_curve, calibration_curve):
        assert curve(some)["class"].unique().tolist() == list(THREE)
    part = roc_curve(some).query("`class` == 'F'")
    np.testing.assert_array_equal(part["tpr"], reference.roc_curve(some.labels == 1, some.probabilities[:, 1])[1])


@pytest.mark.parametrize("curve", [roc_curve, precision_recall_curve, calibration_curve])
def test_one_class_has_no_curve(draw, curve):
    some = draw()
    with pytest.raises(EvaluationError, match="are of the class benign"):
        curve(some[some.labels == 0])


def test_arguments_that_are_not_known(draw):
    with pytest.raises(EvaluationError, match="'true', 'pred', 'all'"):
        confusion_matrix(draw(), normalize="rows")
    with pytest.raises(EvaluationError, match="'uniform', 'quantile'"):
        calibration_curve(draw(), strategy="equal")


def test_they_are_public():
    assert bc.metrics.classification_report is classification_report
    assert bc.metrics.roc_curve is roc_curve
