import dataclasses

import numpy as np

from breastcls.explanation.checks.stability import shift_stability
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.methods.method_registry import METHODS


def test_a_map_that_moves_with_the_image_is_stable_and_one_that_stays_is_not(blue_squares, monkeypatch):
    blocks = np.kron(np.random.default_rng(0).random((16, 16)), np.ones((2, 2)))
    moving = Method("moving", lambda scored, images, targets: Attribution(images.mean(axis=-1)), "M", "arXiv:0000.0000")
    fixed = Method(
        "fixed",
        lambda scored, images, targets: Attribution(np.repeat(blocks[None], len(images), axis=0).astype(np.float32)),
        "F",
        "arXiv:0000.0000",
    )
    found = {}
    for method in (moving, fixed):
        monkeypatch.setitem(METHODS._items, method.name, method)
        explanation = explain(blue_squares.model, blue_squares.images, method.name, target_class=1)
        found[method.name] = shift_stability(blue_squares.model, explanation)
    np.testing.assert_allclose(found["moving"], 1, atol=1e-3)
    assert found["fixed"].max() < 0.8
    # The input of a model with a stain normalizer is not normalised once more.
    explanation = explain(blue_squares.model, blue_squares.images, "moving", target_class=1)
    normalised = dataclasses.replace(explanation, images=255 - explanation.images)
    np.testing.assert_array_equal(shift_stability(blue_squares.model, normalised), found["moving"])
