import numpy as np
import pytest
from sklearn import metrics as reference

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation


@pytest.fixture(scope="module")
def found():
    from support.prediction_fixtures import make_predictions

    return evaluate(make_predictions(), bootstrap=Bootstrap(50))


@pytest.mark.parametrize("level", [None, "image", "slide", "case"])
def test_every_method_takes_the_level(found, level):
    rows = found.predictions.aggregate(level or "image")
    confusion = found.confusion_matrix(level=level)
    assert confusion.to_numpy().tolist() == reference.confusion_matrix(rows.labels, rows.decisions).tolist()
    report = found.classification_report(level=level, output_dict=True)
    assert report["malignant"]["recall"] == reference.recall_score(rows.labels, rows.decisions)
    assert "malignant" in found.classification_report(level=level)
    curve = found.roc_curve(level=level)
    assert reference.auc(curve["fpr"], curve["tpr"]) == pytest.approx(
        reference.roc_auc_score(rows.labels, rows.positive)
    )
    assert found.precision_recall_curve(level=level)["recall"].iloc[0] == 1.0
    assert found.calibration_curve(level=level, bins=3)["observed_frequency"].between(0, 1).all()


def test_the_default_is_the_level_that_was_scored(found):
    by_case = evaluate(found.predictions, aggregation=Aggregation("case", "majority"), bootstrap=Bootstrap(50))
    assert by_case.confusion_matrix().equals(by_case.confusion)
    assert by_case.confusion_matrix().to_numpy().sum() == 24
    assert by_case.confusion_matrix(level="image").to_numpy().sum() == 300
    # Slides are aggregated as the cases were.
    slides = by_case.predictions_by("slide")
    assert slides.aggregation_method == "majority"


def test_an_unknown_level_is_refused(found):
    by_case = evaluate(found.predictions.aggregate("case"), aggregation="case", bootstrap=Bootstrap(50))
    with pytest.raises(EvaluationError, match="by case already"):
        by_case.confusion_matrix(level="image")
    with pytest.raises(EvaluationError, match="level"):
        found.confusion_matrix(level="patient")


def _text_of(figure):
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_the_figures_are_drawn_and_saved(found, tmp_path):
    fractions = found.plot_confusion_matrix(tmp_path / "confusion.svg", level="case", normalize="true")
    table = found.confusion_matrix(level="case", normalize="true").to_numpy()
    assert _text_of(fractions) == {f"{value:.2f}" for value in table.ravel()}
    assert (tmp_path / "confusion.svg").stat().st_size > 1000
    counts = found.plot_confusion_matrix()
    assert any(text.startswith(f"{found.confusion.iloc[0, 0]}\n") for text in _text_of(counts))
    for plot in (found.plot_roc_curve, found.plot_precision_recall_curve, found.plot_calibration_curve):
        image, case = plot(), plot(level="case")
        lines = [figure.axes[0].get_lines()[1].get_xydata() for figure in (image, case)]
        assert not np.array_equal(*lines)


def test_one_class_has_no_curve(found):
    one = evaluate(found.predictions[found.predictions.labels == 1], bootstrap=Bootstrap(50))
    with pytest.raises(EvaluationError, match="one class"):
        one.plot_roc_curve()
