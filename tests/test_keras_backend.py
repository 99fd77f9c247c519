import os
import subprocess
import sys

import pytest

from breastcls import keras_backend
from breastcls.errors import BackendError
from breastcls.keras_backend import check_backend, find_backend


@pytest.fixture
def before_keras(monkeypatch, tmp_path):
    """As in a process that has not imported Keras, without a file of settings."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_the_backend_is_the_one_that_keras_will_choose(before_keras, monkeypatch):
    assert find_backend() == "tensorflow"
    (before_keras / "keras.json").write_text('{"backend": "jax"}', encoding="utf-8")
    assert find_backend() == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert find_backend() == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert find_backend() == "torch"


def test_after_its_import_the_backend_is_the_one_of_keras(monkeypatch):
    import keras

    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    assert find_backend() == keras.config.backend()
    check_backend()


@pytest.mark.parametrize(("name", "extra"), [("jax", "breastcls[jax]"), ("torch", "pip install torch")])
def test_a_missing_backend_is_an_error_that_names_what_to_install(before_keras, monkeypatch, name, extra):
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(keras_backend.importlib.util, "find_spec", lambda module: None)
    with pytest.raises(BackendError, match=r"KERAS_BACKEND is .* is not installed") as caught:
        check_backend()
    assert extra in str(caught.value)


def test_an_unknown_backend_is_refused_with_what_chose_it(before_keras):
    (before_keras / "keras.json").write_text('{"backend": "numpy"}', encoding="utf-8")
    with pytest.raises(BackendError, match=r"'backend' in .*keras\.json is 'numpy'; expected one of tensorflow, jax"):
        check_backend()


def test_the_command_line_ends_with_the_error_of_the_backend():
    environment = {**os.environ, "KERAS_BACKEND": "nonsense"}
    command = [sys.executable, "-m", "breastcls", "predict", "model.keras", "images"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "KERAS_BACKEND is 'nonsense'" in done.stderr
    assert "bug" not in done.stderr
