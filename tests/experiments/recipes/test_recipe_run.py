import shutil

import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import LeakageError, OutputError, RecipeError, SplitError
from breastcls.evaluation.evaluation import Evaluation
from breastcls.experiments import Recipe, RecipeModel
from breastcls.experiments.recipes.recipe_registry import RECIPES
from breastcls.training.fit_settings import FitSettings
from support.training_fixtures import build_network


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_gives_both_splits(name, run_small):
    result = run_small(name)
    recipe = RECIPES[name]
    assert [model.model for model in result.models] == list(recipe.models)
    for model in result.models:
        images, cases = model.splits
        assert (images.by, cases.by) == ("image", "case")
        # The image-wise split leaks and states it, the case-wise split does not.
        assert images.evaluation.leak_allowed
        assert images.evaluation.leakage.shared_cases
        assert cases.evaluation.leakage.clean
        assert not cases.evaluation.leak_allowed
        for split in model.splits:
            assert split.evaluation.metrics["value"].notna().all()
            assert split.evaluation.confusion.to_numpy().sum() == split.evaluation.counts["images"]
            assert len(split.evaluation.roc) > 1
            assert len(split.evaluation.precision_recall) > 1
            assert split.evaluation.colour_baseline is not None
            if recipe.train is None:
                (run,) = split.runs
                assert run.config["fit"]["epochs"] == 1
                assert run.config["fit"]["augment"] == recipe.augment
                asked = FitSettings.of({**recipe.fit, "epochs": 1}).to_dict()
                for key in recipe.fit:
                    assert key in recipe.scratch or run.config["fit"][key] == asked[key]
        if recipe.train is None:
            (run, other) = images.runs + cases.runs
            assert run.config["fit"] | {"allow_leakage": None} == other.config["fit"] | {"allow_leakage": None}
    text = str(result)
    assert recipe.reported in text
    assert "LEAKS" in text


def test_both_results_differ_only_in_the_split(tiny_result, tissue):
    (model,) = tiny_result.models
    runs = [split.runs[0] for split in model.splits]
    assert runs[0].config["model"]["shapes_sha256"] == runs[1].config["model"]["shapes_sha256"]
    assert runs[0].config["model"]["seed"] == runs[1].config["model"]["seed"] == 0
    for split in model.splits:
        assert split.training_images[0] + split.evaluation.counts["images"] == len(tissue) == model.images
    assert model.cases == 16


def test_a_result_equals_that_of_the_five_calls(tiny, tiny_result, tissue):
    """The case-wise split, step by step."""
    train, test = tissue.split((0.6, 0.4), by="case", seed=0)
    model = bc.build_model("cnn4", classes=tissue.classes, image_size=32, seed=0)
    bc.fit(model, train, epochs=1, augment="none")
    expected = bc.predict(model, test)
    scored = tiny_result.models[0].case_split.evaluation.predictions
    assert scored.paths.tolist() == expected.paths.tolist()
    np.testing.assert_array_equal(scored.probabilities, expected.probabilities)


def test_each_magnification_is_trained_separately(tmp_path):
    root = bc.datasets.make_breakhis(
        tmp_path, slides_per_subtype=1, images_per_slide=2, magnifications=(40, 200), image_size=(46, 70)
    )
    data = bc.load_breakhis(root)
    recipe = Recipe(
        name="both",
        title="t",
        summary="s",
        models=(RecipeModel("cnn4", "cnn4", (32, 32)),),
        fractions=(0.5, 0.5),
        per_magnification=True,
        fit={"epochs": 1},
    )
    result = bc.experiments.run_recipe(recipe, data, progress=False)
    assert [(model.name, model.magnification) for model in result.models] == [
        ("cnn4 at 40X", 40),
        ("cnn4 at 200X", 200),
    ]
    for model in result.models:
        assert model.images == 16
        for split in model.splits:
            assert set(split.evaluation.predictions.magnifications) == {model.magnification}


