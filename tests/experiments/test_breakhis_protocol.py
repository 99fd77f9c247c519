import json
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import breastcls as bc
from breastcls.errors import BreastclsWarning, DatasetError, SplitError, TrainingError, TrainingWarning
from breastcls.experiments.breakhis_protocol import evaluate_protocol
from breastcls.experiments.protocol_result import CASE_CLEAN, OFFICIAL, UNSEEN
from breastcls.experiments.published_parts import read_folds
from breastcls.predictions.predictions import Predictions
from support.training_fixtures import build_network

OPTIONS = {"epochs": 1, "augment": "none"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = bc.datasets.make_breakhis(
        tmp_path_factory.mktemp("tree"), magnifications=(40, 200), images_per_slide=2, image_size=(48, 64)
    )
    return bc.load_breakhis(root)


def names_of(data):
    return [Path(path).name for path in data.paths]


def write_fold(folder, data, fold, test_slides, names=None):
    """Whole slides to test: of each subtype those at the given places."""
    of_subtype = {}
    for subtype, slide in sorted(set(zip(data.table["subtype"], data.slides, strict=True))):
        of_subtype.setdefault(subtype, []).append(slide)
    number = {slide: place for slides in of_subtype.values() for place, slide in enumerate(slides)}
    lines = [
        f"{name}|{magnification}|{fold}|{'test' if number[slide] in test_slides else 'train'}"
        for name, slide, magnification in zip(names_of(data), data.slides, data.table["magnification"], strict=True)
    ]
    path = folder / f"dsfold{fold}.txt"
    path.write_text("\n".join(lines + (names or [])) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folds(tmp_path_factory, data):
    """Fold 1 separates the slides of the cases with two (the third and fourth of each subtype); fold 2 does not."""
    folder = tmp_path_factory.mktemp("folds")
    absent = [f"SOB_B_A-14-1-{m}-00{n}.png|{m}|1|test" for m in (40, 100) for n in (1, 2)]
    write_fold(folder, data, 1, {0, 2}, absent)
    write_fold(folder, data, 2, {0})
    return folder


@pytest.fixture(scope="module")
def found(data, folds):
    return evaluate_protocol(build_network, data, folds, **OPTIONS)


def test_each_fold_is_what_fit_and_predict_give(found, data, folds):
    here = data.where(magnification=200)
    with pytest.warns(BreastclsWarning):
        train, test = here.official_fold(folds / "dsfold1.txt")
    model = build_network()
    bc.fit(model, train, **OPTIONS)
    expected = bc.predict(model, test)
    one = found.predictions[200, 1, OFFICIAL]
    np.testing.assert_array_equal(one.probabilities, expected.probabilities)
    assert one.paths.tolist() == test.paths
    known = np.isin(test.cases, train.cases)
    assert 0 < known.mean() < 1
    row = found.by_fold.loc[(200, 1, OFFICIAL)]
    assert row["shared_case_fraction"] == known.mean()
    assert (row["train_images"], row["test_images"]) == (len(train), len(test))
    np.testing.assert_array_equal(found.predictions[200, 1, UNSEEN].probabilities, expected.probabilities[~known])

    clean = train[~np.isin(train.cases, test.cases)]
    assert bc.audit_leakage(clean, test).clean
    model = build_network()
    bc.fit(model, clean, **OPTIONS)
    again = bc.predict(model, test)
    np.testing.assert_array_equal(found.predictions[200, 1, CASE_CLEAN].probabilities, again.probabilities)
    assert found.by_fold.loc[(200, 1, CASE_CLEAN), "train_images"] == len(clean)


def test_the_rates_are_those_of_the_paper(found):
    for key, one in found.predictions.items():
        row = found.by_fold.loc[key]
        right = one.labels == one.decisions
        assert row["image_recognition_rate"] == right.mean()
        of_slides = [right[one.slides == slide].mean() for slide in set(one.slides)]
        assert row["patient_recognition_rate"] == pytest.approx(np.mean(of_slides))
        assert row["roc_auc"] == roc_auc_score(one.labels, one.positive)


def test_mean_and_deviation_over_the_folds(found):
    variants = (OFFICIAL, UNSEEN, CASE_CLEAN)
    assert found.summary.index.tolist() == [(m, variant) for m in (40, 200) for variant in variants]
    for (magnification, variant), row in found.summary.iterrows():
        values = found.by_fold.xs((magnification, variant), level=("magnification", "variant"))
        assert row["folds"] == 2
        for metric in ("image_recognition_rate", "patient_recognition_rate", "roc_auc"):
            assert row[f"{metric}_mean"] == pytest.approx(np.mean(values[metric]))
            assert row[f"{metric}_sd"] == pytest.approx(np.std(values[metric], ddof=1))


def test_a_fold_without_shared_cases_is_trained_once(found):
    same = found.by_fold.loc[(40, 2)]
    assert found.predictions[40, 2, OFFICIAL] is found.predictions[40, 2, CASE_CLEAN]
    assert same["shared_case_fraction"].tolist() == [0, 0, 0]
    assert same["train_images"].nunique() == 1


def test_missing_images_are_listed(found):
    assert found.missing == (
        "100X: no image is there, of 2 listed.",
        "40X: 2 of 66 listed images are not there, such as SOB_B_A-14-1-40-001.png, SOB_B_A-14-1-40-002.png.",
    )


def test_folds_without_images_of_a_class(data, tmp_path):
    benign = data.where(label="benign", magnification=200)
    rest = data.where(label="malignant", magnification=200)
    first = write_fold(tmp_path, benign, 1, {0, 1, 2, 3})  # all benign images are test images
    with open(first, "a", encoding="utf-8") as stream:
        stream.writelines(f"{name}|200|1|train\n" for name in names_of(rest))
    write_fold(tmp_path, benign, 2, {0})
    with open(tmp_path / "dsfold2.txt", "a", encoding="utf-8") as stream:
        stream.writelines(f"{name}|200|2|train\n" for name in names_of(rest)[:-3])
    found = evaluate_protocol(build_network, data, tmp_path, magnifications=[200], case_clean=False, **OPTIONS)
    assert found.by_fold.index.tolist() == [(200, 2, OFFICIAL), (200, 2, UNSEEN)]
    text = "\n".join(found.missing)
    assert "200X, fold 1: no training image of benign; left out." in text
    assert "200X, fold 2: no test image of malignant; its rates are of the other images only." in text
    assert np.isnan(found.summary.loc[(200, OFFICIAL), "roc_auc_mean"])
    assert np.isnan(found.summary.loc[(200, OFFICIAL), "image_recognition_rate_sd"])
    assert found.summary.loc[(200, OFFICIAL), "patient_recognition_rate_mean"] >= 0
    with pytest.raises(TrainingError, match="No fold can be evaluated"):
        evaluate_protocol(build_network, data, first, magnifications=[200], **OPTIONS)


def predictions_of(test, names=True, seed=0):
    return Predictions.from_arrays(
        probabilities=np.random.default_rng(seed).random(len(test)),
        labels=test.labels,
        classes=test.classes,
        cases=test.cases,
        slides=test.slides,
        paths=names_of(test) if names else None,
    )


def test_predictions_of_another_framework(data, folds):
    here = data.where(magnification=200)
    with pytest.warns(BreastclsWarning):
        train, test = here.official_fold(folds / "dsfold1.txt")
    given = predictions_of(test)
    order = np.random.default_rng(1).permutation(len(test))
    found = evaluate_protocol({(200, 1): given[order]}, data, folds, magnifications=[200])
    assert found.by_fold.index.tolist() == [(200, 1, OFFICIAL), (200, 1, UNSEEN)]
    np.testing.assert_array_equal(found.predictions[200, 1, OFFICIAL].probabilities, given.probabilities)
    known = np.isin(test.cases, train.cases)
    np.testing.assert_array_equal(found.predictions[200, 1, UNSEEN].probabilities, given.probabilities[~known])
    assert "200X, fold 2: no predictions were given." in found.missing
    fewer = evaluate_protocol({(200, 1): given[3:]}, data, folds, magnifications=[200])
    assert f"200X, fold 1: 3 of {len(test)} test images have no prediction." in fewer.missing
    expected = (given[3:].labels == given[3:].decisions).mean()
    assert fewer.by_fold.loc[(200, 1, OFFICIAL), "image_recognition_rate"] == expected
    unseen = fewer.predictions[200, 1, UNSEEN]
    np.testing.assert_array_equal(unseen.probabilities, given[3:].probabilities[~known[3:]])


def test_predictions_that_are_not_of_the_fold(data, folds):
    here = data.where(magnification=200)
    with pytest.warns(BreastclsWarning):
        train, test = here.official_fold(folds / "dsfold1.txt")
    for given, words in (
        (predictions_of(train), "not of its test images"),
        (predictions_of(test)[[0, 0, 1]], "1 twice"),
        (predictions_of(test, names=False), "give `paths`"),
    ):
        with pytest.raises(TrainingError, match=words):
            evaluate_protocol({(200, 1): given}, data, folds, magnifications=[200])
    flipped = predictions_of(test.with_classes(test.classes, {"benign": "malignant", "malignant": "benign"}))
    with pytest.raises(TrainingError, match="other labels"):
        evaluate_protocol({(200, 1): flipped}, data, folds, magnifications=[200])


def test_the_csv_of_kaggle_holds_the_same_folds(tmp_path, folds):
    rows = []
    for number in (1, 2):
        for line in (folds / f"dsfold{number}.txt").read_text(encoding="utf-8").split():
            name, magnification, fold, group = line.split("|")
            rows.append(f"{fold},{magnification},{group},BreaKHis_v1/some/{name}")
    path = tmp_path / "Folds.csv"
    path.write_text("\n".join(["fold,mag,grp,filename", *rows]), encoding="utf-8")
    assert read_folds(path) == read_folds(folds) == read_folds(sorted(folds.glob("*.txt"), reverse=True))
    with pytest.raises(TrainingError, match="holds fold 1, and so does"):
        read_folds([path, folds / "dsfold1.txt"])
    with pytest.raises(TrainingError, match="no fold file"):
        read_folds(tmp_path / "..")
    with pytest.raises(SplitError, match="Cannot read"):
        read_folds(tmp_path / "dsfold9.txt")


def test_the_result_prints_and_is_written(found, tmp_path):
    text = str(found)
    assert "in percent" in text
    mean, sd = found.summary.loc[(200, OFFICIAL), ["image_recognition_rate_mean", "image_recognition_rate_sd"]]
    assert f"{100 * mean:.1f} ± {100 * sd:.1f}" in text
    assert "100X: no image is there" in text
    content = json.loads(found.to_json(tmp_path / "found.json"))
    assert content["schema"] == "breastcls.breakhis-protocol/1"
    assert content["by_fold"]["index"][0] == [40, 1, OFFICIAL]
    assert content["settings"]["fit"] == {"epochs": 1, "augment": "none"}
    markdown = found.to_markdown(tmp_path / "found.md")
    assert (tmp_path / "found.md").read_text(encoding="utf-8") == markdown
    assert len([line for line in markdown.splitlines() if line.startswith("| ")]) == 8
    assert f"{100 * mean:.2f} ± {100 * sd:.2f}" in found.to_markdown(digits=4)


def test_runs_are_kept_and_read_again(data, folds, tmp_path):
    options = {**OPTIONS, "magnifications": [200], "run_dir": tmp_path / "runs", "val_fraction": 0.34}
    first = evaluate_protocol(build_network, data, folds / "dsfold1.txt", **options)
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["200X-fold-1-case-clean", "200X-fold-1-official"]
    again = evaluate_protocol(build_network, data, folds / "dsfold1.txt", resume=True, **options)
    for key, one in first.predictions.items():
        np.testing.assert_array_equal(one.probabilities, again.predictions[key].probabilities)


def test_wrong_arguments(data, folds):
    with pytest.raises(TrainingError, match="function that makes"):
        evaluate_protocol(build_network(), data, folds)
    with pytest.raises(TrainingError, match=r"the data holds \[40, 200\]"):
        evaluate_protocol(build_network, data, folds, magnifications=[100])
    unknown = bc.Dataset(data.table.assign(magnification=None), data.classes)
    with pytest.raises(TrainingError, match="is not known"):
        evaluate_protocol(build_network, unknown, folds)


@pytest.mark.slow
@pytest.mark.real
def test_the_published_folds_on_real_images(real_data):
    """An incomplete copy of the set is evaluated, and the missing images are counted."""
    data = bc.load_breakhis(real_data / "BreaKHis_200X_224")

    def frozen():
        return bc.build_model(
            "mobilenet",
            classes=data.classes,
            alpha=0.25,
            image_size=224,
            weights=real_data / "weights" / "mobilenet_2_5_224_tf_no_top.h5",
        )

    options = {"fine_tune": False, "augment": "none", "frozen_head": "lbfgs", "epochs": 1, "progress": False}
    folds = [real_data / "breakhis_folds" / f"dsfold{number}.txt" for number in (1, 2)]
    found = evaluate_protocol(frozen, data, folds, **options)
    text = "\n".join(found.missing)
    assert "of 2013 listed images are not there" in text
    assert "40X: no image is there, of 1995 listed." in text
    official = found.summary.loc[(200, OFFICIAL)]
    assert 0.6 < official["image_recognition_rate_mean"] < 1
    assert found.by_fold.xs(CASE_CLEAN, level="variant")["shared_case_fraction"].max() == 0


def test_ctrl_c_stops_the_protocol_and_tests_no_half_trained_model(data, folds, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    options = {**OPTIONS, "epochs": 3, "callbacks": [Interrupt()], "magnifications": (200,)}
    with (
        pytest.warns(TrainingWarning, match="Interrupted"),
        pytest.raises(KeyboardInterrupt, match=r"Interrupted in 200X, fold 1, .*resume=True"),
    ):
        evaluate_protocol(build_network, data, folds, run_dir=tmp_path / "runs", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resume": True}, "needs the folder"),
        ({"val_fraction": -1}, "val_fraction must be"),
        ({"val_fraction": 1.5}, "val_fraction must be"),
        ({"epoch": 1}, "evaluate_protocol has no argument 'epoch'.*Nearest: epochs"),
        ({"seed": "x"}, "seed is .x.; expected a whole number"),
        ({"selection": bc.training.ModelSelection(patience=3)}, "patience needs validation images"),
    ],
)
def test_wrong_arguments_are_found_before_any_training(data, folds, options, words):
    def never():
        raise AssertionError("nothing is built")

    with pytest.raises(TrainingError, match=words):
        evaluate_protocol(never, data, folds, progress=False, **options)


def test_arguments_without_effect_are_refused_if_predictions_are_given(data, folds):
    with pytest.raises(TrainingError, match="epochs, val_fraction would have no effect"):
        evaluate_protocol({}, data, folds, epochs=3, val_fraction=0.2)
    with pytest.raises(DatasetError, match="data must be a Dataset; found str"):
        evaluate_protocol({}, "folder", folds)


def test_each_training_has_its_own_log_and_tta_is_applied(data, folds, tmp_path):
    built = []

    def build_one():
        built.append(build_network())
        return built[-1]

    options = {
        **OPTIONS,
        "magnifications": [200],
        "tta": "dihedral",
        "logging": bc.training.Logging(tmp_path / "log.csv"),
    }
    found = evaluate_protocol(build_one, data, folds / "dsfold1.txt", **options)
    names = ["log-200X-fold-1-case-clean.csv", "log-200X-fold-1-official.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for model, variant in zip(built, (OFFICIAL, CASE_CLEAN), strict=True):
        predictions = found.predictions[200, 1, variant]
        row_of = {path: row for row, path in enumerate(data.paths)}
        expected = bc.predict(model, data[[row_of[path] for path in predictions.paths]], tta="dihedral")
        np.testing.assert_allclose(predictions.probabilities, expected.probabilities, atol=1e-6)
    assert found.settings["tta"] == "dihedral"
