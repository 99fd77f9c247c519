"""Keras on JAX, in a process of its own, compared with TensorFlow in this one."""

import json

import numpy as np
import pytest

import breastcls as bc
from support.backend_script import METHODS, MODELS, compute_outputs, read_parts, run_script
from support.training_fixtures import build_network

QUIET = bc.training.Logging(progress=False)


@pytest.fixture(scope="module")
def folder(easy, tmp_path_factory):
    """A folder with models that were made with TensorFlow, and the results of the script with JAX."""
    pytest.importorskip("jax")
    folder = tmp_path_factory.mktemp("backends")
    easy.table.to_csv(folder / "images.csv", index=False)
    train, val, _ = read_parts(folder)
    plain = bc.build_model("cnn4", classes=easy.classes, image_size=32, weights=None, seed=3)
    bc.fit(plain, train, val, epochs=1, seed=5, logging=QUIET)
    stain = bc.models.build_stain_texture(classes=easy.classes, image_size=32, weights=None, seed=3)
    ensemble = bc.models.build_ensemble([build_network(3), build_network(4)])
    for name, model in zip(MODELS, (plain, stain, ensemble), strict=True):
        bc.save_model(model, folder / f"{name}.keras")
    run_script(folder, "jax")
    return folder


@pytest.fixture(scope="module")
def facts(folder):
    return json.loads((folder / "facts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [*MODELS, "trained"])
def test_a_saved_model_gives_the_same_results_on_both_backends(folder, name):
    """The model "trained" was trained and saved with JAX, the others with TensorFlow."""
    with np.load(folder / f"{name}-jax.npz") as found:
        for what, expected in compute_outputs(folder, name).items():
            assert found[what].shape == expected.shape
            if what in METHODS:
                # A ReLU or a maximum may switch at another of the interpolated images.
                agree = np.corrcoef(found[what].ravel(), expected.ravel())[0, 1]
                assert agree > 0.999, (what, agree)
            else:
                np.testing.assert_allclose(found[what], expected, rtol=0, atol=1e-4, err_msg=what)


def test_training_with_jax_repeats_and_resumes_bit_for_bit(facts):
    assert (facts["backend"], facts["recorded"]) == ("jax", "jax")
    assert facts["learned"]
    assert facts["resumed"] == 0


def test_two_devices_train_as_one(facts):
    assert facts["devices"] == 2
    # Adam divides by the square root of small second moments.
    assert 0 < facts["sharded"] < 1e-3


def test_an_exact_head_is_the_same_on_both_backends(folder, facts):
    plain = bc.load_model(folder / "plain.keras")
    train, val, _ = read_parts(folder)
    run = bc.fit(plain, train, val, fine_tune=False, frozen_head="lbfgs", augment=None, seed=5, logging=QUIET)
    assert run.history["loss"].iloc[-1] == pytest.approx(facts["exact loss"], abs=1e-4)


def test_a_model_is_converted_for_another_engine(facts):
    assert facts["engine"] < 1e-4


def test_several_machines_are_refused_with_the_remedy(facts):
    for message in (facts["several machines"], facts["join"]):
        assert message.startswith("TrainingError")
        assert "jax" in message
        assert "KERAS_BACKEND=tensorflow" in message