def test_every_image_is_tested_once_with_both_splits(folds_result, tissue):
    (model,) = folds_result.models
    for split in model.splits:
        assert sorted(split.evaluation.predictions.paths) == sorted(tissue.paths)
        assert len(split.runs) == len(split.training_images) == 2
        assert split.evaluation.colour_baseline.loc["roc_auc", "value"] > 0
        assert any("Pooled over 2 folds" in line for line in split.evaluation.limitations)
    assert model.image_split.evaluation.leak_allowed
    assert len(model.image_split.evaluation.leakage.shared_cases) <= 16
    assert model.case_split.evaluation.leakage.clean
    assert model.case_split.evaluation.leakage.test_images == len(tissue)
    assert "2 folds, with both splits, instead of one split 60/40" in folds_result.departures


def test_the_pool_of_colour_is_scored_as_the_baseline_is(folds_result, tissue):
    from breastcls.baselines.baseline_predictions import predict_by_baseline
    from breastcls.metrics.classification_metrics import compute_metrics
    from breastcls.predictions.join_predictions import join_predictions

    by_hand = compute_metrics(
        join_predictions(
            [predict_by_baseline("colour", train, test) for train, test in tissue.folds(2, by="case", seed=0)]
        )
    )
    found = folds_result.models[0].case_split.evaluation.colour_baseline["value"]
    pd.testing.assert_series_equal(found, by_hand, check_names=False)


def test_the_same_picture_in_two_cases_is_refused_before_anything_is_trained(tiny, tissue, tmp_path):
    copy = tmp_path / "copy.png"
    shutil.copy(tissue.paths[0], copy)
    frame = tissue[:1].table.assign(path=str(copy), case="another", slide="another")
    both = tissue + bc.Dataset(frame, tissue.classes)
    seeds = range(8)

    def crosses(seed: int) -> bool:
        train, test = both.split((0.6, 0.4), by="case", seed=seed)
        return not bc.audit_leakage(train, test).clean

    seed = next(seed for seed in seeds if crosses(seed))
    with pytest.raises(LeakageError, match=r"identical files?"):
        bc.experiments.run_recipe(tiny, both, seed=seed, output=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_too_few_cases_are_refused(tiny, tissue):
    with pytest.raises(SplitError, match="at least 2 cases"):
        bc.experiments.run_recipe(
            tiny, tissue.where(slide=sorted(set(tissue.slides))[:1]) + _one_of_other_class(tissue)
        )


def _one_of_other_class(tissue):
    first = sorted(set(tissue.slides))[0]
    label = tissue.where(slide=first).labels[0]
    return tissue[np.flatnonzero(tissue.labels != label)[:4]]


def test_a_folder_is_read_by_the_reader_of_the_recipe(tmp_path):
    root = bc.datasets.make_idc(tmp_path, patients=8, patches_per_patient=4)
    recipe = Recipe(
        name="patches",
        title="t",
        summary="s",
        data="idc",
        models=(RecipeModel("cnn4", "cnn4", (32, 32)),),
        fractions=(0.5, 0.5),
        fit={"epochs": 1},
    )
    result = bc.experiments.run_recipe(recipe, root, progress=False)
    assert result.models[0].case_split.evaluation.predictions.classes == bc.load_idc(root).classes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is .*; expected a whole number"),
        ({"epochs": 1.5}, "epochs is .*; expected a whole number"),
        ({"limit": 0}, "limit is 0; expected a whole number"),
        ({"seed": "x"}, "seed is .x.; expected a whole number"),
        ({"resume": True}, "pass output="),
        ({"weights": {"vgg16": None}}, "weights names 'vgg16'; the recipe 'tiny' has cnn4"),
    ],
)
def test_what_does_not_fit_the_recipe_is_refused(options, message, tiny, tissue):
    with pytest.raises(RecipeError, match=message):
        bc.experiments.run_recipe(tiny, tissue, progress=False, **options)


def test_one_file_cannot_be_the_weights_of_two_backbones(tissue):
    with pytest.raises(RecipeError, match="compares vgg19, resnet50; one file cannot fit them all"):
        bc.experiments.run_recipe("vgg19-resnet50-breakhis", tissue, weights="vgg19.h5")


def test_departures_from_the_recipe_are_listed(run_small):
    result = run_small("cancernet-idc")
    assert result.departures == (
        "images at 32x32 instead of 48x48",
        "1 epoch instead of 40",
        "at most 60 images",
    )


