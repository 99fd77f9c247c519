import json
from contextlib import nullcontext

import cv2
import jsonschema
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from breastcls.datasets.dataset import Dataset
from breastcls.decisions.conformal import fit_conformal
from breastcls.decisions.stored_decisions import store_conformal
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError, RegistryError
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation_schema import read_schema
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.models.building import build_model
from breastcls.models.ensemble import build_ensemble
from breastcls.models.model_parts import split_model
from breastcls.models.persistence import save_model
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.member_predictions import predict_members
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions
from breastcls.uncertainty import ood_detection, out_of_distribution
from breastcls.uncertainty.feature_distance import FeatureDistance
from breastcls.uncertainty.ood_detection import measure_detection
from breastcls.uncertainty.out_of_distribution import score_ood
from breastcls.uncertainty.uncertainty_scores import energy, score_members, score_predictions

BINARY = ("benign", "malignant")
QUICK = Bootstrap(20)


def passed_by_hand(test, ood):
    """The lowest limit at or below which 95% of the test images are, and the share of OOD images at or below it."""
    limit = min(value for value in test if np.mean(test <= value) >= 0.95 - 1e-9)
    return np.mean(ood <= limit)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("decimals", [1, 8])
def test_one_score_against_scikit_learn_and_a_loop(seed, decimals):
    generator = np.random.default_rng(seed)
    test, ood = generator.normal(size=57).round(decimals), (generator.normal(size=31) + 1).round(decimals)
    found = measure_detection(test, ood, bootstrap=QUICK)
    labels = np.repeat([0, 1], [57, 31])
    assert found["auroc"] == pytest.approx(roc_auc_score(labels, np.concatenate([test, ood])))
    assert found["fpr95"] == pytest.approx(passed_by_hand(test, ood))


@pytest.mark.parametrize("block", [100, 2_000_000])
def test_intervals_equal_repeated_cases(block, monkeypatch):
    monkeypatch.setattr(ood_detection, "BLOCK", block)
    generator = np.random.default_rng(1)
    test, ood = generator.normal(size=60).round(1), (generator.normal(size=40) + 1).round(1)
    # The same names in both sets are different cases.
    cases = generator.integers(0, 8, 60), generator.integers(0, 6, 40)
    bootstrap = Bootstrap(40, 0.8, "percentile")
    found = measure_detection(test, ood, *cases, bootstrap=bootstrap)
    order = [list(dict.fromkeys(one.tolist())) for one in cases]
    values = []
    for weights in np.concatenate(list(bootstrap.weights(np.repeat([0, 1], [8, 6])))):
        first = np.repeat(test, [int(weights[order[0].index(case)]) for case in cases[0]])
        second = np.repeat(ood, [int(weights[8 + order[1].index(case)]) for case in cases[1]])
        labels = np.repeat([0, 1], [len(first), len(second)])
        values.append([roc_auc_score(labels, np.concatenate([first, second])), passed_by_hand(first, second)])
    for index, name in enumerate(("auroc", "fpr95")):
        expected = np.quantile(np.array(values)[:, index], [0.1, 0.9])
        np.testing.assert_allclose([found[f"{name}_low"], found[f"{name}_high"]], expected)


def test_disjoint_scores_are_separated_perfectly():
    found = measure_detection(np.arange(100), np.arange(100) + 200, bootstrap=QUICK)
    assert (found["auroc"], found["fpr95"]) == (1.0, 0.0)
    assert measure_detection([1.0, 1.0], [1.0, 1.0], bootstrap=QUICK)["auroc"] == 0.5


def test_predictions_of_any_model(draw):
    test, ood = draw(1, ties=False), draw(2, images=90, ties=False)
    table = score_ood(None, test, ood, bootstrap=QUICK)
    assert list(table.index) == ["max-probability", "entropy", "margin", "energy"]
    figures = [f"{name}{end}" for name in ("auroc", "fpr95") for end in ("", "_low", "_high", "_reason")]
    assert list(table.columns) == [*figures, "test_images", "test_cases", "ood_images", "ood_cases"]
    for side, one in (("test", test), ("ood", ood)):
        assert set(table[f"{side}_images"]) == {len(one)}
        assert set(table[f"{side}_cases"]) == {one.to_frame()["case"].nunique()}
    expected = measure_detection(*(score_predictions(one, "entropy") for one in (test, ood)), bootstrap=QUICK)
    assert table.loc["entropy", "auroc"] == pytest.approx(expected["auroc"])
    # Two classes: all of them order images alike, and recovered logits add nothing.
    assert np.ptp(table["auroc"]) < 1e-4


def ood_of(cases, images=60):
    return Predictions.from_arrays(
        probabilities=np.random.default_rng(0).uniform(0.35, 0.65, images), labels=None, cases=cases, classes=BINARY
    )


