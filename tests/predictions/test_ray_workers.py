import contextlib
import json
import os
import pathlib
import signal
import sys
import threading
import time
import types

import keras
import psutil
import pytest

from breastcls.errors import EvaluationError, ImageError
from breastcls.models.model_card import ModelCard, set_card
from breastcls.models.persistence import save_model
from breastcls.predictions import ray_workers
from breastcls.predictions.classified_images import PredictionOptions
from breastcls.predictions.file_list import FileList
from breastcls.predictions.output_parts import OutputParts
from breastcls.predictions.part_job import PartJob
from breastcls.predictions.ray_workers import RayWorkers
from breastcls.predictions.streamed_output import predict_to_file

ray = pytest.importorskip("ray")
BINARY = ("benign", "malignant")


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this machine, to which each call connects."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Workers import the package from where the tests do.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def model():
    pixels = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 50, -2)(pixels))
    layer = keras.layers.Dense(2, "softmax", kernel_initializer=keras.initializers.RandomNormal(0, 1, seed=1))
    model = keras.Model(pixels, layer(pooled))
    set_card(model, ModelCard(classes=BINARY, image_size=(8, 8), threshold=0.4))
    return model


@pytest.fixture
def expected(model, make_folder, tmp_path):
    files = make_folder(60, 9, 10)
    return files, predict_to_file(model, files, tmp_path / "expected.csv", batch_size=2).path.read_bytes()


def kill_one_worker(folder, killed):
    """Kill a worker as soon as it has written a part."""
    while not killed.is_set():
        done = len(list(folder.glob("*.json"))) > 2 if folder.is_dir() else False
        workers = [one for one in psutil.Process().children(recursive=True) if _is_busy(one)] if done else []
        if workers:
            workers[0].kill()
            killed.set()
        time.sleep(0.02)


def _is_busy(process):
    try:
        return "MapWorker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.slow
def test_two_workers_one_of_which_is_killed_write_the_same_bytes(cluster, model, expected, tmp_path):
    files, content = expected
    target, killed = tmp_path / "out.csv", threading.Event()
    thread = threading.Thread(target=kill_one_worker, args=(tmp_path / "out.csv.parts", killed), daemon=True)
    thread.start()
    found = predict_to_file(model, files, target, batch_size=2, workers=RayWorkers(2))
    was_killed = killed.is_set()
    killed.set()
    thread.join()
    assert was_killed
    assert target.read_bytes() == content
    assert (found.images, found.continued) == (60, 0)
    assert not (tmp_path / "out.csv.parts").exists()


@pytest.mark.slow
def test_errors_of_workers_reach_the_caller(cluster, model, expected, tmp_path):
    files, _ = expected
    path, arguments = save_model(model, tmp_path / "model.keras"), {"batch_size": 2, "workers": RayWorkers(1)}
    pathlib.Path(files[17]).write_bytes(b"no image")
    with pytest.raises(ImageError, match="017"):
        predict_to_file(path, files, tmp_path / "out.csv", **arguments)


def test_a_part_that_ends_its_worker_each_time_is_an_error(model, make_folder, tmp_path, monkeypatch):
    files = FileList.open(make_folder(3, 9, 10), BINARY)
    parts = OutputParts(tmp_path / "out.csv", {})
    worker = object.__new__(ray_workers._Worker)
    worker._job, worker._model = PartJob(files, PredictionOptions(), None, parts), None
    for _ in range(4):
        assert parts.count_attempt(0) <= 4
    name, text = json.loads(worker({"number": 0})["answer"])["error"]
    assert (name, text.startswith("Part 0 has ended its worker 4 times")) == ("EvaluationError", True)
    parts.forget_attempts()
    assert parts.count_attempt(0) == 1


@pytest.fixture
def handler():
    """A handler of SIGTERM that the caller has set."""

    def handle(number, frame):
        pass

    previous = signal.signal(signal.SIGTERM, handle)
    yield handle
    signal.signal(signal.SIGTERM, previous)


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows, Ray handles another signal")
@pytest.mark.parametrize("failing", [False, True])
def test_the_handler_of_sigterm_is_restored_after_ray(handler, failing):
    def start(**_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if failing:
            raise ConnectionError

    fake = types.SimpleNamespace(is_initialized=lambda: False, init=start, shutdown=lambda: None)
    expected = pytest.raises(ConnectionError) if failing else contextlib.nullcontext()
    with expected, ray_workers._connected(fake, RayWorkers(1)):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is handler


def test_ray_can_be_started_in_another_thread():
    stopped = []
    fake = types.SimpleNamespace(
        is_initialized=lambda: False, init=lambda **_: None, shutdown=lambda: stopped.append(True)
    )
    finished = []

    def connect():
        with ray_workers._connected(fake, RayWorkers(1)):
            pass
        finished.append(True)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    assert (stopped, finished) == ([True], [True])


def test_without_ray_the_error_names_the_extra(model, make_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EvaluationError, match=r"pip install \"breastcls\[ray\]\""):
        predict_to_file(model, make_folder(3, 9, 10), tmp_path / "out.csv", workers=RayWorkers(2))


@pytest.mark.parametrize("numbers", [{"count": 0}, {"count": 1, "cpus": 0}, {"count": 1, "gpus": -1}])
def test_numbers_of_workers_are_checked(numbers):
    with pytest.raises(EvaluationError, match="expected at least one worker"):
        RayWorkers(**numbers)
