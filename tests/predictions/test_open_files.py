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
# What allocators keep of some calls; one graph of TensorFlow is 10 MiB.
SLACK = 15


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


def count_graphs() -> int:
    gc.collect()
    return sum(type(found).__name__ == "FuncGraph" for found in gc.get_objects())


def test_200_predictions_and_50_evaluations_keep_neither_files_nor_memory(parts):
    train, val, test = parts
    model = tiny_model(train)
    files, memory = measure(lambda: bc.predict(model, test[:4]), 200)
    assert files <= 0
    assert memory < SLACK
    resampling = bc.intervals.Bootstrap(resamples=20)
    predictions = bc.predict(model, test)
    files, memory = measure(lambda: bc.evaluate(predictions, bootstrap=resampling), 47)
    assert files <= 0
    assert memory < SLACK
    files, memory = measure(lambda: bc.evaluate(model, test, train=train + val, bootstrap=resampling), 3)
    assert files <= 0
    assert memory < SLACK


def test_20_fits_keep_neither_files_nor_memory_nor_graphs(parts):
    train, val, _ = parts
    # A few images of both classes: the first ones are of one class.
    train, val = train[:: len(train) // 8], val[:: max(1, len(val) // 8)]
    logging = bc.training.Logging(progress=False)

    def fit() -> None:
        bc.fit(tiny_model(train), train, val, epochs=1, logging=logging)

    fit()
    graphs = count_graphs()
    files, memory = measure(fit, 18)
    assert files <= 0
    # Plain Keras keeps the graph of each fit, some 10 MiB.
    assert memory < 18 * 5
    assert count_graphs() <= graphs
