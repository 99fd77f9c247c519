import cv2
import matplotlib
import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.explain import explain


@pytest.fixture
def explanation(blue_squares):
    return explain(blue_squares.model, blue_squares.images, target_class=1, classes=("none", "square"))


def test_each_row_holds_image_heatmap_and_overlay(explanation):
    figure = explanation.plot()
    drawn = [axis.get_images()[0].get_array() for axis in figure.axes[:12]]
    for number in range(4):
        np.testing.assert_array_equal(drawn[3 * number], explanation.image(number))
        np.testing.assert_array_equal(drawn[3 * number + 1], explanation.heatmap(number))
        np.testing.assert_array_equal(drawn[3 * number + 2], explanation.overlay(number))
    assert figure.axes[12].get_ylabel() == "evidence, scaled per image;\nopacity by positive share"
    assert figure.axes[1].get_title(loc="left") == "class explained: square"
    assert figure.axes[1].get_xlabel() == explanation.evidence(0)


def test_the_figure_states_how_many_images_there_are(explanation):
    figure = explanation.plot(limit=2)
    assert len(figure.axes) == 7
    assert figure.get_supxlabel() == "the first 2 of 4 images"


def test_flags_are_shown(blue_squares):
    with pytest.warns(match="negative"):
        figure = explain(blue_squares.model, blue_squares.images, target_class=0).plot(limit=1)
    assert "negative" in figure.axes[2].get_title(loc="left")


def test_saving_does_not_change_the_settings_of_matplotlib(explanation, tmp_path):
    settings = dict(matplotlib.rcParams)
    explanation.plot(tmp_path / "panel.png")
    assert cv2.imread(str(tmp_path / "panel.png")).shape[1] > 900
    assert dict(matplotlib.rcParams) == settings


def test_wrong_options_are_named(explanation):
    with pytest.raises(ExplanationError, match="limit is 0"):
        explanation.plot(limit=0)
    with pytest.raises(ExplanationError, match="viridis"):
        explanation.plot(colour_map="rainbows")
