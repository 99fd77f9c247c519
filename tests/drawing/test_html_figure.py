"""A figure within an HTML page: text is text, colours are those of the theme, ids are unique."""

import re
from html.parser import HTMLParser

import pytest
from matplotlib.collections import PathCollection

from breastcls.drawing import figures, html_figure
from breastcls.drawing.html_figure import figure_to_html
from breastcls.drawing.theme import LIGHT


def draw(title="Sensitivity"):
    """Return a figure with lines, markers, a band, a legend and points."""
    with figures.drawing_style():
        axes = figures.new_axes(None)
        axes.fill_between([0, 1], [0, 0.5], [0.5, 1], color=figures.MODEL, alpha=0.2)
        axes.plot([0, 1], [0, 1], "o-", color=figures.BASELINE, markeredgecolor="white", label="benign & <malignant>")
        assert isinstance(axes.scatter([0.5], [0.5], color="#123456"), PathCollection)
        axes.grid()
        axes.legend()
        axes.set_title(title)
        return figures.figure_of(axes)


class Reading(HTMLParser):
    """Elements, their attributes, and the text of those that hold text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def fragment():
    return figure_to_html(draw(), 'What "it" shows.', key="one", caption="5 < 6")


def test_text_is_text_in_the_font_of_the_page(fragment):
    words = Reading(fragment).text
    assert {"Sensitivity", "0.2", "benign & <malignant>", "5 < 6"} <= set(words)
    assert "font-family" not in fragment
    assert "DejaVu" not in fragment
    assert re.search(r'<text style="[^"]*font-size: 9px', fragment)


def test_the_fonts_of_older_versions_of_matplotlib_are_replaced_too():

    style = "font: bold 9px 'DejaVu Sans', sans-serif; text-anchor: start"
    assert html_figure._rewrite("style", style, "") == "font-size: 9px; font-weight: bold; text-anchor: start"
    style = "font: 8px 'DejaVu Sans', sans-serif; fill: #211e27"
    assert html_figure._rewrite("style", style, "") == "font-size: 8px; font-weight: normal; fill: var(--ink)"


def test_the_colours_of_the_theme_are_variables_and_others_stay(fragment):
    assert set(re.findall(r"#[0-9a-f]{6}", fragment)) == {"#123456"}
    variables = set(re.findall(r"var\(--([\w-]+)\)", fragment))
    assert {"ink", "muted", "line", "model", "baseline", "paper"} <= variables <= set(LIGHT)


def test_every_colour_of_a_figure_has_a_variable():
    drawn = (figures.INK, figures.MUTED, figures.LINE, figures.MODEL, figures.BASELINE, *figures.CLASS_COLOURS)
    assert set(drawn) <= set(html_figure._VARIABLES)


def test_it_has_an_alternative_text_and_no_fixed_size(fragment):
    ((_, attributes),) = [element for element in Reading(fragment).elements if element[0] == "svg"]
    assert attributes["role"] == "img"
    assert attributes["aria-label"] == 'What "it" shows.'
    assert "viewbox" in attributes
    assert {"width", "height"}.isdisjoint(attributes)
    assert "max-width: 26.0rem" in attributes["style"], "85 mm"


def test_it_brings_no_style_sheet_metadata_or_date_into_the_page(fragment):
    tags = {tag for tag, _ in Reading(fragment).elements}
    assert tags.isdisjoint({"style", "metadata", "rdf:rdf", "script"})
    assert "<?xml" not in fragment
    assert "DOCTYPE" not in fragment
    assert "http" not in fragment


def test_ids_are_unique_in_a_page_and_every_reference_has_its_target(fragment):
    page = fragment + figure_to_html(draw(), "The same again.", key="two")
    elements = Reading(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 2
    used = {attributes["href"][1:] for _, attributes in elements if "href" in attributes}
    used |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert used == set(ids)


def test_the_same_figure_gives_the_same_text_and_stays_as_it_is(fragment):
    assert figure_to_html(draw(), 'What "it" shows.', key="one", caption="5 < 6") == fragment
    figure = draw()
    size = tuple(figure.get_size_inches())
    assert figure_to_html(figure, "First.", key="a") == figure_to_html(figure, "First.", key="a")
    assert tuple(figure.get_size_inches()) == size
    assert figure.get_facecolor() == (1.0, 1.0, 1.0, 1.0)


def test_names_from_outside_cannot_break_out():
    attack = "<script>alert(1)</script>\"'>"
    fragment = figure_to_html(draw(attack), attack, key="one", caption=attack)
    assert "<script" not in fragment
    assert attack in Reading(fragment).text