def test_ood_images_of_one_case_have_no_interval_and_a_limitation(draw, tmp_path):
    """However many images of it there are: alone in its stratum the case is in every resample."""
    test, ood = draw(1, ties=False), ood_of(["only"] * 60)
    with pytest.warns(EvaluationWarning, match="The out-of-distribution images are of only 1 case"):
        found = evaluate(test, ood=ood, bootstrap=Bootstrap(20))
    assert found.ood.filter(regex="_low|_high").isna().all().all()
    assert found.ood[["auroc", "fpr95"]].notna().all().all()
    assert (found.ood["ood_cases"].tolist(), found.ood["ood_images"].tolist()) == ([1] * 4, [60] * 4)
    assert any("The out-of-distribution images are of only 1 case" in one for one in found.limitations)
    assert "The out-of-distribution images are of only 1 case" in str(found)
    jsonschema.validate(json.loads(found.to_json()), read_schema())
    text = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The out-of-distribution images are of only 1 case" in text
    assert "OOD cases" in text
    with pytest.warns(EvaluationWarning, match="The in-distribution images are of only 1 case"):
        turned = score_ood(None, ood, test, bootstrap=QUICK)
    assert turned["auroc_low"].isna().all()


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        (np.arange(60) % 4, "The out-of-distribution images are of only 4 cases"),
        (None, "The cases of the out-of-distribution images are not known, so every image counts as its own"),
        (np.arange(60) % 5, None),
    ],
)
def test_few_ood_cases_and_missing_cases_are_a_limitation(draw, cases, words):
    test, ood = draw(1, ties=False), ood_of(cases)
    with pytest.warns(EvaluationWarning, match=words) if words else nullcontext():
        table = score_ood(None, test, ood, bootstrap=QUICK)
    assert table["auroc_low"].notna().all()
    with pytest.warns(EvaluationWarning, match=words) if words else nullcontext():
        found = evaluate(test, ood=ood, bootstrap=Bootstrap(20))
    assert [one for one in found.limitations if "out-of-distribution" in one] == (
        [one for one in found.limitations if words in one] if words else []
    )
    assert bool(words) == any("out-of-distribution" in one for one in found.limitations)


def write_images(folder, name, images, classes, cases):
    paths = []
    for number, image in enumerate(images):
        paths.append(str(folder / f"{name}{number}.png"))
        cv2.imwrite(paths[-1], image)
    labels = [classes[number % 2] for number in range(len(images))]
    return Dataset.from_columns(
        classes, path=paths, label=labels, case=[f"{name}-{number % cases}" for number in range(len(images))]
    )


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)

    def tissue(count):
        return [
            (120 + 60 * cv2.GaussianBlur(generator.random((32, 32, 3)), (9, 9), 4)).astype(np.uint8)
            for _ in range(count)
        ]

    noise = list(generator.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8))
    return {
        "train": write_images(folder, "train", tissue(30), BINARY, 6),
        "test": write_images(folder, "test", tissue(14), BINARY, 5),
        "ood": write_images(folder, "ood", noise, ("cat", "dog"), 6),
    }


def member(seed):
    model = build_model("cnn4", classes=BINARY, image_size=32, weights=None, seed=seed)
    logits = model.get_layer("logits")
    logits.set_weights([np.random.default_rng(seed).normal(0, 3, weight.shape) for weight in logits.get_weights()])
    return model


@pytest.fixture(scope="module")
def model():
    return member(1)


def open_images(data):
    return np.stack([cv2.imread(path)[:, :, ::-1] for path in data.paths]).astype(np.float32)


def test_a_model_on_ood_images(model, images, tmp_path):
    table = score_ood(model, images["test"], images["ood"], images["train"], bootstrap=QUICK)
    assert list(table.index) == ["max-probability", "entropy", "margin", "energy", "mahalanobis"]
    pixels = {name: open_images(data) for name, data in images.items()}
    features, head = split_model(model)
    seen = {name: np.asarray(features(one, training=False)) for name, one in pixels.items()}
    kernel, bias = model.get_layer("logits").get_weights()
    distance = FeatureDistance.fit(seen["train"], images["train"].labels)
    relabelled = images["ood"].with_classes(BINARY, {"cat": "benign", "dog": "malignant"})
    expected = {
        "entropy": [score_predictions(predict(model, one), "entropy") for one in (images["test"], relabelled)],
        "energy": [energy((seen[name] @ kernel + bias).astype(float)) for name in ("test", "ood")],
        "mahalanobis": [distance(seen[name]) for name in ("test", "ood")],
    }
    assert np.asarray(head(seen["test"], training=False)).shape == (14, 2)
    for name, (test, ood) in expected.items():
        cases = images["test"].cases, images["ood"].cases
        by_hand = measure_detection(test, ood, *cases, bootstrap=QUICK)
        numbers = {key: value for key, value in by_hand.items() if not key.endswith("_reason")}
        assert table.loc[name, list(numbers)].to_dict() == pytest.approx(numbers, abs=1e-3, nan_ok=True), name
    # Noise is far from smooth tissue in any features.
    assert table.loc["mahalanobis", "auroc"] == 1.0
    again = score_ood(
        save_model(model, tmp_path / "model.keras"),
        images["test"],
        images["ood"],
        scores=["energy"],
        bootstrap=QUICK,
    )
    pd.testing.assert_series_equal(again.loc["energy"], table.loc["energy"], atol=1e-6)


