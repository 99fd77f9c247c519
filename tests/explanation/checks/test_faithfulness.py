import dataclasses
import pickle

import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.checks.faithfulness import measure_faithfulness
from breastcls.explanation.explain import explain
from breastcls.explanation.scored_model import ScoredModel
from breastcls.explanation.target_score import ClassDifference
from breastcls.intervals.bootstrap import Bootstrap


@pytest.fixture(scope="module")
def explanation(blue_squares):
    return explain(blue_squares.model, blue_squares.images, "hires-cam", target_class=1)


def test_a_good_map_is_better_than_both_baselines_and_an_inverted_one_worse(blue_squares, explanation):
    drawn = Bootstrap(resamples=200)
    good = measure_faithfulness(blue_squares.model, explanation, cases=list("abcd"), bootstrap=drawn)
    # Four cases are too few to show it.
    assert good.table["beats_baselines"].tolist() == [None] * 3
    assert str(good).endswith("only 4 cases, which are too few to show that heat-maps are better than random maps.")
    curves = {name: {map_: np.tile(part, (2, 1)) for map_, part in of.items()} for name, of in good.curves.items()}
    more = dataclasses.replace(good, curves=curves, cases=np.arange(8))
    assert more.table["beats_baselines"].all()
    assert "too few" not in str(more)
    # Without cases, nothing excludes that all images are of one.
    unknown = dataclasses.replace(more, cases_known=False)
    assert unknown.table["beats_baselines"].tolist() == [None] * 3
    assert "8 images of unknown cases, 95% CI over images" in str(unknown)
    assert str(unknown).endswith("Pass cases=, the case of each image, or a Dataset with cases.")
    assert unknown.to_dict()["cases"] is None
    assert np.isfinite(good.table.loc[["deletion", "insertion"], "low"]).all()
    assert "deletion (lower is better)" in str(good)
    assert good.to_dict()["table"]["index"] == ["deletion", "insertion", "imputation"]
    inverted = dataclasses.replace(explanation, heatmaps=1 - explanation.heatmaps)
    bad = measure_faithfulness(blue_squares.model, inverted).table
    assert (bad["gain_random"] < 0).all()


def test_the_curves_equal_those_of_a_loop(blue_squares, explanation):
    # All values differ, so that the order is known.
    heat = np.random.default_rng(5).permutation(32 * 32).reshape(32, 32).astype(np.float32) / 1024
    known = dataclasses.replace(explanation, heatmaps=np.repeat(heat[None], 4, axis=0))
    measured = measure_faithfulness(blue_squares.model, known, steps=4, deleted="white", inserted_into="black")
    image = blue_squares.images[1].astype(np.float32)
    deletion, insertion = (measured.curves[name]["heat-map"][1] for name in ("deletion", "insertion"))
    for step in range(5):
        strongest = (heat >= 1 - step / 4)[..., None]
        frames = np.stack([np.where(strongest, 255.0, image), np.where(strongest, image, 0.0)])
        deleted, inserted = blue_squares.model.predict(frames, verbose=0)[:, 1]
        assert deletion[step] == pytest.approx(deleted, abs=1e-5)
        assert insertion[step] == pytest.approx(inserted, abs=1e-5)
    area = sum((deletion[step] + deletion[step + 1]) / 2 * 0.25 for step in range(4))
    assert measured.area("deletion")[1] == pytest.approx(area, abs=1e-6)
    assert measured.curves["imputation"]["heat-map"].shape == (4, 5)
    again = measure_faithfulness(blue_squares.model, known, steps=4, deleted="white", inserted_into="black")
    np.testing.assert_array_equal(again.curves["imputation"]["random"], measured.curves["imputation"]["random"])


def test_the_gain_is_paired_and_signed(blue_squares, explanation):
    measured = measure_faithfulness(blue_squares.model, explanation, cases=["a", "a", "b", "c"])
    deletion = measured.area("deletion", "random") - measured.area("deletion")
    insertion = measured.area("insertion") - measured.area("insertion", "centre")
    assert measured.table.loc["deletion", "gain_random"] == pytest.approx(deletion.mean())
    assert measured.table.loc["insertion", "gain_centre"] == pytest.approx(insertion.mean())
    assert measured.to_dict()["cases"] == 3


def test_the_explained_difference_or_function_is_measured(blue_squares):
    """Not the probability of a class that was not explained."""
    model, images = blue_squares.model, blue_squares.images
    square = measure_faithfulness(model, explain(model, images, "hires-cam", target_class=1), steps=2)
    made = explain(model, images, "hires-cam", target_class=ClassDifference(1, 0))
    # Of two classes, the probability of one against the other is its probability.
    difference = measure_faithfulness(model, made, steps=2)
    function = explain(model, images, "hires-cam", target_class=lambda scores: 3 * scores[:, 1] - scores[:, 0])
    values = function.faithfulness(steps=2).curves["deletion"]["heat-map"]
    for curve, of_maps in square.curves.items():
        np.testing.assert_allclose(difference.curves[curve]["centre"], of_maps["centre"], atol=1e-5)
    scores = ScoredModel(model, images).scores(images.astype(np.float32))
    np.testing.assert_allclose(values[:, 0], 3 * scores[:, 1] - scores[:, 0], rtol=1e-4)
    with pytest.raises(ExplanationError, match="Explain the images again"):
        measure_faithfulness(model, pickle.loads(pickle.dumps(made)))


def test_wrong_arguments_are_refused(blue_squares, explanation):
    with pytest.raises(ExplanationError, match="steps is 0"):
        measure_faithfulness(blue_squares.model, explanation, steps=0)
    with pytest.raises(ExplanationError, match="cases has 1 name for 4 images"):
        measure_faithfulness(blue_squares.model, explanation, cases=["a"])


def test_an_explanation_measures_itself_as_long_as_its_model_exists(blue_squares, explanation):
    direct = measure_faithfulness(blue_squares.model, explanation, steps=2)
    np.testing.assert_array_equal(
        explanation.faithfulness(steps=2).curves["imputation"]["heat-map"], direct.curves["imputation"]["heat-map"]
    )
    restored = pickle.loads(pickle.dumps(explanation))
    with pytest.raises(ExplanationError, match="does not exist any more"):
        restored.faithfulness()
    assert len(restored.faithfulness(blue_squares.model, steps=2).cases) == 4
