"""Prediction, evaluation and training in a loop keep neither files nor memory."""

import gc
import warnings
from collections.abc import Callable

import keras
import psutil
import pytest

import breastcls as bc
from support.platforms import POSIX

pytestmark = [POSIX, pytest.mark.slow]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    root = bc.datasets.make_breakhis(
        tmp_path_factory.mktemp("loop"), magnifications=(200,), slides_per_subtype=2, image_size=(32, 48), seed=7
    )
    return bc.load_breakhis(root).split((0.5, 0.2, 0.3), by="case", seed=7)


def tiny_model(data: bc.Dataset) -> keras.Model:
    return bc.build_model("cnn4", classes=data.classes, image_size=16, seed=7)


def measure(call: Callable[[], object], count: int) -> tuple[int, float]:
    """Return the growth in open files and in MiB of resident memory over `count` calls."""
    process = psutil.Process()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            call()
        gc.collect()
        files, memory = process.num_fds(), process.memory_info().rss
        for _ in range(count):
            call()
    # Files are counted before the collection of garbage, which may be late.
    files = process.num_fds() - files
    gc.collect()
    return files, (process.memory_info().rss - memory) / 2**20


def test_predict_evaluate_and_fit_close_their_files(parts):
    train, val, test = parts
    model = tiny_model(train)
    files, memory = measure(lambda: bc.predict(model, test[:4]), 30)
    assert files <= 0
    assert memory < 10
    resampling = bc.intervals.Bootstrap(resamples=50)
    assert measure(lambda: bc.evaluate(model, test, train=train + val, bootstrap=resampling), 2)[0] <= 0
    assert measure(lambda: bc.fit(tiny_model(train), train, val, epochs=1), 2)[0] <= 0
