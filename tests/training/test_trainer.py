import breastcls as bc
from breastcls.training.callbacks import BestWeights
from breastcls.training.distribution.placement import Place
from breastcls.training.fit_options import FrozenHead
from breastcls.training.fit_settings import FitSettings
from breastcls.training.input_modes import TrainingData
from breastcls.training.phases import Phase
from breastcls.training.trainer import Trainer


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
