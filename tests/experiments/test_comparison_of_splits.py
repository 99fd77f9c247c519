import json
import warnings

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import breastcls as bc
from breastcls.baselines.baseline_predictions import cross_validate_baselines
from breastcls.errors import BreastclsWarning, LeakageWarning, TrainingError
from breastcls.experiments.comparison_of_splits import compare_splits
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from support.training_fixtures import build_network

OPTIONS = {
    "folds": 2,
    "epochs": 1,
    "augment": "none",
    "progress": False,
    "bootstrap": Bootstrap(200, method="percentile"),
}
METRICS = ("balanced_accuracy", "roc_auc")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = bc.datasets.make_breakhis(
        tmp_path_factory.mktemp("tree"),
        magnifications=(200,),
        slides_per_subtype=4,
        images_per_slide=2,
        image_size=(48, 64),
    )
    return bc.load_breakhis(root)


@pytest.fixture(scope="module")
def found(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error", BreastclsWarning)
        return compare_splits(build_network, data, **OPTIONS)


def test_each_split_equals_its_cross_validation(found, data):
    result = bc.cross_validate(build_network, data, folds=2, by="case", epochs=1, augment="none", progress=False)
    np.testing.assert_array_equal(found.predictions["model", "case"].probabilities, result.predictions.probabilities)
    with pytest.warns(LeakageWarning):
        simple = cross_validate_baselines(data, folds=2, by="image", baselines=["colour"])["colour"]
    np.testing.assert_array_equal(found.predictions["colour", "image"].probabilities, simple.probabilities)
    assert all(one.paths.tolist() == data.paths for one in found.predictions.values())
    assert {split: len(runs) for split, runs in found.runs.items()} == {"image": 2, "slide": 2, "case": 2}


def test_the_tables_hold_the_scores_of_scikit_learn_and_their_differences(found):
    splits = ["image", "slide", "case"]
    assert found.table.index.tolist() == [(name, split) for name in ("model", "colour") for split in splits]
    for (name, split), one in found.predictions.items():
        row = found.table.loc[(name, split)]
        expected = {
            "balanced_accuracy": balanced_accuracy_score(one.labels, one.decisions),
            "roc_auc": roc_auc_score(one.labels, one.positive),
        }
        for metric in METRICS:
            assert row[metric] == expected[metric]
            assert row[f"{metric}_low"] <= row[metric] <= row[f"{metric}_high"]
            if split != "case":
                by_case = found.table.loc[(name, "case"), metric]
                assert found.inflation.loc[(name, split, metric), "difference"] == row[metric] - by_case


def test_the_interval_is_paired_over_cases(found):
    """By a loop: draw cases, score both with scikit-learn, subtract."""
    image_wise, case_wise = found.predictions["colour", "image"], found.predictions["colour", "case"]
    rows_of = [np.flatnonzero(image_wise.cases == case) for case in dict.fromkeys(image_wise.cases)]
    differences = []
    for block in Bootstrap(200, method="percentile").weights(CaseStatistics.of(image_wise).strata):
        for weights in block:
            rows = np.concatenate([np.repeat(rows, int(count)) for rows, count in zip(rows_of, weights, strict=True)])
            y = image_wise.labels[rows]
            differences.append(roc_auc_score(y, image_wise.positive[rows]) - roc_auc_score(y, case_wise.positive[rows]))
    bounds = found.inflation.loc[("colour", "image", "roc_auc"), ["low", "high"]].tolist()
    assert bounds == pytest.approx(np.quantile(differences, [0.025, 0.975]).tolist())


def test_the_leak_is_counted(found, data):
    with pytest.warns(LeakageWarning):
        pairs = data.folds(2, by="image")
    known = sum(np.isin(test.cases, train.cases).sum() for train, test in pairs) / len(data)
    shares = found.table["shared_case_fraction"]
    assert shares["model", "image"] == known
    assert shares["model", "case"] == 0
    assert 0 < shares["model", "slide"] < known


def test_the_result_prints_and_is_written(found, tmp_path):
    text = str(found)
    assert "64 images, 32 slides, 24 cases; 2 folds" in text
    assert "image-wise" in text
    assert text.count("AUC") >= 3
    assert len(found.verdicts) == 3
    content = json.loads(found.to_json(tmp_path / "found.json"))
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == content
    assert content["schema"] == "breastcls.split-comparison/1"
    assert content["table"]["index"][0] == ["model", "image"]
    assert content["settings"]["fit"] == {"epochs": 1, "augment": "none"}
    assert len(content["runs"]["case"]) == 2
    markdown = found.to_markdown(tmp_path / "found.md")
    assert (tmp_path / "found.md").read_text(encoding="utf-8") == markdown
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(lines) == 8
    assert len({line.count("|") for line in lines}) == 1
    assert f"{found.table.loc[('model', 'case'), 'roc_auc']:.3f}" in markdown
    assert f"{found.table.loc[('model', 'case'), 'roc_auc']:.2f} (" in found.to_markdown(digits=2)


def test_slide_wise_folds_are_left_out_if_every_case_has_one_slide(easy):
    found = compare_splits(build_network, easy, metrics="log_loss", **OPTIONS)
    assert [split for name, split in found.table.index if name == "model"] == ["image", "case"]
    assert "one slide" in found.limitations[0]
    assert found.verdicts == (), "a lower loss is better, so there is no verdict about a score"
    with pytest.raises(TrainingError, match="Compare 'image'"):
        compare_splits(build_network, easy, splits=["slide", "case"], **OPTIONS)


def test_a_written_run_is_resumed(easy, tmp_path, monkeypatch):
    options = {**OPTIONS, "run_dir": tmp_path / "runs"}
    first = compare_splits(build_network, easy, **options)
    assert (tmp_path / "runs" / "by-image" / "result.json").is_file()

    def never(*arguments, **keywords):
        raise AssertionError("finished folds are not trained again")

    monkeypatch.setattr("breastcls.experiments.fold_trainer.fit", never)
    again = compare_splits(build_network, easy, resume=True, **options)
    np.testing.assert_array_equal(
        again.predictions["model", "image"].probabilities, first.predictions["model", "image"].probabilities
    )


@pytest.mark.parametrize("splits", [("image",), ("case",), ("case", "patient"), "case"])
def test_invalid_splits_are_refused(easy, splits):
    with pytest.raises(TrainingError, match="expected 'case'"):
        compare_splits(build_network, easy, splits=splits, **OPTIONS)


@pytest.mark.slow
@pytest.mark.real
def test_the_split_alone_inflates_on_real_images(real_data):
    data = bc.load_breakhis(real_data / "BreaKHis_200X_224")

    def frozen():
        return bc.build_model(
            "mobilenet",
            classes=data.classes,
            alpha=0.25,
            image_size=224,
            weights=real_data / "weights" / "mobilenet_2_5_224_tf_no_top.h5",
        )

    options = {**OPTIONS, "folds": 3, "fine_tune": False, "frozen_head": "lbfgs"}
    found = compare_splits(frozen, data, splits=("image", "case"), **options)
    for name in ("model", "colour"):
        assert found.inflation.loc[(name, "image", "roc_auc"), "difference"] > 0.05
    assert found.table.loc[("model", "image"), "roc_auc"] > 0.9
