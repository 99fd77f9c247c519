"""The colours of both themes against WCAG 2.2: 4.5 to 1 for text, 3 to 1 for lines and marks."""

import re

import pytest

from breastcls.drawing.theme import DARK, LIGHT, theme_css

THEMES = [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")]


def channels(colour):
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def luminance(rgb):
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    bright, dim = sorted([luminance(first), luminance(second)], reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_the_measure_itself():
    assert contrast(channels("#000000"), channels("#ffffff")) == pytest.approx(21)
    assert contrast(channels("#777777"), channels("#ffffff")) == pytest.approx(4.48, abs=0.01)


def test_dark_is_another_set_of_colours():
    assert DARK["paper"] != LIGHT["paper"]
    assert set(LIGHT) == set(DARK)


def test_the_style_sheet_has_both_and_dark_twice_for_the_system_and_for_the_reader():
    text = theme_css()
    for name in LIGHT:
        assert re.findall(rf"--{name}: ([^;]+);", text) == [LIGHT[name], DARK[name], DARK[name]]
    assert text.count("color-scheme: light;") == 1
    assert text.count("@media screen") == 2, "print is light"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "paper"),
        ("muted", "paper"),
        ("model", "paper"),
        ("ink", "line"),
        ("ink", "model-soft"),
        *[(text, f"{tone}-soft") for tone in ("good", "bad", "caution") for text in ("ink", tone)],
    ],
)
def test_text_can_be_read(theme, text, ground):
    assert contrast(channels(theme[text]), channels(theme[ground])) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("mark", ["baseline", "line-strong", "focus", *[f"class-{number}" for number in range(8)]])
def test_marks_can_be_seen(theme, mark):
    assert contrast(channels(theme[mark]), channels(theme["paper"])) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("shade", ["model", "baseline"])
def test_counts_can_be_read_on_the_darkest_cell_of_the_matrix(theme, shade):
    tint = float(theme["tint"])
    cell = [
        tint * over + (1 - tint) * under
        for over, under in zip(channels(theme[shade]), channels(theme["paper"]), strict=True)
    ]
    assert contrast(channels(theme["ink"]), cell) >= 4.5
