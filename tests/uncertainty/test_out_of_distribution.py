import json
from contextlib import nullcontext

import cv2
import jsonschema
import numpy as np
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
from breastcls.models.ensemble import Ensemble
from breastcls.models.model_parts import split_model
from breastcls.models.persistence import save_model
from breastcls.predictions.member_predictions import predict_members
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions
from breastcls.uncertainty import out_of_distribution as strangers
from breastcls.uncertainty.feature_distance import FeatureDistance
from breastcls.uncertainty.out_of_distribution import score_ood, separate
from breastcls.uncertainty.uncertainty_scores import energy, score_members, score_predictions

BINARY = ("benign", "malignant")
QUICK = Bootstrap(20)


def passed_by_hand(known, unknown):
    """The lowest limit at or below which 95% of the known lie, and the share of strangers at or below it."""
    limit = min(value for value in known if np.mean(known <= value) >= 0.95 - 1e-9)
    return np.mean(unknown <= limit)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("decimals", [1, 8])
def test_one_score_against_scikit_learn_and_a_loop(seed, decimals):
    generator = np.random.default_rng(seed)
    known, unknown = generator.normal(size=57).round(decimals), (generator.normal(size=31) + 1).round(decimals)
    found = separate(known, unknown, bootstrap=QUICK)
    labels = np.repeat([0, 1], [57, 31])
    assert found["auroc"] == pytest.approx(roc_auc_score(labels, np.concatenate([known, unknown])))
    assert found["fpr95"] == pytest.approx(passed_by_hand(known, unknown))


@pytest.mark.parametrize("block", [100, 2_000_000])
def test_intervals_equal_repeated_cases(block, monkeypatch):
    monkeypatch.setattr(strangers, "BLOCK", block)
    generator = np.random.default_rng(1)
    known, unknown = generator.normal(size=60).round(1), (generator.normal(size=40) + 1).round(1)
    # The same names on both sides are other cases.
    cases = generator.integers(0, 8, 60), generator.integers(0, 6, 40)
    bootstrap = Bootstrap(40, 0.8, "percentile")
    found = separate(known, unknown, *cases, bootstrap=bootstrap)
    order = [list(dict.fromkeys(one.tolist())) for one in cases]
    values = []
    for weights in np.concatenate(list(bootstrap.weights(np.repeat([0, 1], [8, 6])))):
        first = np.repeat(known, [int(weights[order[0].index(case)]) for case in cases[0]])
        second = np.repeat(unknown, [int(weights[8 + order[1].index(case)]) for case in cases[1]])
        labels = np.repeat([0, 1], [len(first), len(second)])
        values.append([roc_auc_score(labels, np.concatenate([first, second])), passed_by_hand(first, second)])
    for index, name in enumerate(("auroc", "fpr95")):
        expected = np.quantile(np.array(values)[:, index], [0.1, 0.9])
        np.testing.assert_allclose([found[f"{name}_low"], found[f"{name}_high"]], expected)


def test_strangers_that_stand_apart_are_told_apart():
    found = separate(np.arange(100), np.arange(100) + 200, bootstrap=QUICK)
    assert (found["auroc"], found["fpr95"]) == (1.0, 0.0)
    assert separate([1.0, 1.0], [1.0, 1.0], bootstrap=QUICK)["auroc"] == 0.5


def test_predictions_of_any_model(draw):
    known, unknown = draw(1, ties=False), draw(2, images=90, ties=False)
    table = score_ood(None, known, unknown, bootstrap=QUICK)
    assert list(table.index) == ["max-probability", "entropy", "margin", "energy"]
    figures = ["auroc", "auroc_low", "auroc_high", "fpr95", "fpr95_low", "fpr95_high"]
    assert list(table.columns) == [*figures, "known_images", "known_cases", "unknown_images", "unknown_cases"]
    for side, one in (("known", known), ("unknown", unknown)):
        assert set(table[f"{side}_images"]) == {len(one)}
        assert set(table[f"{side}_cases"]) == {one.to_frame()["case"].nunique()}
    expected = separate(*(score_predictions(one, "entropy") for one in (known, unknown)), bootstrap=QUICK)
    assert table.loc["entropy", "auroc"] == pytest.approx(expected["auroc"])
    # Two classes: all of them order images alike, and recovered logits add nothing.
    assert np.ptp(table["auroc"]) < 1e-4


