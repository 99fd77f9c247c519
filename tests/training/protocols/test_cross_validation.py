"""Tiny networks on folds: pooled, in order, equal to what is done by hand, and resumable after any interruption."""

import dataclasses
import functools
import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.datasets.stain import fit_stain
from breastcls.errors import LeakageError, LeakageWarning, OutputError, SplitError, TrainingError, TrainingWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.metrics import compute_metrics
from breastcls.evaluation.predict import predict
from breastcls.models.card import ModelCard, get_card, set_card
from breastcls.models.ensemble import Ensemble
from breastcls.models.persistence import load_model
from breastcls.training.fit import fit
from breastcls.training.protocols.cross_validation import cross_validate

pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")  # so few cases are no news here

QUICK = {"epochs": 1, "augment": "none", "progress": False, "seed": 5}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = bc.make_breakhis(
        tmp_path_factory.mktemp("breakhis"),
        magnifications=(200,),
        slides_per_subtype=2,
        images_per_slide=2,
        image_size=(40, 56),
        seed=3,
    )
    found = bc.load_breakhis(root)
    # Not in the order of the folder, so that an order that is lost is noticed.
    return found[np.random.default_rng(0).permutation(len(found))]


def build(seed=3):
    return bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=seed, filters=(4, 4, 8, 8))


def tiny():
    """The least that learns, for what does not hang on the network: tracing a larger one is most of a test's time."""
    pixels = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
    scores = keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(pixels, scores)
    set_card(model, ModelCard(classes=("benign", "malignant"), image_size=(32, 32)))
    return model


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    return cross_validate(
        build, data, folds=3, val_fraction=0.3, run_dir=tmp_path_factory.mktemp("whole") / "cv", tta="dihedral", **QUICK
    )


def test_every_image_is_judged_once_in_the_order_of_the_data(data, undisturbed):
    found = undisturbed.predictions
    assert found.paths.tolist() == data.paths
    np.testing.assert_array_equal(found.labels, data.labels)
    assert found.cases.tolist() == data.cases.tolist()
    assert found.part == "out-of-fold"
    assert set(undisturbed.fold_of) == {1, 2, 3}
    for case in set(data.cases):
        assert len(set(undisturbed.fold_of[data.cases == case])) == 1


def test_it_equals_what_is_done_by_hand(data, undisturbed):
    for number, (rest, test) in enumerate(data.folds(3, seed=5), start=1):
        train, val = rest.split((0.7, 0.3), seed=5)
        keras.utils.clear_session()
        model = build()
        run = fit(model, train, val, **QUICK)
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
    assert undisturbed.evaluation.leakage.pictures_compared
    assert undisturbed.evaluation.leakage.test_images == len(data)
    assert not undisturbed.evaluation.leak_allowed
    assert undisturbed.evaluation.settings["tta"] == "dihedral"
    assert undisturbed.evaluation.model["backbone"] == "cnn4"
    from breastcls.evaluation.joining import join_predictions
    from breastcls.evaluation.yardsticks.colour_baseline import predict_by_colour

    by_colour = join_predictions([predict_by_colour(train, test) for train, test in data.folds(3, seed=5)])
    baseline = undisturbed.evaluation.colour_baseline
    np.testing.assert_allclose(baseline["value"], compute_metrics(by_colour)[baseline.index])
    assert baseline.loc["roc_auc", ["low", "high"]].notna().all()


def test_the_table_of_folds_and_what_is_written(data, undisturbed):
    table = undisturbed.by_fold
    assert table.index.tolist() == [1, 2, 3]
    assert table["images"].sum() == len(data)
    for number in (1, 2, 3):
        part = undisturbed.predictions[undisturbed.fold_of == number]
        assert table.loc[number, "accuracy"] == (part.decisions == part.labels).mean()
        assert table.loc[number, "cases"] == len(set(part.cases))
    text = str(undisturbed)
    assert "3 folds by case, seed 5" in text
    assert "Colour alone" in text
    assert "patient rate" in text
    content = json.loads(undisturbed.to_json())
    assert content["settings"]["fit"] == {"epochs": 1, "augment": "none"}
    assert len(content["runs"]) == 3
    assert content["by_fold"]["index"] == [1, 2, 3]
    assert json.loads((undisturbed.run_dir / "result.json").read_text()) == content
    again = bc.Predictions.from_csv(undisturbed.run_dir / "predictions.csv")
    np.testing.assert_array_equal(again.probabilities, undisturbed.predictions.probabilities)
    assert repr(undisturbed).startswith("CrossValidation(3 folds by case")


