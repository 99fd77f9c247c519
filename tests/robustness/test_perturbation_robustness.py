import json

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import breastcls as bc
from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning, LeakageError, RegistryError
from breastcls.evaluation.sections.robustness_section import robustness_table
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predict import predict
from breastcls.robustness.perturbation_robustness import DEFAULT, measure_robustness
from breastcls.robustness.perturbations import PERTURBATIONS, Perturbation, list_perturbations


@pytest.fixture(scope="module")
def swept(pictures):
    from breastcls.models.building import build_model

    model = build_model("cnn4", classes=pictures.classes, image_size=24, weights=None, seed=0)
    return measure_robustness(model, pictures, bootstrap=Bootstrap(50), batch_size=8), model


def test_every_perturbation_is_tried(swept):
    table = swept[0].table
    assert list_perturbations() == DEFAULT
    assert table["perturbation"].unique().tolist() == list(DEFAULT)
    for name, rows in table.groupby("perturbation"):
        assert sorted(rows["strength"].unique()) == sorted({0.0, *PERTURBATIONS[name].strengths})
        assert set(rows["metric"]) == {"balanced_accuracy", "roc_auc"}
        assert set(rows["unit"]) == {PERTURBATIONS[name].unit}
    assert (table["low"] <= table["high"]).all()
    assert {"perturbation", "strength", "metric", "value", "low", "high"} <= set(table.columns)


def test_strength_nought_is_the_clean_score_exactly(swept, pictures):
    found, model = swept
    clean = bc.evaluate(model, pictures, bootstrap=Bootstrap(50), batch_size=8).metrics
    unchanged = found.table[found.table["strength"] == 0]
    assert len(unchanged) == 2 * len(DEFAULT)
    for row in unchanged.itertuples():
        assert [row.value, row.low, row.high] == clean.loc[row.metric, ["value", "low", "high"]].tolist()
        assert row.change == 0
        # The same images have no difference in any resample, which is no estimate of certainty.
        assert np.isnan([row.change_low, row.change_high]).all()
        assert row.change_reason == "no-variation"


def test_blur_by_hand(pictures, colour_model, tmp_path):
    """Blur the files with OpenCV, predict those, score with scikit-learn."""
    model = colour_model()
    found = measure_robustness(
        model, pictures, perturbations="blur", strengths={"blur": [1.5]}, bootstrap=Bootstrap(20)
    ).table
    paths = []
    for path in pictures.paths:
        paths.append(str(tmp_path / path.rsplit("/", 1)[-1]))
        cv2.imwrite(paths[-1], cv2.GaussianBlur(cv2.imread(path), (0, 0), 1.5))
    blurred = predict(model, Dataset(pictures.table.assign(path=paths), pictures.classes))
    values = found[found["strength"] == 1.5].set_index("metric")["value"]
    assert values["roc_auc"] == roc_auc_score(blurred.labels, blurred.positive)
    assert values["balanced_accuracy"] == balanced_accuracy_score(blurred.labels, blurred.decisions)


def test_a_model_of_colour_minds_colour(pictures, colour_model):
    found = measure_robustness(
        colour_model(), pictures, perturbations=("brightness", "jpeg"), bootstrap=Bootstrap(50)
    ).table
    worst = found[found["metric"] == "balanced_accuracy"].groupby("perturbation")["value"].min()
    assert worst["brightness"] == 0.5
    assert worst["jpeg"] > 0.8


def test_the_seed_and_nothing_else_decides(pictures, colour_model):
    options = {
        "perturbations": ("stain", "noise"),
        "strengths": {"stain": [0.5], "noise": [40]},
        "bootstrap": Bootstrap(20),
    }
    first = measure_robustness(colour_model(), pictures, **options)
    order = np.random.default_rng(0).permutation(len(pictures))
    again = measure_robustness(colour_model(), pictures[order], batch_size=5, **options)
    for column in ("value", "change"):
        np.testing.assert_allclose(first.table[column], again.table[column], atol=1e-9)
    other = measure_robustness(colour_model(), pictures, seed=1, metrics="log_loss", **options).table["value"]
    same = measure_robustness(colour_model(), pictures, metrics="log_loss", **options).table["value"]
    assert (other != same).any()


