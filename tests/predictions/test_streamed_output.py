import os
import pathlib
import signal
import subprocess
import sys
import weakref

import keras
import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetWarning, EvaluationError, ImageError, OutputError
from breastcls.models.model_card import ModelCard, set_card
from breastcls.models.persistence import save_model
from breastcls.predictions import image_stream, streamed_output
from breastcls.predictions.file_list import FileList
from breastcls.predictions.output_parts import OutputParts
from breastcls.predictions.predict import predict
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.streamed_output import predict_to_file
from support.platforms import POSIX

BINARY = ("benign", "malignant")


def make_model(size=(8, 8), seed=1):
    pixels = keras.Input((*size, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 50, -2)(pixels))
    layer = keras.layers.Dense(2, "softmax", kernel_initializer=keras.initializers.RandomNormal(0, 1, seed=seed))
    model = keras.Model(pixels, layer(pooled))
    set_card(model, ModelCard(classes=BINARY, image_size=size, threshold=0.4))
    return model


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(streamed_output, "_PART_IMAGES", 4)


@pytest.fixture
def files(make_folder):
    return make_folder(11, 8, 10)


class Interrupted(BaseException):
    pass


def interrupt_after(monkeypatch, parts):
    """Interrupt the process, so to say, after so many parts; then let it run."""
    finish = OutputParts.finish

    def stop(self, number, record, state):
        finish(self, number, record, state)
        if number + 1 == parts:
            raise Interrupted

    monkeypatch.setattr(OutputParts, "finish", stop)
    return lambda: monkeypatch.setattr(OutputParts, "finish", finish)


def test_the_rows_are_those_of_predict(model, files, tmp_path):
    found = predict_to_file(model, pathlib.Path(files[0]).parent, tmp_path / "out.csv", batch_size=2)
    expected = predict(model, files, batch_size=2)
    expected.to_csv(tmp_path / "expected.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    assert found.images == 11
    assert found.predicted == {"benign": int((expected.decisions == 0).sum()), "malignant": expected.decisions.sum()}
    assert str(found).startswith("out.csv: 11 images (predicted: benign ")
    assert found.to_dict()["file"] == "out.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected.csv", "images", "out.csv"]
    read = Predictions.from_csv(tmp_path / "out.csv", root=pathlib.Path(files[0]).parent)
    assert read.paths.tolist() == files
    assert read.threshold == 0.4


