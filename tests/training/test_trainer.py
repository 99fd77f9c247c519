import numpy as np
import pytest

import breastcls as bc
from breastcls.training.callbacks import BestWeights
from breastcls.training.distribution.placement import Place
from breastcls.training.fit_options import FrozenHead
from breastcls.training.fit_settings import FitSettings
from breastcls.training.input_modes import TrainingData
from breastcls.training.phases import Phase
from breastcls.training.trainer import Trainer
from support.training_fixtures import COMMON, GOES_ON, CutAt, CutOffError, bits


def test_a_frozen_backbone_is_trained_on_features_and_others_on_images(parts, small):
    train, val, _ = parts
    settings = FitSettings(augment="none", batch_size=8)
    trainer = Trainer(
        TrainingData(Place(small()), train, val, (32, 32), "stretch", None, settings), None, BestWeights(None)
    )
    assert trainer.train([Phase("head", "head", 3, 1e-3), Phase("fine-tune", "all", 1, 1e-4)]) == "all epochs done"
    assert trainer.input_modes == ["features", "images"]
    assert [row["epoch"] for row in trainer.rows] == [1, 2, 3, 4]
    assert [row["phase"] for row in trainer.rows] == ["head"] * 3 + ["fine-tune"]
    assert "val_case_balanced_accuracy" in trainer.rows[-1]


def test_augmented_heads_are_trained_on_features_where_possible(parts, small):
    options = {"epochs": 2, "batch_size": 8, "fine_tune": False}
    for augment, versions, mode in [
        ("dihedral", 2, "features"),
        ("dihedral", None, "images"),
        # Images and labels of pairs are mixed anew in each batch, so that no image has features of its own.
        ("mixup", 2, "images"),
    ]:
        run = bc.fit(small(), parts[0], augment=augment, frozen_head=FrozenHead(feature_versions=versions), **options)
        assert run.config["input_modes"] == [mode]


def test_adapters_are_trained_and_merged_and_a_cut_run_is_resumed_with_them(make, parts, tmp_path):
    tune = bc.training.FineTune(lora_rank=2, head_epochs=1, learning_rate=0.01)
    options = {**COMMON, "epochs": 3, "augment": "none", "fine_tune": tune}
    initial = make(2)
    model = make(2)
    run = bc.fit(model, *parts[:2], **options)
    # Four convolutions of 3x3, and the head with 514 parameters.
    adapters = sum(9 * inputs * 2 + 2 * outputs for inputs, outputs in ((3, 32), (32, 64), (64, 128), (128, 256)))
    assert run.config["lora"]["trained_parameters"] == adapters + 514
    assert f"trained {adapters + 514:,} of {model.count_params():,} parameters" in str(run)
    for before, after in zip(initial.weights, model.weights, strict=True):
        change = np.array(after) - np.array(before)
        if "_bn/" in after.path:
            assert not change.any()
        elif after.path.startswith("conv"):
            assert np.linalg.matrix_rank(change.reshape(-1, change.shape[-1])[:, :64], tol=1e-5) <= 2
    assert any(np.array(weight).any() for weight in model.trainable_weights)

    logging = bc.training.Logging(checkpoint_steps=1, progress=False)
    steps = run.history["phase"].tolist().count("head") * 3 + 4
    with pytest.raises(CutOffError):
        bc.fit(make(2), *parts[:2], **options, logging=logging, run_dir=tmp_path / "run", callbacks=[CutAt(steps)])
    resumed = make(2)
    bc.fit(resumed, *parts[:2], **options, run_dir=tmp_path / "run", **GOES_ON)
    assert bits(resumed) == bits(model)
    assert bits(bc.load_model(tmp_path / "run" / "model.keras")) == bits(model)