def test_the_models_are_kept_and_make_an_ensemble(data, undisturbed):
    assert [path.name for path in undisturbed.models] == ["model.keras"] * 3
    ensemble = Ensemble(undisturbed.models)
    assert set(get_card(ensemble).provenance["training"]["cases"]) == set(data.cases)
    with pytest.raises(LeakageError):
        evaluate(ensemble, data[:6])
    for number, path in enumerate(undisturbed.models, start=1):
        inside = undisturbed.fold_of == number
        found = predict(load_model(path), data[inside], tta="dihedral")
        np.testing.assert_array_equal(found.probabilities, undisturbed.predictions[inside].probabilities)


class Killed(BaseException):
    """What kill -9 is to a process, here within one."""


def assert_equal(found, expected):
    np.testing.assert_array_equal(found.predictions.probabilities, expected.predictions.probabilities)
    assert found.predictions.paths.tolist() == expected.predictions.paths.tolist()
    np.testing.assert_array_equal(found.fold_of, expected.fold_of)
    pd.testing.assert_frame_equal(found.evaluation.metrics, expected.evaluation.metrics)
    pd.testing.assert_frame_equal(found.evaluation.colour_baseline, expected.evaluation.colour_baseline)
    assert found.evaluation.model == expected.evaluation.model
    for one, other in zip(found.runs, expected.runs, strict=True):
        pd.testing.assert_frame_equal(
            one.history.drop(columns="seconds"), other.history.drop(columns="seconds"), check_dtype=False
        )
        assert one.scores == other.scores
    for one, other in zip(found.models, expected.models, strict=True):
        for mine, theirs in zip(load_model(one).get_weights(), load_model(other).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def options(tmp_path):
    return {"folds": 3, "val_fraction": 0.3, "tta": "dihedral", "run_dir": tmp_path / "cv", **QUICK}


@pytest.mark.slow
def test_killed_between_folds_it_goes_on_with_the_next(data, undisturbed, tmp_path):
    built = []

    def build_until(fold):
        def build_or_die():
            if len(built) + 1 == fold:
                raise Killed
            built.append(1)
            return build()

        return build_or_die

    with pytest.raises(Killed):
        cross_validate(build_until(3), data, **options(tmp_path))
    assert len(built) == 2
    built.clear()
    found = cross_validate(build_until(99), data, resume=True, **options(tmp_path))
    assert len(built) == 1
    assert_equal(found, undisturbed)
    built.clear()
    again = cross_validate(build_until(1), data, resume=True, **options(tmp_path))
    assert not built
    assert_equal(again, undisturbed)


@pytest.mark.slow
def test_killed_within_a_fold_or_before_its_predictions_it_goes_on_there(data, undisturbed, tmp_path, monkeypatch):
    import breastcls.training.protocols.cross_validation as module

    calls = []

    def predict_or_die(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return predict(*arguments, **keywords)

    monkeypatch.setattr(module, "predict", predict_or_die)
    with pytest.raises(Killed):
        cross_validate(build, data, **options(tmp_path))
    assert (tmp_path / "cv/fold-2/model.keras").exists()
    assert not (tmp_path / "cv/fold-2/predictions.csv").exists()
    monkeypatch.undo()

    class Deadly(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise Killed

        def on_epoch_end(self, epoch, logs=None):
            raise Killed

    trained = []

    @functools.wraps(fit)
    def fit_or_die(model, train, val, **keywords):
        trained.append(keywords["resume"])
        if len(trained) == 2:
            keywords["callbacks"] = [Deadly()]
        return fit(model, train, val, **keywords)

    monkeypatch.setattr(module, "fit", fit_or_die)
    with pytest.raises(Killed):
        cross_validate(build, data, resume=True, **options(tmp_path))
    assert trained == [True, False]
    monkeypatch.undo()
    assert (tmp_path / "cv/fold-3/config.json").exists()
    found = cross_validate(build, data, resume=True, **options(tmp_path))
    assert_equal(found, undisturbed)


def test_another_cross_validation_is_not_resumed(data, undisturbed, tmp_path):
    given = {**options(tmp_path), "resume": True}
    shutil.copytree(undisturbed.run_dir, given["run_dir"])
    with pytest.raises(OutputError, match="holds a cross-validation already"):
        cross_validate(build, data, **options(tmp_path))
    for changes, words in (
        ({"epochs": 2}, "epochs: 1 there, 2 here"),
        ({"batch_size": 8}, "batch_size: 'left out' there, 8 here"),
        ({"folds": 2}, "folds: 3 there, 2 here"),
        ({"seed": 6}, "seed: 5 there, 6 here"),
        ({"tta": None}, "tta: 'dihedral' there, None here"),
        ({"val_fraction": 0.2}, "val_fraction: 0.3 there, 0.2 here"),
    ):
        with pytest.raises(TrainingError, match=words):
            cross_validate(build, data, **{**given, **changes})
    with pytest.raises(TrainingError, match="in another order"):
        cross_validate(build, data[::-1], **given)
    table = data.table
    name = table.loc[0, "path"].rsplit("/", 1)[-1]
    table.loc[0, "slide"] = "another"
    with pytest.raises(TrainingError, match=f"1 are gone or changed .*, 1 are new, such as {name}"):
        cross_validate(build, dataclasses.replace(data, frame=table), **given)
    with pytest.raises(TrainingError, match=rf"data: {len(data)} images there, {len(data) - 1} here"):
        cross_validate(build, data[1:], **given)
    # What changes no weight may differ.
    assert_equal(cross_validate(build, data, **{**given, "allow_leakage": True}), undisturbed)

    (given["run_dir"] / "fold-2/predictions.csv").unlink()
    with pytest.raises(TrainingError, match=r"model seed: 3 there, 4 here"):
        cross_validate(lambda: build(4), data, **given)


def test_damaged_folders_are_said_to_be(data, undisturbed, tmp_path):
    given = {**options(tmp_path), "resume": True}
    shutil.copytree(undisturbed.run_dir, given["run_dir"])
    kept = given["run_dir"] / "fold-1/predictions.csv"
    text = kept.read_text()
    for damaged, words in ((text[: len(text) // 2], "predictions.csv"), ("", "is damaged"), ("a\n1\n", "is damaged")):
        kept.write_text(damaged)
        with pytest.raises(TrainingError, match=words):
            cross_validate(build, data, **given)
    kept.write_text(text)
    (given["run_dir"] / "cross-validation.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be read as a cross-validation"):
        cross_validate(build, data, **given)


def test_a_folder_in_which_nothing_was_begun_is_taken_over(data, tmp_path):
    given = {**QUICK, "folds": 2, "run_dir": tmp_path / "cv"}

    def fail():
        raise Killed

    with pytest.raises(Killed):
        cross_validate(fail, data, **given)
    assert (tmp_path / "cv/cross-validation.json").exists()
    found = cross_validate(tiny, data, **{**given, "epochs": 2})
    assert found.settings["fit"]["epochs"] == 2
    assert [run.best_epoch for run in found.runs] == [None, None]


def test_folds_by_image_leak_and_say_so(data):
    with pytest.warns(LeakageWarning, match=r"Folds by image leak[\s\S]*shared cases") as caught:
        found = cross_validate(tiny, data, folds=2, by="image", val_fraction=0.2, keep_models=True, **QUICK)
    assert len([w for w in caught if issubclass(w.category, LeakageWarning)]) == 1
    assert found.by == "image"
    assert found.evaluation.leak_allowed
    assert not found.evaluation.leakage.clean
    assert found.evaluation.leakage.test_images == len(data)
    assert "not independent" in found.evaluation.caveats[0]
    assert "not each case" in found.evaluation.caveats[1]
    assert "LEAK" in str(found)
    assert found.predictions.paths.tolist() == data.paths
    assert all(isinstance(model, keras.Model) for model in found.models)
    inside = found.fold_of == 2
    expected = predict(found.models[1], data[inside]).probabilities
    np.testing.assert_array_equal(found.predictions[inside].probabilities, expected)


def test_the_same_picture_in_two_folds_is_refused(data, tmp_path):
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
                cross_validate(build, copied, folds=2, **{**QUICK, "seed": seed})
    assert leaking


def test_without_seeds_in_build_the_seed_of_all_decides(data):
    first, second = (cross_validate(tiny, data, folds=2, **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first.predictions.probabilities, second.predictions.probabilities)
    assert first.models == ()


def test_a_stain_by_name_is_fitted_on_each_training_part(data):
    found = cross_validate(tiny, data, folds=2, stain="reinhard", keep_models=True, **QUICK)
    for (train, _), model in zip(data.folds(2, seed=5), found.models, strict=True):
        assert get_card(model).stain == fit_stain(train, "reinhard", seed=5).to_dict()
    assert found.settings["fit"]["stain"] == "reinhard"


def test_a_threshold_that_build_brings_along_is_not_used(data):
    def with_threshold():
        model = tiny()
        set_card(model, get_card(model).replace(threshold=0.9))
        return model

    assert cross_validate(with_threshold, data, folds=2, **QUICK).predictions.threshold is None


def test_precision_of_the_caller_is_kept(data):
    policy = keras.config.dtype_policy()
    seen = []

    def look():
        seen.append(keras.config.dtype_policy().name)
        return tiny()

    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        cross_validate(look, data, folds=2, precision="float32", **QUICK)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(policy)
    assert seen == ["mixed_bfloat16"] * 2


def test_ctrl_c_stops_it_all_and_says_how_to_go_on(data, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    given = {**QUICK, "epochs": 3, "folds": 2, "run_dir": tmp_path / "cv", "callbacks": [Interrupt()]}
    with (
        pytest.raises(KeyboardInterrupt, match=r"Interrupted in fold 1\. .*resume=True"),
        pytest.warns(TrainingWarning, match="Interrupted"),
    ):
        cross_validate(tiny, data, **given)


def test_progress_and_logs_of_each_fold(data, tmp_path, capsys):
    logs = {"csv": tmp_path / "log.csv", "tensorboard": tmp_path / "board"}
    cross_validate(tiny, data, folds=2, **{**QUICK, "progress": True}, **logs)
    assert {"log-fold-1.csv", "log-fold-2.csv"} <= {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in (tmp_path / "board").iterdir()} == {"fold-1", "fold-2"}
    assert "Fold 2 of 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy": "multi-worker"}, "runs on one machine"),
        ({"epoch": 3}, "no argument 'epoch', and fit takes none. Nearest: epochs"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"val_fraction": 1.0}, "val_fraction must be"),
        ({"val_fraction": True}, "val_fraction must be"),
        ({"patience": 2}, "patience needs validation images"),
        ({"resume": True}, "resume=True needs the folder"),
    ],
)
def test_arguments_that_make_no_sense(data, changes, words):
    with pytest.raises(TrainingError, match=words):
        cross_validate(build, data, **{**QUICK, **changes})


def test_other_things_that_cannot_be(data):
    for wrong in (build(), "cnn4"):
        with pytest.raises(TrainingError, match="build must be a function"):
            cross_validate(wrong, data, **QUICK)
    with pytest.raises(TrainingError, match="returned NoneType"):
        cross_validate(lambda: None, data, folds=2, **QUICK)
    with pytest.raises(SplitError):
        cross_validate(build, data, folds=99, **QUICK)
    with pytest.raises(TrainingError, match=r"1 of .* rows name a file that another row names too"):
        cross_validate(build, data + data[:1], folds=2, **QUICK)
