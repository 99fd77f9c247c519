"""A method of another package: one file and one registration, over public names only."""

import json

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ExplanationError, RegistryError
from breastcls.explanation.methods.method_registry import METHODS

NAME = "own-gradient-times-input"


def gradient_times_input(scored, images, targets, *, power: float = 1.0):
    gradients = bc.explanation.image_gradients(scored, images, targets)
    evidence = (images * gradients).sum(axis=-1)
    return bc.explanation.Attribution(np.sign(evidence) * np.abs(evidence) ** power)


METHOD = bc.explanation.Method(
    NAME, gradient_times_input, "Gradient x input", "Shrikumar et al. 2016, arXiv:1605.01713"
)


@pytest.fixture(scope="module", autouse=True)
def _registered():
    bc.explanation.register_method(METHOD)
    yield
    del METHODS._items[NAME]


@pytest.fixture(scope="module")
def explanation(blue_squares):
    return bc.explain(blue_squares.model, blue_squares.images, NAME, target_class=1, power=0.5)


def test_it_is_listed():
    assert NAME in bc.explanation.list_methods()


def test_its_heatmaps_are_its_own(blue_squares, explanation):
    scored = bc.explanation.ScoredModel(blue_squares.model, blue_squares.images)
    targets = np.ones(4, np.int64)
    images = blue_squares.images.astype(np.float32)
    evidence = gradient_times_input(scored, images, targets, power=0.5).values
    expected = np.maximum(evidence, 0)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(explanation.heatmaps, expected, atol=1e-6)


def test_it_is_named_in_print_json_figure_and_index(explanation, tmp_path):
    assert "by Gradient x input (Shrikumar et al. 2016, arXiv:1605.01713)" in str(explanation)
    values = json.loads(explanation.to_json())
    assert (values["method"], values["options"]) == (NAME, {"power": 0.5})
    assert "Gradient x input" in explanation.plot().get_suptitle()
    assert NAME in (explanation.save(tmp_path) / "index.csv").read_text(encoding="utf-8")


def test_its_options_are_checked(blue_squares):
    with pytest.raises(ExplanationError, match=r"no option 'steps'\. Its options: power"):
        bc.explain(blue_squares.model, blue_squares.images, NAME, steps=3)


def test_its_name_cannot_be_taken_twice():
    with pytest.raises(RegistryError, match="registered already"):
        bc.explanation.register_method(METHOD)
