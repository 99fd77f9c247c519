"""Features by another engine, and a training on them."""

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ModelError, TrainingError
from breastcls.features import engine_features
from breastcls.features.feature_store import read_features
from breastcls.models.model_parts import split_model
from breastcls.training.run_options import Devices

HEAD = {"epochs": 1, "fine_tune": False, "augment": "none", "seed": 2, "batch_size": 8}


@pytest.mark.parametrize("head", ["linear", "flatten-mlp"])
def test_features_of_another_engine_are_those_of_keras(easy, small, head, tmp_path):
    frozen = split_model(small(head=head))[0]
    options = {"image_size": 32, "cache_dir": tmp_path, "progress": False}
    kept = read_features(frozen, easy[:21], **options)
    made = read_features(frozen, easy[:21], engine="openvino", **options)
    assert made.shape == kept.shape
    np.testing.assert_allclose(made, kept, rtol=1e-4, atol=1e-4 * np.abs(kept).max())
    # They are stored apart from those of Keras, and the same number of images is computed at a time.
    alone = read_features(frozen, easy[20:21], engine="openvino", cache=False, **options)
    np.testing.assert_array_equal(alone[0, 0], made[0, 20])
    np.testing.assert_array_equal(read_features(frozen, easy[:21], **options), kept)


def test_a_run_records_its_engine_and_repeats_it(parts, small, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    model = small()
    run = bc.fit(model, *parts[:2], run_dir=folder, devices=Devices(engine="openvino"), **HEAD)
    assert run.config["fit"]["devices"]["engine"] == "openvino"
    again, _ = bc.training.rerun(folder, progress=False)
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TrainingError, match="devices"):
        bc.fit(small(), *parts[:2], run_dir=folder, resume=True, **HEAD)

    def refuse(name):
        raise ModelError(f"engine={name!r}: it must be installed")

    monkeypatch.setattr(engine_features, "find_engine", refuse)
    monkeypatch.setenv("BREASTCLS_CACHE", str(tmp_path / "empty"))
    with pytest.raises(TrainingError, match=r"engine='openvino', and another engine would learn other weights"):
        bc.training.rerun(folder, progress=False)


def test_the_engine_of_a_training_is_never_a_matter_of_what_is_installed():
    with pytest.raises(TrainingError, match=r"Devices\.engine is 'auto'; expected one of 'keras', 'openvino'"):
        Devices(engine="auto")