@pytest.mark.slow
def test_random_weights_are_listed_and_get_their_own_learning_rate(run_small):
    result = run_small("vgg16-breakhis")
    assert result.departures[0] == "random weights instead of ImageNet weights: vgg16"
    assert "learning_rate=0.0001" in result.departures[1]
    assert result.models[0].case_split.runs[0].config["fit"]["learning_rate"] == 1e-4


@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")
def test_it_is_resumed_run_by_run(tiny, tissue, tiny_result, tmp_path, monkeypatch):
    """As if interrupted after the first split: its run is read, the other is trained, and the result is the same."""
    output = tmp_path / "half"
    shutil.copytree(tiny_result.output, output)
    shutil.rmtree(output / "cnn4" / "case-split")
    kept = (output / "cnn4" / "image-split" / "run" / "run.json").read_bytes()
    again = bc.experiments.run_recipe(tiny, tissue, output=output, resume=True, progress=False)
    assert (output / "cnn4" / "image-split" / "run" / "run.json").read_bytes() == kept
    for before, after in zip(tiny_result.models[0].splits, again.models[0].splits, strict=True):
        np.testing.assert_array_equal(
            before.evaluation.predictions.probabilities, after.evaluation.predictions.probabilities
        )
    pd.testing.assert_frame_equal(tiny_result.table, again.table)


def test_a_result_is_not_overwritten(tiny, tissue, tiny_result):
    with pytest.raises(OutputError, match="holds a result already"):
        bc.experiments.run_recipe(tiny, tissue, output=tiny_result.output, progress=False)


def test_another_run_is_not_resumed(tiny, tissue, tiny_result):
    with pytest.raises(RecipeError, match="seed: 0 there, 1 here"):
        bc.experiments.run_recipe(tiny, tissue, output=tiny_result.output, resume=True, seed=1, progress=False)
    with pytest.raises(RecipeError, match="data: "):
        bc.experiments.run_recipe(tiny, tissue[:-2], output=tiny_result.output, resume=True, progress=False)


def test_a_recipe_may_have_its_own_training(tissue, tmp_path, monkeypatch):
    calls = []
    # The reports are as those of any recipe.
    monkeypatch.setattr(Evaluation, "to_html", lambda self, path, **options: path)

    def train_by_hand(train, val, *, weights, image_size, epochs, seed, run_dir, resume, progress):
        calls.append((len(train), val, weights, image_size, epochs, seed, run_dir, resume, progress))
        model = build_network(seed)
        bc.fit(model, train, epochs=1, augment="none")
        return model

    recipe = Recipe(
        name="by-hand",
        title="t",
        summary="s",
        models=(RecipeModel("mine", None, (32, 32)),),
        fractions=(0.6, 0.4),
        tta="dihedral",
        train=train_by_hand,
    )
    result = bc.experiments.run_recipe(
        recipe, tissue, weights=None, epochs=3, seed=5, output=tmp_path / "out", progress=False
    )
    assert [call[1:6] for call in calls] == [(None, None, None, 3, 5)] * 2
    assert [call[6].parent.name for call in calls] == ["image-split", "case-split"]
    assert result.models[0].image_split.evaluation.leak_allowed
    assert result.models[0].case_split.evaluation.settings["tta"] == "dihedral"
    again = bc.experiments.run_recipe(
        recipe, tissue, weights=None, epochs=3, seed=5, output=tmp_path / "out", resume=True, progress=False
    )
    assert len(calls) == 2
    pd.testing.assert_frame_equal(result.table, again.table)


@pytest.mark.real
@pytest.mark.slow
def test_cancernet_runs_on_real_patches(real_data):
    """Eleven patients, four of them with negatives: this shows that the code runs, not how good the method is."""
    result = bc.experiments.run_recipe(
        "cancernet-idc", real_data / "IDC_regular_ps50_idx5", epochs=1, folds=2, limit=200, progress=False
    )
    (model,) = result.models
    assert (model.images, model.cases) == (200, 11)
    for split in model.splits:
        assert split.evaluation.counts["images"] == 200
    assert model.image_split.evaluation.leak_allowed
    assert model.case_split.evaluation.leakage.clean
