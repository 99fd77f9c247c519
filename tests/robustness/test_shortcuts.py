import json

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import breastcls as bc
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, ImageError
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predict import predict
from breastcls.robustness.shortcut_interpretation import CHECKS, UNPERTURBED, interpret_checks
from breastcls.robustness.shortcuts import check_shortcuts
from breastcls.stain.fitting import fit_normalizer

QUICK = {"bootstrap": Bootstrap(100), "stain": "reinhard", "grid": 4}


def rewritten(data, folder, change):
    paths = []
    for path in data.paths:
        paths.append(str(folder / path.rsplit("/", 1)[-1]))
        image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        cv2.imwrite(paths[-1], cv2.cvtColor(change(image), cv2.COLOR_RGB2BGR))
    return Dataset(data.table.assign(path=paths), data.classes)


@pytest.fixture(scope="module")
def found(pictures):
    from breastcls.models.building import build_model

    model = build_model("cnn4", classes=pictures.classes, image_size=24, weights=None, seed=0)
    return check_shortcuts(model, pictures, **QUICK)


def test_one_row_a_check(found):
    assert found.table.index.tolist() == [UNPERTURBED, *CHECKS]
    for metric in ("balanced_accuracy", "roc_auc"):
        assert (found.table[f"{metric}_low"] <= found.table[f"{metric}_high"]).all()
        change = found.table[metric] - found.table.loc[UNPERTURBED, metric]
        np.testing.assert_allclose(found.table[f"{metric}_change"], change)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("grey", lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)),
        ("mean colour", lambda image: np.full_like(image, image.mean(axis=(0, 1)).round().astype(np.uint8))),
    ],
)
def test_checks_by_hand(pictures, colour_model, tmp_path, check, change):
    """Write the perturbed images to files and predict those."""
    model = colour_model()
    table = check_shortcuts(model, pictures, checks=[check], **QUICK).table
    expected = predict(model, rewritten(pictures, tmp_path, change))
    assert table.loc[check, "roc_auc"] == roc_auc_score(expected.labels, expected.positive)
    plain = predict(model, pictures)
    assert table.loc[UNPERTURBED, "roc_auc"] == roc_auc_score(plain.labels, plain.positive)


@pytest.mark.filterwarnings("ignore:The class:breastcls.errors.EvaluationWarning")
def test_one_stain_is_that_of_the_training_images(pictures, colour_model, tmp_path):
    model, train = colour_model(), pictures[:16]
    table = check_shortcuts(model, pictures[16:], train, checks="normalised stain", seed=5, **QUICK).table
    normalizer = fit_normalizer(train, "reinhard", seed=5)
    expected = predict(model, rewritten(pictures[16:], tmp_path, normalizer.transform))
    assert table.loc["normalised stain", "roc_auc"] == roc_auc_score(expected.labels, expected.positive)
    given = check_shortcuts(
        model, pictures[16:], checks="normalised stain", seed=5, bootstrap=Bootstrap(100), grid=4, stain=normalizer
    )
    assert given.table.loc["normalised stain", "roc_auc"] == table.loc["normalised stain", "roc_auc"]
    assert given.settings["stain"] == "reinhard"


def test_a_colour_model_is_detected(pictures, colour_model):
    """The model uses the mean colour alone: shuffling pixels keeps it, stain normalisation removes it."""
    found = check_shortcuts(colour_model(), pictures, **QUICK)
    aucs = found.table["roc_auc"]
    assert aucs[UNPERTURBED] > 0.95
    assert aucs["pixels"] > 0.9
    assert aucs["blocks"] > 0.9
    assert aucs["mean colour"] > 0.9
    assert aucs["normalised stain"] < 0.8
    sentences = dict(zip(CHECKS, found.interpretation, strict=True))
    assert sentences["blocks"].startswith("Blocks: ROC AUC ")
    assert "may not need the arrangement of the blocks" in sentences["blocks"]


def test_the_seed_determines_the_scores(pictures, colour_model):
    def scores(**options):
        return check_shortcuts(colour_model(), pictures, checks=["blocks", "pixels"], metrics="log_loss", **options)

    first, again, other = (scores(**QUICK, seed=seed).table["log_loss"] for seed in (0, 0, 1))
    pd.testing.assert_series_equal(first, again)
    assert (first != other).any()


def test_it_prints_serialises_and_can_be_attached(found, pictures, draw):
    text = str(found)
    assert "40 images of 10 cases" in text
    assert all(name in text for name in CHECKS)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["settings"]["grid"] == 4
    assert content["counts"]["not_normalised"] == 0
    attached = bc.evaluate(draw(1), bootstrap=Bootstrap(20)).with_sections(shortcuts=found.table)
    assert attached.shortcuts.equals(found.table)


def checks_of(clean, perturbed, metric="roc_auc"):
    columns = [f"{metric}{end}" for end in ("", "_low", "_high", "_change", "_change_low", "_change_high")]
    return pd.DataFrame([clean, perturbed], index=[UNPERTURBED, "grey"], columns=columns)


def test_interpretations():
    nothing = interpret_checks(checks_of([0.55, 0.4, 0.7, 0, 0, 0], [0.5, 0.4, 0.6, -0.05, -0.1, 0.0]), 2)
    assert len(nothing) == 1
    assert "not significantly better than chance" in nothing[0]
    clean = [0.9, 0.8, 1.0, 0, 0, 0]
    for perturbed, words in (
        ([0.9, 0.8, 1.0, 0.0, -0.1, 0.1], "may not need colour"),
        ([0.7, 0.6, 0.8, -0.2, -0.3, -0.1], "Part of the performance comes from brightness"),
        ([0.55, 0.4, 0.7, -0.35, -0.4, -0.2], "Not significantly above chance from brightness"),
        ([0.6, 0.3, 0.9, -0.3, -0.7, 0.1], "too wide to show"),
    ):
        (sentence,) = interpret_checks(checks_of(clean, perturbed), 2)
        assert words in sentence
        assert f"{(perturbed[0] - 0.5) / 0.4:.0%} of the difference from chance" in sentence
    found = checks_of([0.8, 0.7, 0.9, 0, 0, 0], [0.4, 0.3, 0.5, -0.4, -0.5, -0.3], "balanced_accuracy")
    assert "33% of the difference from chance" in interpret_checks(found, 5)[0]
    assert interpret_checks(checks_of(clean, clean, "brier"), 2) == ()
    assert interpret_checks(checks_of(clean, clean), 1) == ()
    (few,) = interpret_checks(checks_of(clean, clean), 2, few=True)
    assert few.startswith("A class has fewer than 5 cases, which are too few to interpret the checks (ROC AUC")


def test_wrong_arguments(pictures, colour_model):
    with pytest.raises(EvaluationError, match=r"holds \['gray'\]"):
        check_shortcuts(colour_model(), pictures, checks=["gray"])
    with pytest.raises(EvaluationError, match="nothing"):
        check_shortcuts(colour_model(), pictures, checks=[])
    with pytest.raises(ImageError, match="cannot be cut into 64"):
        check_shortcuts(colour_model(), pictures, checks=["blocks"], grid=64)
