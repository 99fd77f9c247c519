import breastcls as bc
from breastcls.training.phases import Phase
from breastcls.training.trainer import Trainer


def test_frozen_phases_see_each_image_once(parts, small, monkeypatch):
    train, val, _ = parts
    asked = []
    real = bc.Dataset.to_tf
    monkeypatch.setattr(
        bc.Dataset, "to_tf", lambda self, *a, **k: asked.append(k.get("shuffle")) or real(self, *a, **k)
    )
    trainer = Trainer(small(), train, val, (32, 32), 8, "squash", "none", 0, None, None, (), False)
    assert trainer.train(Phase("head", "head", 3, 1e-3)) == "all epochs done"
    assert asked == [None, None]
    assert [row["epoch"] for row in trainer.rows] == [1, 2, 3]
    trainer.train(Phase("fine-tune", "all", 1, 1e-4))
    assert asked[2:] == [True, None]
    assert trainer.rows[-1]["epoch"] == 4
    assert "val_case_balanced_accuracy" in trainer.rows[-1]
