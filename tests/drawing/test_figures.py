import re

import numpy as np
import pytest

from breastcls.drawing.figures import drawing_style, export_figure, figure_of, legend_below, new_axes, save_figure
from breastcls.drawing.html_figure import figure_to_html
from breastcls.errors import OutputError


def plot():
    with drawing_style():
        axes = new_axes(None)
        axes.plot([0, 0.2, 1], [0, 0.8, 1], label="model")
        axes.legend()
        axes.set_title("ROC curve")
        return figure_of(axes)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, suffix):
    first = save_figure(plot(), tmp_path / f"first{suffix}", width_mm=85)
    second = save_figure(plot(), tmp_path / f"second{suffix}", width_mm=85)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("width", [85, 174])
def test_an_svg_has_the_width_asked_for_and_keeps_its_text(tmp_path, width):
    path = save_figure(plot(), tmp_path / "roc.svg", width_mm=width)
    text = path.read_text(encoding="utf-8")
    points = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', text).group(1))
    assert points == pytest.approx(width / 25.4 * 72, abs=0.01)
    assert "ROC curve</text>" in text
    assert "<dc:date>" not in text


def test_a_png_has_the_resolution_asked_for(tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = save_figure(plot(), tmp_path / "roc.png", width_mm=85, dpi=200)
    with image.open(path) as picture:
        assert picture.width == round(85 / 25.4 * 200)


def test_the_figure_keeps_its_own_size(tmp_path):
    figure = plot()
    before = figure.get_size_inches().copy()
    save_figure(figure, tmp_path / "roc.svg", width_mm=174)
    np.testing.assert_array_equal(figure.get_size_inches(), before)


def test_an_unknown_format_and_a_senseless_width_are_refused(tmp_path):
    figure = plot()
    with pytest.raises(OutputError, match=r"\.svg, \.png or \.pdf"):
        save_figure(figure, tmp_path / "roc.bmp")
    with pytest.raises(OutputError, match="millimetres"):
        save_figure(figure, tmp_path / "roc.svg", width_mm=0)
    assert list(tmp_path.iterdir()) == []


def test_a_figure_is_returned_and_saved_only_where_a_file_is_named(tmp_path):
    figure = plot()
    assert export_figure(figure) is figure
    assert list(tmp_path.iterdir()) == []
    assert export_figure(figure, tmp_path / "roc.svg", width_mm=85) is figure
    assert save_figure(figure, tmp_path / "same.svg", width_mm=85).read_bytes() == (tmp_path / "roc.svg").read_bytes()


def test_a_figure_drawn_without_colours_of_its_own_follows_the_theme():
    with drawing_style():
        axes = new_axes(None)
        for _ in range(8):
            axes.plot([0, 1], [0, 1])
        axes.bar([0], [1])
        axes.set_title("Title")
        axes.text(0.5, 0.5, "text")
    assert not re.search(r"#[0-9a-f]{6}\b", figure_to_html(figure_of(axes), "Eight lines.", key="lines"))


def test_a_legend_below_covers_nothing_that_is_drawn():
    with drawing_style():
        axes = new_axes(None)
        axes.plot([0, 1], [0, 1], label="model")
        axes.set_xlabel("Predicted probability")
        legend_below(axes, 1)
    figure = figure_of(axes)
    figure.draw_without_rendering()
    assert legend_box(axes).y1 <= axes.xaxis.label.get_window_extent().y0 + 1
    assert legend_box(axes).y0 >= 0


def legend_box(axes):
    return axes.get_legend().get_window_extent()
