import pytest
from jinja2 import UndefinedError

from breastcls.drawing.html_page import page_environment, read_style
from breastcls.drawing.theme import theme_css

PAGES = {"breastcls.evaluation.report": "style.css", "breastcls.experiments.recipes": "recipe.css"}


def test_text_from_outside_is_escaped_and_a_missing_name_is_an_error():
    environment = page_environment("breastcls.evaluation.report")
    assert environment.from_string("{{ name }}").render(name='<a href="x">') == "&lt;a href=&#34;x&#34;&gt;"
    assert environment.from_string("{{ name }}").render(name="x\u202e\x1b") == r"x\u202e\u001b"
    with pytest.raises(UndefinedError, match="name"):
        environment.from_string("{{ name }}").render()


@pytest.mark.parametrize(("package", "name"), PAGES.items())
def test_every_page_takes_its_colours_from_the_theme(package, name):
    style = read_style(package, name)
    assert style.startswith(theme_css())
    own = style.removeprefix(theme_css())
    assert "var(--ink)" in own
    assert "prefers-color-scheme: dark" not in own
    variables = {part.split(")")[0] for part in own.split("var(--")[1:]}
    # The tone of a verdict is set to one of the theme.
    own_variables = {"sans", "serif", "mono", "share", "tone", "tone-soft"}
    assert {f"--{variable}: " in theme_css() for variable in variables - own_variables} == {True}
