import dataclasses

import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.checks.faithfulness import measure_faithfulness
from breastcls.explanation.explain import explain


@pytest.fixture(scope="module")
def explanation(blue_squares):
    return explain(blue_squares.model, blue_squares.images, target_class=1)


def test_a_correct_heatmap_is_better_than_random_order_and_its_inverse_is_not(blue_squares, explanation):
    good = measure_faithfulness(blue_squares.model, explanation).to_dict()
    assert good["deletion"] < good["random_deletion"] - 0.05
    assert good["insertion"] > good["random_insertion"] + 0.05
    inverted = dataclasses.replace(explanation, heatmaps=1 - explanation.heatmaps)
    bad = measure_faithfulness(blue_squares.model, inverted).to_dict()
    assert bad["deletion"] > bad["random_deletion"]
    assert bad["insertion"] < bad["random_insertion"]


def test_the_curves_equal_those_of_a_loop(blue_squares, explanation):
    # All values differ, so that the order is known.
    heat = np.random.default_rng(5).permutation(32 * 32).reshape(32, 32).astype(np.float32) / 1024
    known = dataclasses.replace(explanation, heatmaps=np.repeat(heat[None], 4, axis=0))
    measured = measure_faithfulness(blue_squares.model, known, steps=4, deleted="white", inserted_into="black")
    image = blue_squares.images[1].astype(np.float32)
    for step in range(5):
        strongest = (heat >= 1 - step / 4)[..., None]
        frames = np.stack([np.where(strongest, 255.0, image), np.where(strongest, image, 0.0)])
        deleted, inserted = blue_squares.model.predict(frames, verbose=0)[:, 1]
        assert measured.deletion[1, step] == pytest.approx(deleted, abs=1e-5)
        assert measured.insertion[1, step] == pytest.approx(inserted, abs=1e-5)
    curve = measured.deletion[1]
    area = sum((curve[step] + curve[step + 1]) / 2 * 0.25 for step in range(4))
    assert measured.area("deletion")[1] == pytest.approx(area, abs=1e-6)


def test_zero_steps_are_refused(blue_squares, explanation):
    with pytest.raises(ExplanationError, match="steps is 0"):
        measure_faithfulness(blue_squares.model, explanation, steps=0)
