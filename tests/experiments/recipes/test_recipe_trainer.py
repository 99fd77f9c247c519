import dataclasses

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import RecipeError, TrainingError, TrainingWarning
from breastcls.experiments.fold import Fold
from breastcls.training import trainer
from breastcls.training.training_loop import run_epochs

ONE = {"seed": 3, "run_dir": None, "resume": False, "progress": False}


def fold_of(train):
    return Fold("run", "one training", train, None, train, train)


def test_it_trains_as_build_model_and_fit_do(tissue, tiny):
    train, test = tissue.split((0.6, 0.4), seed=1)
    model, _ = tiny.trainer(weights=None).train_model(fold_of(train), **ONE)
    plain = bc.build_model("cnn4", classes=tissue.classes, image_size=32, weights=None, seed=3)
    bc.fit(plain, train, epochs=1, augment="none", seed=3)
    np.testing.assert_array_equal(bc.predict(model, test).probabilities, bc.predict(plain, test).probabilities)


def test_the_protocol_takes_a_recipe(tissue, tiny, tmp_path):
    slides = sorted(set(tissue.slides))
    names = [path.rpartition("/")[2] for path in tissue.paths]
    rows = [
        f"{name}|200|1|{'test' if slides.index(slide) % 2 else 'train'}"
        for name, slide in zip(names, tissue.slides, strict=True)
    ]
    (tmp_path / "dsfold1.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    options = {"case_clean": False, "seed": 3, "progress": False}
    found = bc.experiments.evaluate_protocol(tiny.trainer(weights=None), tissue, tmp_path / "dsfold1.txt", **options)
    assert found.settings["trainer"] == "tiny: cnn4"

    def build():
        return bc.build_model("cnn4", classes=tissue.classes, image_size=32, weights=None, seed=3)

    plain = bc.experiments.evaluate_protocol(
        build, tissue, tmp_path / "dsfold1.txt", **options, epochs=1, augment="none"
    )
    assert found.by_fold.equals(plain.by_fold)
    with pytest.raises(TrainingError, match=r"has its own settings; found epochs"):
        bc.experiments.evaluate_protocol(
            tiny.trainer(weights=None), tissue, tmp_path / "dsfold1.txt", **options, epochs=2
        )
    with pytest.raises(TrainingError, match=r"recipe\.trainer"):
        bc.experiments.evaluate_protocol("tiny", tissue, tmp_path / "dsfold1.txt", **options)


def test_a_recipe_of_several_models_asks_which(tiny):
    two = dataclasses.replace(tiny, models=(*tiny.models, dataclasses.replace(tiny.models[0], name="other")))
    with pytest.raises(RecipeError, match="cnn4, other"):
        two.trainer()
    assert two.trainer("other", image_size=48, epochs=2).name == "tiny: other"
    assert bc.experiments.find_recipe("small-cpu").trainer(weights=None).name == "small-cpu: stain-texture"


@pytest.mark.parametrize("folder", [True, False])
def test_ctrl_c_stops_the_recipe_and_tests_no_half_trained_model(tissue, tiny, tmp_path, monkeypatch, folder):
    def interrupted(*arguments, **options):
        run_epochs(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "run_epochs", interrupted)
    output = tmp_path / "result" if folder else None
    message = "resume=True" if folder else r"in tiny: cnn4, image-wise split, training 1 of 1\.$"
    with (
        pytest.warns(TrainingWarning, match="Interrupted"),
        pytest.raises(KeyboardInterrupt, match=message),
    ):
        bc.experiments.run_recipe(tiny, tissue, output=output, progress=False)
    with pytest.warns(TrainingWarning, match="Interrupted"), pytest.raises(KeyboardInterrupt, match="in one training"):
        tiny.trainer(weights=None).train_model(fold_of(tissue), **ONE)