def strangers_of(cases, images=60):
    return Predictions.from_arrays(
        probabilities=np.random.default_rng(0).uniform(0.35, 0.65, images), labels=None, cases=cases, classes=BINARY
    )


def test_strangers_of_one_case_have_no_interval_and_are_told_of(draw, tmp_path):
    """However many images of it there are: alone in its stratum the case is in every resample."""
    known, unknown = draw(1, ties=False), strangers_of(["only"] * 60)
    with pytest.warns(EvaluationWarning, match="The strangers are all of one case: no interval"):
        found = evaluate(known, unknown=unknown, resamples=20)
    assert found.unknown.filter(regex="_low|_high").isna().all().all()
    assert found.unknown[["auroc", "fpr95"]].notna().all().all()
    assert (found.unknown["unknown_cases"].tolist(), found.unknown["unknown_images"].tolist()) == ([1] * 4, [60] * 4)
    assert any("The strangers are all of one case" in one for one in found.limitations)
    assert "The strangers are all of one case" in str(found)
    jsonschema.validate(json.loads(found.to_json()), read_schema())
    text = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The strangers are all of one case" in text
    assert "Unknown cases" in text
    with pytest.warns(EvaluationWarning, match="The known images are all of one case"):
        turned = score_ood(None, unknown, known, bootstrap=QUICK)
    assert turned["auroc_low"].isna().all()


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        (np.arange(60) % 4, "The strangers are of only 4 cases"),
        (None, "Cases of the strangers are not known, so every image counts as its own"),
        (np.arange(60) % 5, None),
    ],
)
def test_few_strangers_and_strangers_without_cases_are_told_of(draw, cases, words):
    known, unknown = draw(1, ties=False), strangers_of(cases)
    with pytest.warns(EvaluationWarning, match=words) if words else nullcontext():
        table = score_ood(None, known, unknown, bootstrap=QUICK)
    assert table["auroc_low"].notna().all()
    with pytest.warns(EvaluationWarning, match=words) if words else nullcontext():
        found = evaluate(known, unknown=unknown, resamples=20)
    assert [one for one in found.limitations if "strangers" in one] == (
        [one for one in found.limitations if words in one] if words else []
    )
    assert bool(words) == any("strangers" in one for one in found.limitations)


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
        "known": write_images(folder, "known", tissue(14), BINARY, 5),
        "unknown": write_images(folder, "unknown", noise, ("cat", "dog"), 6),
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


def test_a_model_and_its_strangers(model, images, tmp_path):
    table = score_ood(model, images["known"], images["unknown"], images["train"], bootstrap=QUICK)
    assert list(table.index) == ["max-probability", "entropy", "margin", "energy", "mahalanobis"]
    pixels = {name: open_images(data) for name, data in images.items()}
    features, head = split_model(model)
    seen = {name: np.asarray(features(one, training=False)) for name, one in pixels.items()}
    kernel, bias = model.get_layer("logits").get_weights()
    distance = FeatureDistance.fit(seen["train"], images["train"].labels)
    strange = images["unknown"].with_classes(BINARY, {"cat": "benign", "dog": "malignant"})
    expected = {
        "entropy": [score_predictions(predict(model, one), "entropy") for one in (images["known"], strange)],
        "energy": [energy((seen[name] @ kernel + bias).astype(float)) for name in ("known", "unknown")],
        "mahalanobis": [distance(seen[name]) for name in ("known", "unknown")],
    }
    assert np.asarray(head(seen["known"], training=False)).shape == (14, 2)
    for name, (known, unknown) in expected.items():
        cases = images["known"].cases, images["unknown"].cases
        by_hand = separate(known, unknown, *cases, bootstrap=QUICK)
        assert table.loc[name].to_dict() == pytest.approx(by_hand, abs=1e-3), name
    # Noise is far from smooth tissue in any features.
    assert table.loc["mahalanobis", "auroc"] == 1.0
    again = score_ood(
        save_model(model, tmp_path / "model.keras"),
        images["known"],
        images["unknown"],
        scores=["energy"],
        bootstrap=QUICK,
    )
    np.testing.assert_allclose(again.loc["energy"], table.loc["energy"], atol=1e-6)


