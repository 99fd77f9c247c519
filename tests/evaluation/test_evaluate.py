import dataclasses
import json
import subprocess
import sys

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError, LeakageWarning, ModelError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals import bootstrap as drawing
from breastcls.intervals import weighted_counts
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.metrics.classification_metrics import METRICS, compute_metrics
from breastcls.models.model_card import ModelCard, set_card
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions

BINARY = ("benign", "malignant")
QUICK = {"bootstrap": Bootstrap(100)}


def make_model():
    pixels = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    seed = keras.initializers.RandomNormal(0, 3, 1)
    return keras.Model(pixels, keras.layers.Dense(2, "softmax", kernel_initializer=seed)(pooled))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """24 cases of two images; train and test are halves of it."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    paths = [str(folder / f"{number}.png") for number in range(48)]
    for number, path in enumerate(paths):
        image = generator.integers(0, 200, (8, 8, 3)) + np.array([20 * (number // 2 % 2), 0, 0])
        cv2.imwrite(path, image.astype(np.uint8))
    cases = [f"case {number // 2}" for number in range(48)]
    return Dataset.from_columns(
        BINARY,
        path=paths,
        label=[BINARY[number // 2 % 2] for number in range(48)],
        case=cases,
        slide=cases,
        magnification=[(40, 100)[number % 2] for number in range(48)],
        subtype=[("F", "DC")[number // 2 % 2] for number in range(48)],
    )


def test_every_part_is_there(draw):
    some = draw(mixed=True)
    found = evaluate(some, **QUICK)
    assert tuple(found.metrics.index) == METRICS
    pd.testing.assert_series_equal(found.metrics["value"], compute_metrics(some), check_names=False)
    assert (found.metrics["low"] <= found.metrics["value"]).all()
    assert found.confusion.to_numpy().sum() == 300
    assert found.confusion.index.tolist() == list(BINARY)
    assert found.confusion.loc["benign", "malignant"] == ((some.labels == 0) & (some.decisions == 1)).sum()
    assert found.by_magnification.index.tolist() == [40, 100]
    assert found.counts["cases"] == 24
    assert found.colour_baseline is None
    assert found.leakage is None
    assert not found.leak_allowed
    assert found.predictions.part == "test"
    assert found.settings["average"] == "positive class malignant"
    assert found.model == {}


def test_the_same_seed_gives_the_same_evaluation(draw):
    first, second, other = (evaluate(draw(), bootstrap=Bootstrap(100, seed=seed)).metrics for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert not first.equals(other)


def test_by_case(draw):
    some = draw()
    found = evaluate(some, aggregation=Aggregation("case", method="maximum"), **QUICK)
    assert found.confusion.to_numpy().sum() == 24
    assert found.counts["images"] == 300
    assert found.settings["aggregation"]["method"] == "maximum"
    pd.testing.assert_series_equal(
        found.metrics["value"], compute_metrics(some.aggregate(Aggregation("case", "maximum"))), check_names=False
    )


def test_several_classes(draw):
    found = evaluate(draw(classes=("a", "b", "c")), **QUICK)
    assert found.settings["average"] == "macro"
    assert found.metrics["value"].notna().all()
    assert "class" in found.roc.columns


def test_a_threshold_given_or_carried(draw):
    some = draw()
    assert evaluate(some, threshold=0.9, **QUICK).metrics.loc["recall", "value"] < 1
    assert evaluate(some.with_threshold(0.9), **QUICK).settings["threshold"] == 0.9
    with pytest.raises(EvaluationError, match="never on the test set"):
        evaluate(some, threshold="youden", **QUICK)


def test_few_cases_warn_and_get_their_interval(draw):
    with pytest.warns(EvaluationWarning, match="only 3 cases"):
        found = evaluate(draw(cases=6), **QUICK)
    # Only a bootstrap, which is too narrow for three cases, could bound these.
    bare = ["mcc", "average_precision", "brier", "log_loss"]
    assert found.metrics.drop(bare)["low"].notna().all()
    assert set(found.metrics.loc[bare, "reason"]) == {"few-cases"}
    assert any("only 3 cases" in limitation for limitation in found.limitations)


def test_one_case_has_values_without_intervals():
    some = Predictions.from_arrays(
        probabilities=[0.2, 0.7, 0.6], labels=[0, 1, 0], classes=BINARY, cases=["x"] * 3, slides=["x"] * 3
    )
    with pytest.warns(EvaluationWarning):
        found = evaluate(some, **QUICK)
    assert found.metrics["value"].notna().all()
    assert found.metrics[["low", "high"]].isna().all().all()
    assert set(found.metrics["reason"]) <= {"too-few-cases", "value-not-defined"}
    assert str(found).splitlines()[0].startswith("Confidence intervals are not estimable: only 1 case")


def test_one_class_and_no_cases():
    some = Predictions.from_arrays(probabilities=[0.2, 0.7, 0.6], labels=[0, 0, 0], classes=BINARY)
    with pytest.warns(EvaluationWarning, match="every image counts as its own"):
        found = evaluate(some, **QUICK)
    assert np.isnan(found.metrics.loc["roc_auc", "value"])
    assert "not defined" in str(found)
    assert found.roc.empty
    json.loads(found.to_json())


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_many_images_without_cases_have_the_values_and_intervals_of_few(monkeypatch, draw, classes):
    """Above a number of cases of one row each, rows are counted instead of multiplied, one resample at a time."""
    some = dataclasses.replace(draw(2, images=120, classes=classes), cases=None, slides=None)
    with pytest.warns(EvaluationWarning, match="Cases are not known"):
        expected = evaluate(some, bootstrap=Bootstrap(20))
    monkeypatch.setattr(weighted_counts, "MANY_CASES", 100)
    monkeypatch.setattr(drawing, "MOST_CASES_AT_ONCE", 10)
    with pytest.warns(EvaluationWarning, match="Cases are not known"):
        found = evaluate(some, bootstrap=Bootstrap(20))
    own, others = (list(numbers_in(json.loads(one.to_json()))) for one in (found, expected))
    assert len(own) > 1000
    np.testing.assert_allclose(own, others, rtol=0, atol=1e-12)


def numbers_in(value):
    if isinstance(value, dict):
        value = [value[key] for key in value if key != "origin"]
    if isinstance(value, list):
        for part in value:
            yield from numbers_in(part)
    elif not isinstance(value, str):
        yield np.nan if value is None else float(value)


def test_validation_predictions_are_no_test(draw):
    import dataclasses

    with pytest.raises(EvaluationError, match="validation part"):
        evaluate(dataclasses.replace(draw(), part="validation"), **QUICK)


def test_a_model_with_its_training_set(data):
    train, test = data[:24], data[24:]
    model = make_model()
    found = evaluate(model, test, train=train, **QUICK)
    assert found.source.model is model
    assert found.source.test is test
    assert found.leakage.clean
    assert found.leakage.pixels_compared
    assert tuple(found.colour_baseline.index) == METRICS
    assert found.colour_baseline.loc["roc_auc", "value"] > 0.8
    assert "Colour-only baseline" in str(found)


def test_a_leak_is_refused_or_written_down(data):
    with pytest.raises(LeakageError, match="allow_leakage=True"):
        evaluate(make_model(), data[24:], train=data[:26], **QUICK)
    with pytest.warns(LeakageWarning, match="case 12"):
        found = evaluate(make_model(), data[24:], train=data[:26], allow_leakage=True, **QUICK)
    assert found.leak_allowed
    assert not found.leakage.clean
    assert "LEAK" in str(found)
    assert found.to_dict()["leak_allowed"] is True
    assert any("not independent" in limitation for limitation in found.limitations)


def test_a_model_remembers_its_training_cases(data):
    model = make_model()
    training = {"training": {"cases": data[:26].cases.tolist(), "slides": []}}
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8), backbone="own", provenance=training))
    with pytest.raises(LeakageError, match=r"shared cases?: case 12"):
        evaluate(model, data[24:], **QUICK)
    found = evaluate(model, data[26:], **QUICK)
    assert found.model["backbone"] == "own"
    assert found.leakage.clean


def test_predictions_with_a_training_set(data):
    from breastcls.predictions.predict import predict

    some = predict(make_model(), data[24:])
    with_images = evaluate(some, data[24:], train=data[:24], **QUICK)
    assert with_images.colour_baseline is not None
    names_only = evaluate(some, train=data[:24], **QUICK)
    assert names_only.colour_baseline is None
    assert any("only names were compared" in limitation for limitation in names_only.limitations)


def test_an_object_that_is_no_model_raises_the_error_of_predict(data):
    for judge in (predict, lambda *given: evaluate(*given, **QUICK)):
        with pytest.raises(ModelError, match=r"Expected a keras\.Model or the path of a model file; found int"):
            judge(3, data)


def test_a_model_needs_a_dataset():
    with pytest.raises(EvaluationError, match="needs images"):
        evaluate(make_model())
    with pytest.raises(EvaluationError, match="must be a Dataset"):
        evaluate(make_model(), np.zeros((2, 8, 8, 3), np.uint8))


def test_predictions_are_scored_without_loading_keras():
    code = (
        "import sys\n"
        "from breastcls.evaluation.evaluate import evaluate\n"
        "from breastcls.intervals.bootstrap import Bootstrap\n"
        "from breastcls.predictions.predictions import Predictions\n"
        "n = 40\n"
        "p = Predictions.from_arrays(probabilities=[i % 7 / 7 for i in range(n)], labels=[i % 2 for i in range(n)],"
        " cases=[str(i) for i in range(n)], classes=('a', 'b'))\n"
        "evaluate(p, bootstrap=Bootstrap(10))\n"
        "assert not {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_views_of_test_time_augmentation_are_scored(data):
    from breastcls.predictions.predict import predict

    model = make_model()
    found = evaluate(model, data[24:], tta="dihedral", **QUICK)
    expected = predict(model, data[24:], tta="dihedral")
    np.testing.assert_array_equal(found.predictions.probabilities, expected.probabilities)
    assert found.settings["tta"] == "dihedral"
    assert "tta" not in evaluate(model, data[24:], **QUICK).settings
    with pytest.raises(EvaluationError, match="give it to `predict`"):
        evaluate(expected, data[24:], tta="dihedral", **QUICK)
