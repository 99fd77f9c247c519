"""The same computations on any backend of Keras: a script for a process of its own; the results are files in a folder.

With TensorFlow the functions are called by the tests themselves, which compare the results.
"""

import contextlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

import breastcls as bc
from breastcls.errors import BreastclsError, EvaluationWarning
from support.training_fixtures import CutAt, CutOffError, build_network

METHODS = ("grad-cam", "integrated-gradients", "occlusion")
MODELS = ("plain", "stain", "ensemble")
_QUIET = bc.training.Logging(progress=False)
_SETTINGS = {"epochs": 2, "batch_size": 8, "augment": "standard", "seed": 5, "logging": _QUIET}
_PARTS = (0.5, 0.25, 0.25)


def run_script(folder, backend):
    """Run this file with another backend of Keras and two devices; it needs `images.csv` and the models."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, __file__, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def compute_outputs(folder, name):
    """Return what is computed with one saved model."""
    data = read_parts(folder)[2]
    model = bc.load_model(folder / f"{name}.keras")
    found = {
        "probabilities": bc.predict(model, data, tta="dihedral" if name == "plain" else None).probabilities,
    }
    if name == "plain":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EvaluationWarning)
            found["metrics"] = bc.evaluate(model, data).metrics["value"].to_numpy()
        found |= {method: bc.explain(model, data[:3], method=method).heatmaps for method in METHODS}
    if name in ("plain", "stain"):
        found["vectors"] = np.asarray(bc.features.extract_features(model, data).vectors)
    return found


def read_parts(folder):
    return bc.load_table(folder / "images.csv").split(_PARTS, seed=1)


def _train(folder, **options):
    """Train a small network with dropout and batch normalisation; return it and the loss of each epoch."""
    model = build_network()
    run = bc.fit(model, *read_parts(folder)[:2], **_SETTINGS, **options)
    return model, run.history["loss"].to_numpy()


def _resume(folder):
    """Cut a training off in its second epoch and resume it."""
    with contextlib.suppress(CutOffError):
        _train(folder, callbacks=[CutAt(4)], run_dir=folder / "run")
    return _train(folder, callbacks=[CutAt(1000)], run_dir=folder / "run", resume=True)[0]


def _message(call):
    try:
        call()
    except BreastclsError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def _largest_difference(one, other):
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def _check_training(folder):
    """Return what is found about training, as JSON values."""
    first, losses = _train(folder)
    bc.save_model(first, folder / "trained.keras")
    weights = first.get_weights()
    sharded, losses_of_two = _train(folder, devices="mirrored")
    plain = bc.load_model(folder / "plain.keras")
    with bc.models.open_session(plain, "onnxruntime") as session:
        data = read_parts(folder)[2]
        engine = _largest_difference([bc.predict(session, data).probabilities], [bc.predict(plain, data).probabilities])
    exact = bc.fit(
        plain, *read_parts(folder)[:2], fine_tune=False, frozen_head="lbfgs", augment=None, seed=5, logging=_QUIET
    )
    return {
        "backend": keras.config.backend(),
        "devices": len(keras.distribution.list_devices()),
        "learned": bool(losses[-1] < losses[0]),
        "resumed": _largest_difference(weights, _resume(folder).get_weights()),
        "sharded": max(
            _largest_difference(weights, sharded.get_weights()), _largest_difference([losses], [losses_of_two])
        ),
        "engine": engine,
        "exact loss": float(exact.history["loss"].iloc[-1]),
        "recorded": exact.environment["backend"],
        "several machines": _message(lambda: _train(folder, devices="multi-worker")),
        "join": _message(bc.training.join_workers),
    }


def main(folder):
    backend = keras.config.backend()
    (folder / "facts.json").write_text(json.dumps(_check_training(folder)), encoding="utf-8")
    for name in (*MODELS, "trained"):
        np.savez(folder / f"{name}-{backend}.npz", **compute_outputs(folder, name))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