def test_members_and_views(model, images):
    known, unknown = images["known"], images["unknown"]
    ensemble = Ensemble([model, member(2), member(3)])
    table = score_ood(ensemble, known, unknown, images["train"], bootstrap=QUICK)
    assert "mahalanobis" not in table.index
    strange = unknown.with_classes(BINARY, {"cat": "benign", "dog": "malignant"})
    for name in ("mutual-information", "disagreement"):
        by_hand = separate(
            *(score_members(predict_members(ensemble, data), name) for data in (known, strange)), bootstrap=QUICK
        )
        assert table.loc[name, "auroc"] == pytest.approx(by_hand["auroc"], abs=1e-3)
    views = score_ood(model, known, unknown, scores=["mutual-information"], tta="dihedral", bootstrap=QUICK)
    assert np.isfinite(views.to_numpy()).all()


@pytest.mark.filterwarnings("ignore:The class:breastcls.errors.EvaluationWarning")
def test_as_a_part_of_an_evaluation(model, images, draw):
    known, unknown, train = images["known"], images["unknown"], images["train"]
    sets = fit_conformal(predict(model, train), coverage=0.7)
    other = member(1)
    store_conformal(other, sets)
    result = evaluate(other, known, train=train, unknown=unknown, resamples=20)
    expected = score_ood(model, known, unknown, train, bootstrap=QUICK)
    np.testing.assert_allclose(result.unknown, expected, atol=1e-6)
    assert result.conformal["validation_cases"] == 6
    np.testing.assert_allclose(
        result.conformal["sets"]["coverage"].iloc[0], sets.assess(result.predictions)["coverage"].iloc[0]
    )
    assert evaluate(other, known, level="case", mixed="last", resamples=20).conformal is None

    one, two = draw(1), draw(2)
    result = evaluate(one, unknown=two, resamples=20)
    np.testing.assert_allclose(result.unknown, score_ood(None, one, two, bootstrap=QUICK))
    assert evaluate(one, resamples=20).unknown is None
    with pytest.raises(EvaluationError, match="Give a model and two datasets"):
        evaluate(one, unknown=unknown, resamples=20)


def test_known_images_of_training_cases_are_refused(model, images):
    train = images["train"]
    with pytest.raises(LeakageError, match="share 6 cases"):
        score_ood(model, train, images["unknown"], train)
    allowed = score_ood(
        model, train, images["unknown"], train, scores=["mahalanobis"], allow_leakage=True, bootstrap=QUICK
    )
    assert allowed.loc["mahalanobis", "auroc"] == 1.0


def test_many_training_images_are_thinned(model, images, monkeypatch):
    monkeypatch.setattr(strangers, "MOST_TRAINING_IMAGES", 12)
    table = score_ood(
        model, images["known"], images["unknown"], images["train"], scores=["mahalanobis"], bootstrap=QUICK
    )
    assert table.loc["mahalanobis", "auroc"] > 0.9


def test_what_is_missing(model, images, draw):
    known, unknown = images["known"], images["unknown"]
    with pytest.raises(EvaluationError, match="needs `train`"):
        score_ood(model, known, unknown, scores=["mahalanobis"])
    with pytest.raises(EvaluationError, match="one backbone"):
        score_ood(Ensemble([model, member(2)]), known, unknown, images["train"], scores=["mahalanobis"])
    with pytest.raises(EvaluationError, match="there is one"):
        score_ood(model, known, unknown, scores=["disagreement"])
    with pytest.raises(RegistryError, match="No uncertainty score"):
        score_ood(model, known, unknown, scores=["magic"])
    with pytest.raises(EvaluationError, match="Give a model and two datasets"):
        score_ood(model, known, draw())
    with pytest.raises(EvaluationError, match="these are predictions"):
        score_ood(None, draw(), draw(1), scores=["mahalanobis"])
    with pytest.raises(EvaluationError, match="`train` and `tta` need a model"):
        score_ood(None, draw(), draw(1), images["train"])
    with pytest.raises(EvaluationError, match="one finite number"):
        separate([0.1, np.nan], [0.5])
