import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.explain import explain
from breastcls.explanation.overlay import OverlayStyle
from breastcls.explanation.side_by_side import plot_classes, plot_explanations, plot_methods, plot_models
from support.explanation_fixtures import build_blue_detector

CLASSES = ("none", "square")


def drawn(figure):
    return [axis.get_images()[0].get_array() for axis in figure.axes if axis.get_images()]


def test_methods_side_by_side(blue_squares, tmp_path):
    arguments = {"target_class": 1, "classes": CLASSES}
    figure = plot_methods(
        blue_squares.model, blue_squares.images, ["grad-cam", "hires-cam"], tmp_path / "m.png", limit=2, **arguments
    )
    assert (tmp_path / "m.png").stat().st_size > 10_000
    assert [axis.get_title(loc="left") for axis in figure.axes[1:3]] == ["Grad-CAM", "HiResCAM"]
    made = [explain(blue_squares.model, blue_squares.images, name, **arguments) for name in ("grad-cam", "hires-cam")]
    expected = [blue_squares.images[0], made[0].overlay(0), made[1].overlay(0)]
    for picture, own in zip(drawn(figure)[:3], expected, strict=True):
        np.testing.assert_array_equal(picture, own)
    assert f"positive share {made[0].positive_share[0]:.2f}" in figure.axes[1].get_xlabel()
    assert figure.get_supxlabel() == "the first 2 of 4 images"


@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")
def test_classes_and_models_side_by_side(blue_squares):
    figure = plot_classes(blue_squares.model, blue_squares.images[:1])
    assert [axis.get_title(loc="left") for axis in figure.axes[1:3]] == ["0", "1"]
    models = {"one": blue_squares.model, "other": build_blue_detector()}
    figure = plot_models(models, blue_squares.images[:2], target_class=1, style=OverlayStyle(contours=True))
    pictures = drawn(figure)
    np.testing.assert_array_equal(pictures[1], pictures[2])
    assert figure.axes[1].get_title(loc="left") == "one"


@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")
def test_long_titles_are_wrapped_and_a_strip_does_not_stretch_the_figure(blue_squares):
    strip = np.repeat(blue_squares.images[0][:, :2], 20, axis=0)
    made = explain(blue_squares.model, [strip], target_class=1)
    figure = plot_explanations(dict.fromkeys(("LayerCAM of several stages", "b", "c"), made))
    assert figure.axes[1].get_title(loc="left").splitlines() == ["LayerCAM of several", "stages"]
    assert figure.get_size_inches()[1] < 8


def test_other_images_are_refused(blue_squares):
    one, other = (explain(blue_squares.model, blue_squares.images[:count], target_class=1) for count in (1, 2))
    with pytest.raises(ExplanationError, match="'b' is of other images"):
        plot_explanations({"a": one, "b": other})
    with pytest.raises(ExplanationError, match="no explanations"):
        plot_explanations({})
    with pytest.raises(ExplanationError, match="limit is 0"):
        plot_explanations({"a": one}, limit=0)