def test_columns_that_only_some_images_have(model, files, tmp_path):
    data = Dataset.from_columns(
        path=files,
        case=[f"c{number}" for number in range(11)],
        magnification=[None] * 4 + [40] * 7,
        subtype=["DC"] + [None] * 10,
        age=[None] * 8 + [50, 51, 52],
    )
    predict_to_file(model, data, tmp_path / "out.csv")
    predict(model, data, batch_size=4).to_csv(tmp_path / "expected.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_parquet_holds_the_same_rows(model, files, tmp_path):
    pytest.importorskip("pyarrow")
    data = Dataset.from_columns(path=files, magnification=[None] * 4 + [40] * 7, age=[None] * 8 + [50, 51, 52])
    predict_to_file(model, data, tmp_path / "out.parquet", batch_size=2)
    table = pd.read_parquet(tmp_path / "out.parquet")
    expected = predict(model, data, batch_size=2)
    np.testing.assert_array_equal(table["probability_malignant"].to_numpy(), expected.positive)
    assert table["path"].tolist() == expected.relative_paths.tolist()
    assert table["magnification"].tolist() == [-1] * 4 + [40] * 7
    assert table["age"].dropna().tolist() == [50, 51, 52]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_interrupted_call_continues_and_gives_the_same_bytes(model, files, tmp_path, monkeypatch, suffix):
    pytest.importorskip("pyarrow")
    whole, target = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    pathlib.Path(files[1]).write_bytes(b"")
    with pytest.warns(DatasetWarning, match=r"1 image of 11 .* lists the reasons\. First: 001\.png: the file is empty"):
        predict_to_file(model, files, whole, batch_size=2, on_error="skip")
    let_run = interrupt_after(monkeypatch, 2)
    with pytest.raises(Interrupted):
        predict_to_file(model, files, target, batch_size=2, on_error="skip")
    assert not target.exists()
    let_run()
    (tmp_path / f"out{suffix}.parts" / f"000002{suffix}").write_bytes(b"half of a part")
    with pytest.warns(DatasetWarning):
        found = predict_to_file(model, files, target, batch_size=2, on_error="skip")
    assert target.read_bytes() == whole.read_bytes()
    assert found.continued == 7
    assert "7 images of an interrupted call were kept." in str(found)
    assert (tmp_path / "out.skipped.csv").read_bytes() == (tmp_path / "whole.skipped.csv").read_bytes()
    assert found.to_dict()["skipped"]["path"] == ["001.png"]
    assert not (tmp_path / f"out{suffix}.parts").exists()


def test_files_are_looked_up_part_by_part_and_not_before(model, files, tmp_path, monkeypatch):
    state, asked = FileList.state, []
    monkeypatch.setattr(FileList, "state", lambda self, number: asked.append(number) or state(self, number))
    let_run = interrupt_after(monkeypatch, 2)
    with pytest.raises(Interrupted):
        predict_to_file(model, files, tmp_path / "out.csv", batch_size=2)
    let_run()
    assert asked == [0, 1]
    assert predict_to_file(model, files, tmp_path / "out.csv", batch_size=2).continued == 8
    assert asked == [0, 1, 0, 1, 2]


def test_a_part_whose_files_were_changed_is_predicted_again(model, files, tmp_path, monkeypatch):
    let_run = interrupt_after(monkeypatch, 2)
    with pytest.raises(Interrupted):
        predict_to_file(model, files, tmp_path / "out.csv", batch_size=2)
    let_run()
    pathlib.Path(files[5]).write_bytes(pathlib.Path(files[0]).read_bytes())
    assert predict_to_file(model, files, tmp_path / "out.csv", batch_size=2).continued == 4
    predict_to_file(model, files, tmp_path / "whole.csv", batch_size=2)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_another_model_other_files_and_other_settings_are_refused(model, files, tmp_path, monkeypatch):
    interrupt_after(monkeypatch, 1)
    target = tmp_path / "out.csv"
    with pytest.raises(Interrupted):
        predict_to_file(model, files, target, batch_size=2)
    other = make_model()
    set_card(other, ModelCard(classes=BINARY, image_size=(8, 8), threshold=0.3))
    for changed, words in [
        (lambda: predict_to_file(make_model(seed=2), files, target, batch_size=2), "another weights"),
        (lambda: predict_to_file(other, files, target, batch_size=2), "another card"),
        (lambda: predict_to_file(model, files[:-1], target, batch_size=2), "another files and another images"),
        (lambda: predict_to_file(model, files[::-1], target, batch_size=2), "another files"),
        (lambda: predict_to_file(model, files, target, batch_size=4), "another batch_size: batch_size 2, now 4"),
        (lambda: predict_to_file(model, files, target, batch_size=2, on_error="skip"), "another on_error"),
    ]:
        with pytest.raises(OutputError, match=words):
            changed()


def test_after_an_error_the_same_call_continues(model, files, tmp_path):
    content = pathlib.Path(files[6]).read_bytes()
    pathlib.Path(files[6]).write_bytes(b"")
    with pytest.raises(ImageError, match=r"006\.png: the file is empty") as caught:
        predict_to_file(model, files, tmp_path / "out.csv", batch_size=2)
    assert "first 4 images are kept" in caught.value.__notes__[0]
    pathlib.Path(files[6]).write_bytes(content)
    assert predict_to_file(model, files, tmp_path / "out.csv", batch_size=2).continued == 4


def test_a_part_without_any_image_that_can_be_read(model, files, tmp_path):
    for path in files[4:8]:
        pathlib.Path(path).write_bytes(b"")
    with pytest.warns(DatasetWarning, match="4 images of 11"):
        assert predict_to_file(model, files, tmp_path / "out.csv", batch_size=2, on_error="skip").images == 7
    assert len(Predictions.from_csv(tmp_path / "out.csv")) == 7
    with pytest.raises(
        EvaluationError, match=r"No image is left. 4 images cannot be read:\n004.png: the file is empty"
    ):
        predict_to_file(model, files[4:8], tmp_path / "none.csv", on_error="skip")
    assert not (tmp_path / "none.csv.parts").exists()


@pytest.mark.parametrize(
    ("images", "name", "error", "words"),
    [
        ([b"bytes"], "out.csv", EvaluationError, "path of a file"),
        (np.zeros((2, 8, 8, 3), np.uint8), "out.csv", EvaluationError, "Item 0 of the images is of the type ndarray"),
        (7, "out.csv", EvaluationError, "type int"),
        ([], "out.csv", EvaluationError, "no images"),
        ("absent", "out.csv", EvaluationError, "does not exist"),
        (["a.png"], "out.xlsx", OutputError, "'.csv' or '.parquet'"),
    ],
)
def test_what_cannot_be_written(model, tmp_path, images, name, error, words):
    with pytest.raises(error, match=words):
        predict_to_file(model, images, tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"on_error": "ignore"}, "on_error is 'ignore'; expected one of 'raise', 'skip'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"tta": "rotations"}, "tta is 'rotations'"),
        ({"classes": "benign"}, "not the one string 'benign'"),
    ],
)
def test_wrong_arguments_leave_no_folder(model, files, tmp_path, arguments, words):
    with pytest.raises(EvaluationError, match=words):
        predict_to_file(model, files, tmp_path / "new" / "out.csv", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_has_the_name_of_the_output(model, files, tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder; expected the path of a file to write"):
        predict_to_file(model, files, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv.parts").exists()


class Counted(np.ndarray):
    """A batch whose end of life can be observed."""


def test_a_part_is_an_eighth_in_full_batches_and_changes_no_row(model, files, tmp_path, monkeypatch):
    written = []
    for most in (2, 4096):
        monkeypatch.setattr(streamed_output, "_PART_IMAGES", most)
        predict_to_file(model, files, tmp_path / f"{most}.csv", batch_size=2)
        written.append((tmp_path / f"{most}.csv").read_bytes())
    assert written[0] == written[1]
    for images, batch_size, part in [(100, 32, 256), (1000, 32, 256), (4096, 100, 600), (100_000, 32, 4096)]:
        assert streamed_output._choose_part(images, batch_size, None) == part


def test_memory_does_not_grow_with_the_images(model, make_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(streamed_output, "_PART_IMAGES", 40)
    living, highest = set(), []

    def count(number, shape):
        batch = np.empty((number, *shape), np.uint8).view(Counted)
        living.add(id(batch))
        weakref.finalize(batch, living.discard, id(batch))
        highest.append(len(living))
        return batch

    monkeypatch.setattr(image_stream, "empty_images", count)
    read, opened = image_stream.ImageStream._read, []
    monkeypatch.setattr(image_stream.ImageStream, "_read", lambda self, one: opened.append(1) or read(self, one))
    predict_to_file(model, make_folder(120, 8, 10), tmp_path / "out.csv", batch_size=2)
    assert len(opened) == 120
    assert len(highest) >= 60
    assert max(highest) <= 4


KILLED = """
import os, signal, sys
from breastcls.predictions import streamed_output
from breastcls.predictions.output_parts import OutputParts
streamed_output._PART_IMAGES = 4
finish = OutputParts.finish
def stop(self, number, record, state):
    finish(self, number, record, state)
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
OutputParts.finish = stop
streamed_output.predict_to_file(*sys.argv[1:], batch_size=2)
"""


@pytest.mark.slow
@POSIX
def test_a_killed_process_is_continued_by_another(model, files, tmp_path):
    save_model(model, tmp_path / "model.keras")
    folder = str(pathlib.Path(files[0]).parent)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "model.keras"), folder, str(tmp_path / "out.csv")]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "out.csv").exists()
    found = predict_to_file(tmp_path / "model.keras", folder, tmp_path / "out.csv", batch_size=2)
    assert found.continued == 8
    predict_to_file(model, folder, tmp_path / "whole.csv", batch_size=2)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
