"""Several devices and several processes give what one gives, also when one of them died on the way."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("several_devices.py")
# Importing TensorFlow alone takes a minute where all processors are busy.
PATIENCE = 600


def start(*arguments):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(*processes):
    """Return the exit codes and what was printed; no process outlives the test."""
    try:
        printed = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], printed


def run_workers(folder, *last_steps):
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        addresses = ",".join(f"127.0.0.1:{found.getsockname()[1]}" for found in (one, other))
    return finish(*(start("worker", folder, index, addresses, *last_steps[index : index + 1]) for index in (0, 1)))


def read(folder, name):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def assert_close(one, other, tolerance=1e-4):
    assert one["history"].keys() == other["history"].keys()
    for name in one["history"]:
        np.testing.assert_allclose(one["history"][name], other["history"][name], atol=tolerance, err_msg=name)
    for left, right in zip(one["weights"], other["weights"], strict=True):
        np.testing.assert_allclose(left, right, atol=tolerance)


@pytest.fixture(scope="module")
def folder(easy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    easy.table.to_csv(folder / "easy.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def mirrored(folder):
    codes, printed = finish(start("mirrored", folder))
    assert codes == [0], printed[0][-3000:]
    return read(folder, "mirrored")


@pytest.fixture(scope="module")
def workers(folder):
    codes, printed = run_workers(folder)
    assert codes == [0, 0], "\n".join(text[-3000:] for text in printed)
    return read(folder, "worker-0"), read(folder, "worker-1")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["all", "mixed labels", "features", "regularised"])
def test_two_devices_give_what_one_gives(mirrored, task):
    one, two = mirrored[f"{task}/one"], mirrored[f"{task}/two"]
    assert (one["strategy"], two["strategy"]) == (None, "mirrored")
    assert one["input_modes"] == two["input_modes"] == (["features"] if task == "features" else ["images"])
    assert one["history"]["loss"][0] != one["history"]["loss"][1]
    assert_close(one, two)


@pytest.mark.slow
def test_float16_agrees_within_its_rounding(mirrored):
    assert_close(mirrored["scaled loss/one"], mirrored["scaled loss/two"], tolerance=2e-2)


@pytest.mark.slow
def test_batch_statistics_that_learn_are_those_of_each_device(mirrored):
    one, two = mirrored["training statistics/one"], mirrored["training statistics/two"]
    assert one["history"]["loss"] != pytest.approx(two["history"]["loss"], abs=1e-4)
    assert one["history"]["loss"] == pytest.approx(two["history"]["loss"], abs=0.2)


@pytest.mark.slow
def test_devices_draw_other_noise_and_count_it_once(mirrored):
    first, both, state = mirrored["noise"]
    # Were the second device to draw the same, the mean of both would be the first.
    assert abs(first - both) > 1e-3
    assert state == [5, 1]


@pytest.mark.slow
def test_joining_late_is_refused(mirrored):
    assert "was called too late" in mirrored["too late"]


@pytest.mark.slow
def test_two_workers_give_what_one_process_gives_and_end_equal(mirrored, workers):
    for task in ("all", "mixed labels", "features"):
        assert workers[0][task] == workers[1][task]
        assert_close(workers[0][task], mirrored[f"{task}/one"])


@pytest.mark.slow
def test_a_worker_that_dies_leaves_a_run_that_resumes(folder, workers):
    codes, printed = run_workers(folder, 0, 5)
    assert codes == [1, -9], "\n".join(text[-3000:] for text in printed)
    assert "TrainingError: Another worker is lost, so worker 0 of 2 cannot continue." in printed[0]
    assert not (folder / "run" / "run.json").exists()
    codes, printed = run_workers(folder, 0, 0)
    assert codes == [0, 0], "\n".join(text[-3000:] for text in printed)
    for index in (0, 1):
        resumed = read(folder, f"worker-{index}")["all"]
        assert resumed["weights"] == workers[index]["all"]["weights"]
        assert resumed["history"] == workers[index]["all"]["history"]
    assert (folder / "run" / "run.json").exists()