@pytest.mark.filterwarnings("ignore:The class:breastcls.errors.EvaluationWarning")
def test_images_of_a_slide_are_stained_alike(pictures, colour_model, tmp_path):
    image = cv2.imread(pictures.paths[0])
    paths = [str(tmp_path / f"{number}.png") for number in range(4)]
    for path in paths:
        cv2.imwrite(path, image)
    copies = Dataset.from_columns(
        pictures.classes, path=paths, label=["benign"] * 4, case=list("aabb"), slide=["s", "s", "t", "t"]
    )
    seen = {}

    def note(image, strength, generator):
        changed = PERTURBATIONS["stain"](image, strength, generator)
        seen.setdefault("all", []).append(changed.tobytes())
        return changed

    mine = Perturbation("mine", "As stain.", "", (0.3,), note, shared_by="slide")
    measure_robustness(colour_model(), copies, perturbations=[mine], metrics=["accuracy"], bootstrap=Bootstrap(10))
    assert len(seen["all"]) == 4
    assert len(set(seen["all"])) == 2


def test_few_cases_are_limitations(pictures, colour_model):
    """One benign case remains: `evaluate` of the same images is the reference."""
    model = colour_model()
    few = pictures.where(np.isin(pictures.cases, ["case 0", "case 1", "case 3", "case 5", "case 7", "case 9"]))
    options = {
        "metrics": ("specificity", "recall", "roc_auc"),
        "perturbations": "brightness",
        "bootstrap": Bootstrap(50),
    }
    with pytest.warns(EvaluationWarning, match="The class benign has only 1 case scored"):
        found = measure_robustness(model, few, **options)
    with pytest.warns(EvaluationWarning, match="benign has only 1 case"):
        alone = bc.evaluate(model, few, bootstrap=Bootstrap(50))
    on_both = found.table["metric"] != "recall"
    assert found.table[on_both][["low", "change_low"]].isna().all(axis=None)
    assert found.table[~on_both]["low"].notna().all()
    kept = found.limitations
    assert "has only 1 case" in kept[0]
    assert set(kept) <= set(alone.limitations)
    assert all(f"  - {limitation}" in str(found) for limitation in found.limitations)
    assert found.to_dict()["limitations"] == list(found.limitations)
    whole = alone.with_sections(robustness=found)
    assert whole.limitations == (*alone.limitations, *(f"Robustness: {limitation}" for limitation in found.limitations))
    assert kept[0] in robustness_table(whole.robustness, whole).caption
    # What takes the place of a section, or takes it away, takes its limitations away.
    assert whole.with_sections(robustness=None).limitations == alone.limitations
    assert whole.with_sections(robustness=found).limitations == whole.limitations
    with pytest.warns(EvaluationWarning, match="benign has only 1 case"):
        checks = bc.robustness.check_shortcuts(
            model, few, checks="grey", metrics="specificity", bootstrap=Bootstrap(50)
        )
    assert checks.limitations == tuple(kept)
    assert f"  - {kept[0]}" in str(checks)
    assert np.isnan(checks.table.loc["grey", "specificity_low"])


def test_it_prints_plots_and_serialises(swept, tmp_path, pictures):
    found, model = swept
    text = str(found)
    assert "40 images of 10 cases" in text
    assert all(name in text for name in DEFAULT)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["counts"] == {"images": 40, "cases": 10}
    assert content["limitations"] == list(found.limitations)
    assert len(content["table"]["data"]) == len(found.table)
    figure = found.plot(tmp_path / "robustness.svg", metric="balanced_accuracy")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [name.capitalize() for name in DEFAULT]
    assert (tmp_path / "robustness.svg").stat().st_size > 5_000
    found.plot(tmp_path / "narrow.svg", width_mm=85)
    assert 'width="240.9' in (tmp_path / "narrow.svg").read_text(encoding="utf-8"), "85 mm in points"
    with pytest.raises(EvaluationError, match="was not measured"):
        found.plot(metric="f1")
    kept = bc.evaluate(model, pictures, bootstrap=Bootstrap(20)).with_sections(robustness=found.table)
    pd.testing.assert_frame_equal(kept.robustness, found.table)


def test_wrong_arguments(pictures, colour_model):
    model = colour_model()
    with pytest.raises(RegistryError, match="Did you mean 'blur'"):
        measure_robustness(model, pictures, perturbations=["blurr"])
    with pytest.raises(EvaluationError, match="names 'blur'"):
        measure_robustness(model, pictures, perturbations=["jpeg"], strengths={"blur": [1]})
    with pytest.raises(EvaluationError, match="several different ones"):
        measure_robustness(model, pictures, perturbations=["jpeg", "jpeg"])
    with pytest.raises(EvaluationError, match="several different ones"):
        measure_robustness(model, pictures, perturbations=[])
    with pytest.raises(EvaluationError, match="metrics"):
        measure_robustness(model, pictures, metrics=["auc"])
    seen = colour_model(provenance={"training": {"cases": ["case 0"]}})
    with pytest.raises(LeakageError):
        measure_robustness(seen, pictures)
