"""Tiny networks on folds: pooled, in order, and equal to the same calls one by one."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import DatasetError, LeakageError, LeakageWarning, SplitError, TrainingError
from breastcls.evaluation.evaluate import evaluate
from breastcls.experiments.cross_validation import cross_validate
from breastcls.metrics.classification_metrics import compute_metrics
from breastcls.models.ensemble import build_ensemble
from breastcls.models.model_card import get_card, set_card
from breastcls.models.persistence import load_model
from breastcls.predictions.predict import predict
from breastcls.stain.fitting import fit_normalizer
from breastcls.training.fit import fit
from breastcls.training.run_options import ModelSelection, Preprocessing

pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")  # the test data has few cases


def test_every_image_is_tested_once_in_the_order_of_the_data(data, undisturbed):
    found = undisturbed.predictions
    assert found.paths.tolist() == data.paths
    np.testing.assert_array_equal(found.labels, data.labels)
    assert found.cases.tolist() == data.cases.tolist()
    assert found.part == "out-of-fold"
    assert set(undisturbed.fold_of) == {1, 2, 3}
    for case in set(data.cases):
        assert len(set(undisturbed.fold_of[data.cases == case])) == 1


def test_it_equals_fit_and_predict_on_each_fold(data, undisturbed, build, quick):
    for number, (rest, test) in enumerate(data.folds(3, seed=5), start=1):
        train, val = rest.split((0.7, 0.3), seed=5)
        keras.utils.clear_session()
        model = build()
        run = fit(model, train, val, **quick)
        expected = predict(model, test, tta="dihedral")
        found = undisturbed.predictions[undisturbed.fold_of == number]
        assert found.paths.tolist() == test.paths
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
        drop = ["seconds"]
        pd.testing.assert_frame_equal(
            undisturbed.runs[number - 1].history.drop(columns=drop), run.history.drop(columns=drop)
        )


def test_the_evaluation_is_that_of_the_pooled_predictions(data, undisturbed):
    expected = evaluate(undisturbed.predictions)
    pd.testing.assert_frame_equal(undisturbed.evaluation.metrics, expected.metrics)
    assert undisturbed.evaluation.leakage.clean
    assert undisturbed.evaluation.leakage.pixels_compared
    assert undisturbed.evaluation.leakage.test_images == len(data)
    assert not undisturbed.evaluation.leak_allowed
    assert undisturbed.evaluation.settings["tta"] == "dihedral"
    assert undisturbed.evaluation.model["seed"] == 3
    from breastcls.baselines.baseline_predictions import predict_by_baseline
    from breastcls.predictions.join_predictions import join_predictions

    by_colour = join_predictions([predict_by_baseline("colour", train, test) for train, test in data.folds(3, seed=5)])
    baseline = undisturbed.evaluation.colour_baseline
    np.testing.assert_allclose(baseline["value"], compute_metrics(by_colour)[baseline.index])
    assert baseline.loc["roc_auc", ["low", "high"]].notna().all()


def test_the_table_of_folds_and_the_files(data, undisturbed):
    table = undisturbed.by_fold
    assert table.index.tolist() == [1, 2, 3]
    assert table["images"].sum() == len(data)
    for number in (1, 2, 3):
        part = undisturbed.predictions[undisturbed.fold_of == number]
        assert table.loc[number, "accuracy"] == (part.decisions == part.labels).mean()
        assert table.loc[number, "cases"] == len(set(part.cases))
    text = str(undisturbed)
    assert "3 folds by case, seed 5" in text
    assert "Colour-only baseline" in text
    assert "Fold by fold" in text
    assert "Fold  Best epoch  Seconds" in text
    content = json.loads(undisturbed.to_json())
    assert content["settings"]["fit"] == {"epochs": 1, "augment": "none"}
    assert len(content["runs"]) == 3
    assert content["by_fold"]["index"] == [1, 2, 3]
    assert json.loads((undisturbed.run_dir / "result.json").read_text(encoding="utf-8")) == content
    again = bc.Predictions.from_csv(undisturbed.run_dir / "predictions.csv")
    np.testing.assert_array_equal(again.probabilities, undisturbed.predictions.probabilities)
    assert repr(undisturbed).startswith("CrossValidation(3 folds by case")


def test_the_models_are_kept_and_make_an_ensemble(data, undisturbed):
    assert [path.name for path in undisturbed.models] == ["model.keras"] * 3
    ensemble = build_ensemble(undisturbed.models)
    assert set(get_card(ensemble).provenance["training"]["cases"]) == set(data.cases)
    with pytest.raises(LeakageError):
        evaluate(ensemble, data[:6])
    for number, path in enumerate(undisturbed.models, start=1):
        inside = undisturbed.fold_of == number
        found = predict(load_model(path), data[inside], tta="dihedral")
        np.testing.assert_array_equal(found.probabilities, undisturbed.predictions[inside].probabilities)


def test_folds_by_image_leak_and_the_result_states_it(data, tiny, quick):
    with pytest.warns(LeakageWarning, match=r"Folds by image cause a leak[\s\S]*shared cases?") as caught:
        found = cross_validate(tiny, data, folds=2, by="image", val_fraction=0.2, keep_models=True, **quick)
    assert len([w for w in caught if issubclass(w.category, LeakageWarning)]) == 1
    assert found.by == "image"
    assert found.evaluation.leak_allowed
    assert not found.evaluation.leakage.clean
    assert found.evaluation.leakage.test_images == len(data)
    assert "not independent" in found.evaluation.limitations[0]
    assert "not each case" in found.evaluation.limitations[1]
    assert "LEAK" in str(found)
    assert found.predictions.paths.tolist() == data.paths
    assert all(isinstance(model, keras.Model) for model in found.models)
    inside = found.fold_of == 2
    expected = predict(found.models[1], data[inside]).probabilities
    np.testing.assert_array_equal(found.predictions[inside].probabilities, expected)


def test_the_same_picture_in_two_folds_is_refused(data, tmp_path, build, quick):
    table = data.table
    first, other = table.index[0], table.index[table["case"] != table.loc[0, "case"]][0]
    copy = tmp_path / "copy.png"
    shutil.copy(table.loc[first, "path"], copy)
    table.loc[other, "path"] = str(copy)
    copied = dataclasses.replace(data, frame=table)
    leaking = 0
    for seed in range(8):
        folds = {path: n for n, (_, test) in enumerate(copied.folds(2, seed=seed)) for path in test.paths}
        if folds[str(copy)] != folds[table.loc[first, "path"]]:
            leaking += 1
            with pytest.raises(LeakageError, match=r"copy\.png"):
                cross_validate(build, copied, folds=2, **{**quick, "seed": seed})
    assert leaking


def test_seed_makes_an_unseeded_build_repeat(data, tiny, quick):
    first, second = (cross_validate(tiny, data, folds=2, **quick) for _ in range(2))
    np.testing.assert_array_equal(first.predictions.probabilities, second.predictions.probabilities)
    assert first.models == ()


def test_a_stain_by_name_is_fitted_on_each_training_part(data, tiny, quick):
    found = cross_validate(
        tiny, data, folds=2, preprocessing=Preprocessing(stain="reinhard"), keep_models=True, **quick
    )
    for (train, _), model in zip(data.folds(2, seed=5), found.models, strict=True):
        assert get_card(model).stain == fit_normalizer(train, "reinhard", seed=5).to_dict()
    assert found.settings["fit"]["preprocessing"]["stain"] == "reinhard"


def test_a_threshold_in_the_card_of_build_is_not_used(data, tiny, quick):
    def with_threshold():
        model = tiny()
        set_card(model, get_card(model).replace(threshold=0.9))
        return model

    assert cross_validate(with_threshold, data, folds=2, **quick).predictions.threshold is None


def test_precision_of_the_caller_is_kept(data, tiny, quick):
    policy = keras.config.dtype_policy()
    seen = []

    def look():
        seen.append(keras.config.dtype_policy().name)
        return tiny()

    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        cross_validate(look, data, folds=2, devices=bc.training.Devices(precision="float32"), **quick)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(policy)
    assert seen == ["mixed_bfloat16"] * 2


def test_progress_and_logs_of_each_fold(data, tmp_path, capsys, tiny, quick):
    logs = {"logging": bc.training.Logging(tmp_path / "log.csv", tmp_path / "board")}
    cross_validate(tiny, data, folds=2, **{**quick, "progress": True}, **logs)
    assert {"log-fold-1.csv", "log-fold-2.csv"} <= {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in (tmp_path / "board").iterdir()} == {"fold-1", "fold-2"}
    assert "Fold 2 of 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"devices": "multi-worker"}, "runs on one machine"),
        ({"epoch": 3}, "no argument 'epoch', and fit takes none. Nearest: epochs"),
        ({"epochs": 0}, "epochs is .*; expected a whole number of at least 1"),
        ({"val_fraction": 1.0}, "val_fraction must be"),
        ({"val_fraction": True}, "val_fraction must be"),
        ({"selection": ModelSelection(patience=2)}, "patience needs validation images"),
        ({"resume": True}, "resume=True needs the folder"),
    ],
)
def test_invalid_arguments_are_refused(data, changes, words, build, quick):
    with pytest.raises(TrainingError, match=words):
        cross_validate(build, data, **{**quick, **changes})


def test_invalid_builds_and_data_are_refused(data, build, quick):
    for wrong in (build(), "cnn4"):
        with pytest.raises(TrainingError, match="build must be a function"):
            cross_validate(wrong, data, **quick)
    with pytest.raises(TrainingError, match="returned NoneType"):
        cross_validate(lambda: None, data, folds=2, **quick)
    with pytest.raises(SplitError):
        cross_validate(build, data, folds=99, **quick)
    with pytest.raises(TrainingError, match=r"1 of .* rows name a file that another row names too"):
        cross_validate(build, data + data[:1], folds=2, **quick)


def test_one_centre_is_left_out_after_the_other(data, tiny, quick):
    numbers = {case: place for place, case in enumerate(sorted(set(data.cases)))}
    # Subtypes are numbered in order, two cases each: every centre has both classes.
    centres = [("Lyon", "Oslo")[numbers[case] % 2] for case in data.cases]
    split = dataclasses.replace(data, frame=data.table.assign(centre=centres))
    found = cross_validate(tiny, split, folds="leave-one-out", by="centre", progress=False, **quick)
    assert found.folds == 2
    assert found.fold_of.tolist() == [("Lyon", "Oslo").index(name) + 1 for name in centres]
    assert "2 folds by centre" in str(found)
    assert "not fitted on its centre" in str(found)
    assert found.predictions.columns["centre"].tolist() == centres
    with pytest.raises(TrainingError, match="the same for every seed"):
        cross_validate(tiny, split, folds="leave-one-out", by="centre", repeats=2, progress=False, **quick)


def test_data_without_labels_or_cases_is_refused(data, tiny, quick):
    bare = data.table.drop(columns=["label", "case", "slide"])
    with pytest.raises(DatasetError, match=r"Cross-validation .* needs labels"):
        cross_validate(tiny, bc.Dataset(bare), progress=False, **quick)
    labelled = bc.Dataset(bare.assign(label=data.table["label"]), data.classes)
    with pytest.raises(DatasetError, match="case of these images is not known"):
        cross_validate(tiny, labelled, progress=False, **quick)