def test_members_and_views(model, images):
    test, ood = images["test"], images["ood"]
    ensemble = build_ensemble([model, member(2), member(3)])
    table = score_ood(ensemble, test, ood, images["train"], bootstrap=QUICK)
    assert "mahalanobis" not in table.index
    relabelled = ood.with_classes(BINARY, {"cat": "benign", "dog": "malignant"})
    for name in ("mutual-information", "disagreement"):
        by_hand = measure_detection(
            *(score_members(predict_members(ensemble, data), name) for data in (test, relabelled)), bootstrap=QUICK
        )
        assert table.loc[name, "auroc"] == pytest.approx(by_hand["auroc"], abs=1e-3)
    views = score_ood(model, test, ood, scores=["mutual-information"], tta="dihedral", bootstrap=QUICK)
    assert np.isfinite(views[["auroc", "fpr95"]].to_numpy()).all()


@pytest.mark.filterwarnings("ignore:The class:breastcls.errors.EvaluationWarning")
def test_as_a_part_of_an_evaluation(model, images, draw):
    test, ood, train = images["test"], images["ood"], images["train"]
    with pytest.warns(EvaluationWarning, match="The coverage by class is based on 3 cases"):
        sets = fit_conformal(predict(model, train), coverage=0.7)
    other = member(1)
    store_conformal(other, sets)
    result = evaluate(other, test, train=train, ood=ood, bootstrap=Bootstrap(20))
    expected = score_ood(model, test, ood, train, bootstrap=QUICK)
    pd.testing.assert_frame_equal(result.ood, expected, atol=1e-6)
    assert result.conformal["validation_cases"] == 6
    np.testing.assert_allclose(
        result.conformal["sets"]["coverage"].iloc[0], sets.assess(result.predictions)["coverage"].iloc[0]
    )
    assert (
        evaluate(other, test, aggregation=Aggregation("case", mixed_labels="last"), bootstrap=Bootstrap(20)).conformal
        is None
    )

    one, two = draw(1), draw(2)
    result = evaluate(one, ood=two, bootstrap=Bootstrap(20))
    pd.testing.assert_frame_equal(result.ood, score_ood(None, one, two, bootstrap=QUICK))
    assert evaluate(one, bootstrap=Bootstrap(20)).ood is None
    with pytest.raises(EvaluationError, match="Give a model and two datasets"):
        evaluate(one, ood=ood, bootstrap=Bootstrap(20))


def test_test_images_of_training_cases_are_refused(model, images):
    train = images["train"]
    with pytest.raises(LeakageError, match="share 6 cases"):
        score_ood(model, train, images["ood"], train)
    allowed = score_ood(model, train, images["ood"], train, scores=["mahalanobis"], allow_leakage=True, bootstrap=QUICK)
    assert allowed.loc["mahalanobis", "auroc"] == 1.0


def test_many_training_images_are_thinned(model, images, monkeypatch):
    monkeypatch.setattr(out_of_distribution, "MOST_TRAINING_IMAGES", 12)
    table = score_ood(model, images["test"], images["ood"], images["train"], scores=["mahalanobis"], bootstrap=QUICK)
    assert table.loc["mahalanobis", "auroc"] > 0.9


def test_what_is_missing(model, images, draw):
    test, ood = images["test"], images["ood"]
    with pytest.raises(EvaluationError, match="needs `train`"):
        score_ood(model, test, ood, scores=["mahalanobis"])
    with pytest.raises(EvaluationError, match="one backbone"):
        score_ood(build_ensemble([model, member(2)]), test, ood, images["train"], scores=["mahalanobis"])
    with pytest.raises(EvaluationError, match="there is only one"):
        score_ood(model, test, ood, scores=["disagreement"])
    with pytest.raises(RegistryError, match="No uncertainty score"):
        score_ood(model, test, ood, scores=["magic"])
    with pytest.raises(EvaluationError, match="Give a model and two datasets"):
        score_ood(model, test, draw())
    with pytest.raises(EvaluationError, match="these are predictions"):
        score_ood(None, draw(), draw(1), scores=["mahalanobis"])
    with pytest.raises(EvaluationError, match="`train` and `tta` need a model"):
        score_ood(None, draw(), draw(1), images["train"])
    with pytest.raises(EvaluationError, match="one finite number"):
        measure_detection([0.1, np.nan], [0.5])
