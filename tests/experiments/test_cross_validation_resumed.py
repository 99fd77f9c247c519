"""An interrupted cross-validation resumes with the same bits, or the error states why it cannot."""

import dataclasses
import functools
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from breastcls.errors import OutputError, TrainingError, TrainingWarning
from breastcls.experiments.cross_validation import cross_validate
from breastcls.models.persistence import load_model
from breastcls.predictions.predict import predict
from breastcls.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore::breastcls.errors.EvaluationWarning")  # the test data has few cases


class Killed(BaseException):
    """Stands for kill -9 within one process."""


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


@pytest.fixture
def options(tmp_path, quick):
    """Return the arguments of the cross-validation that is interrupted."""
    return {"folds": 3, "val_fraction": 0.3, "tta": "dihedral", "run_dir": tmp_path / "cv", **quick}


@pytest.mark.slow
def test_killed_between_folds_it_resumes_with_the_next(data, undisturbed, tmp_path, build, options):
    built = []

    def build_until(fold):
        def build_or_die():
            if len(built) + 1 == fold:
                raise Killed
            built.append(1)
            return build()

        return build_or_die

    with pytest.raises(Killed):
        cross_validate(build_until(3), data, **options)
    assert len(built) == 2
    built.clear()
    found = cross_validate(build_until(99), data, resume=True, **options)
    # One to compare it with the recorded model, one to train.
    assert len(built) == 2
    assert_equal(found, undisturbed)
    built.clear()
    again = cross_validate(build_until(2), data, resume=True, **options)
    assert len(built) == 1
    assert_equal(again, undisturbed)


@pytest.mark.slow
def test_killed_within_a_fold_or_before_its_predictions_it_resumes_there(
    data, undisturbed, tmp_path, monkeypatch, build, options
):
    from breastcls.experiments import fold_runner, fold_trainer

    calls = []

    def predict_or_die(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return predict(*arguments, **keywords)

    monkeypatch.setattr(fold_runner, "predict", predict_or_die)
    with pytest.raises(Killed):
        cross_validate(build, data, **options)
    assert (tmp_path / "cv/fold-2/model.keras").exists()
    assert not (tmp_path / "cv/fold-2/predictions.csv").exists()
    monkeypatch.undo()

    def die(*arguments, **keywords):
        raise Killed

    trained = []

    @functools.wraps(fit)
    def fit_or_die(model, train, val, **keywords):
        trained.append(keywords["resume"])
        if len(trained) == 2:
            monkeypatch.setattr("breastcls.training.trainer.run_epochs", die)
        return fit(model, train, val, **keywords)

    monkeypatch.setattr(fold_trainer, "fit", fit_or_die)
    with pytest.raises(Killed):
        cross_validate(build, data, resume=True, **options)
    assert trained == [True, False]
    monkeypatch.undo()
    assert (tmp_path / "cv/fold-3/config.json").exists()
    found = cross_validate(build, data, resume=True, **options)
    assert_equal(found, undisturbed)


def test_another_cross_validation_is_not_resumed(data, undisturbed, tmp_path, build, options):
    given = {**options, "resume": True}
    shutil.copytree(undisturbed.run_dir, given["run_dir"])
    with pytest.raises(OutputError, match="holds a cross-validation already"):
        cross_validate(build, data, **options)
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
    # Arguments that change no weight may differ.
    assert_equal(cross_validate(build, data, **{**given, "allow_leakage": True}), undisturbed)

    # Also if every fold is finished, and if the model differs in its initial weights only.
    def build_shifted():
        model = build()
        model.set_weights([weight + 0.01 for weight in model.get_weights()])
        return model

    for _ in range(2):
        with pytest.raises(TrainingError, match=r"model seed: 3 there, 4 here"):
            cross_validate(lambda: build(4), data, **given)
        with pytest.raises(TrainingError, match=r"model initial_weights: "):
            cross_validate(build_shifted, data, **given)
        (given["run_dir"] / "fold-2/predictions.csv").unlink(missing_ok=True)


def test_damaged_folders_are_reported(data, undisturbed, tmp_path, build, options):
    given = {**options, "resume": True}
    shutil.copytree(undisturbed.run_dir, given["run_dir"])
    kept = given["run_dir"] / "fold-1/predictions.csv"
    text = kept.read_text(encoding="utf-8")
    for damaged, words in ((text[: len(text) // 2], "predictions.csv"), ("", "is damaged"), ("a\n1\n", "is damaged")):
        kept.write_text(damaged, encoding="utf-8")
        with pytest.raises(TrainingError, match=words):
            cross_validate(build, data, **given)
    kept.write_text(text, encoding="utf-8")
    (given["run_dir"] / "cross-validation.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match="cannot be read as a cross-validation"):
        cross_validate(build, data, **given)


def test_a_folder_without_a_started_training_is_reused(data, tmp_path, tiny, quick):
    given = {**quick, "folds": 2, "run_dir": tmp_path / "cv"}

    def fail():
        raise Killed

    with pytest.raises(Killed):
        cross_validate(fail, data, **given)
    assert (tmp_path / "cv/cross-validation.json").exists()
    found = cross_validate(tiny, data, **{**given, "epochs": 2})
    assert found.settings["fit"]["epochs"] == 2
    assert [run.best_epoch for run in found.runs] == [None, None]


def test_ctrl_c_stops_the_cross_validation_and_the_error_states_how_to_resume(data, tmp_path, tiny, quick):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    given = {**quick, "epochs": 3, "folds": 2, "run_dir": tmp_path / "cv", "callbacks": [Interrupt()]}
    with (
        pytest.raises(KeyboardInterrupt, match=r"Interrupted in fold 1 of 2\. .*resume=True"),
        pytest.warns(TrainingWarning, match="Interrupted"),
    ):
        cross_validate(tiny, data, **given)
