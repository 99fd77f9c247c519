"""A Matplotlib figure as a part of an HTML page: inline SVG that takes its colours from the theme of the page."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from breastcls.control_characters import show_controls
from breastcls.drawing.figures import SVG_STYLE
from breastcls.drawing.theme import LIGHT

# Figures are drawn in the light colours; in the SVG text each becomes the variable of that name, which the page sets
# for either theme. Black, which this package does not draw with, follows the text. The first class has the colour of
# the model.
_DRAWN = (*(f"class-{number}" for number in range(8)), "ink", "muted", "line", "model", "baseline")
_VARIABLES = {LIGHT[name]: f"var(--{name})" for name in _DRAWN} | {"#000000": "currentColor", "#ffffff": "var(--paper)"}
# The largest size of a point of the figure in the page, where one rem is usually 16 pixels.
_REM_PER_POINT = 0.108
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
# Matplotlib writes the font in one property (to version 3.10) or in several; the family is that of the page.
_FONT = re.compile(r"font: (?:(\w+) )?([\d.]+px) [^;]+")
_FAMILY = re.compile(r"font-family: [^;]+;? ?")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def figure_to_html(figure: Figure, alt: str, *, key: str, caption: str = "") -> Markup:
    """Return a figure as an HTML `<figure>` with inline SVG, as wide as the page allows.

    Where the page has room, text of 8 points is as large as 14 pixels of the page; it is smaller on a narrow screen.

    Text stays text in the font of the page. The colours of `breastcls.drawing.figures` become CSS variables, so that
    the figure follows a light or dark page; other colours stay as they are. The same figure gives the same text.

    Args:
        figure: Any Matplotlib figure, drawn within `drawing_style`.
        alt: The alternative text: what the figure shows, for those who do not see it.
        key: A word that no other figure of the page has: it goes before every id within the SVG.
        caption: Visible text below the figure; none if empty.

    Returns:
        Markup, which Jinja does not escape again.

    Example:
        >>> from matplotlib.figure import Figure
        >>> str(figure_to_html(Figure(), "An empty figure.", key="empty"))[:62]
        '<figure class="drawn"><svg viewBox="0 0 460.8 345.6" role="img'
    """
    svg = _draw(figure)
    root = ElementTree.fromstring(svg)
    _simplify(root, f"{key}-")
    width = float(root.attrib["viewBox"].split()[2])
    attributes = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": alt,
        # What Matplotlib sets for every element of the document by a style sheet, which would reach the whole page.
        "style": f"max-width: {_REM_PER_POINT * width:.1f}rem; stroke-linejoin: round; stroke-linecap: butt; "
        "fill: currentColor",
    }
    root.attrib.clear()
    root.attrib.update(attributes)
    text = ElementTree.tostring(root, encoding="unicode")
    below = Markup("<figcaption>{}</figcaption>").format(escape(show_controls(caption))) if caption else ""
    return Markup('<figure class="drawn">{}{}</figure>').format(Markup(text), below)


def _draw(figure: Figure) -> str:
    buffer = io.StringIO()
    with matplotlib.rc_context(SVG_STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def _simplify(root: ElementTree.Element, prefix: str) -> None:
    """Drop namespaces, metadata, style sheets and ids without use; shorten numbers; name the colours of the theme."""
    for parent in root.iter():
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    used = set()
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(name): value for name, value in element.attrib.items()}
        used |= set(_REFERENCE.findall(" ".join(element.attrib.values())))
        if element.attrib.get("href", "").startswith("#"):
            used.add(element.attrib["href"][1:])
    for element in root.iter():
        element.attrib = {
            name: _rewrite(name, value, prefix)
            for name, value in element.attrib.items()
            if not (name == "id" and value not in used) and not value.startswith("rotate(-0 ")
        }
        if element.tag != "text" and not (element.text or "").strip():
            element.text = None
        element.tail = None


def _rewrite(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name == "href":
        return f"#{prefix}{value[1:]}" if value.startswith("#") else value
    if name == "style":
        value = _FONT.sub(lambda found: f"font-size: {found[2]}; font-weight: {found[1] or 'normal'}", value)
        value = _COLOUR.sub(lambda found: _VARIABLES.get(found[0], found[0]), _FAMILY.sub("", value))
    value = _REFERENCE.sub(rf"url(#{prefix}\1)", value)
    if name in ("style", "viewBox", "clip-path"):
        return value
    return " ".join(_LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", value).split())


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]
