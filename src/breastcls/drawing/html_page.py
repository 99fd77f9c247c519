"""The shell that every HTML page of this package shares: how its template is filled, and its style sheet."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from breastcls.control_characters import show_controls
from breastcls.drawing.theme import theme_css


def page_environment(package: str) -> Environment:
    """Return a Jinja environment for the folder `templates` of a package.

    Text from outside (names of files, classes and cases) is escaped, also control characters and those that change the
    direction of writing, and a name that the template does not get is an error.

    Args:
        package: The dotted name of the package.

    Example:
        >>> environment = page_environment("breastcls.evaluation.report")
        >>> environment.from_string("{{ name }}").render(name="<b>")
        '&lt;b&gt;'
    """
    return Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        finalize=_show_controls,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _show_controls(value: Any) -> Any:
    # Markup is made by this package; its parts are escaped where they come from outside.
    return show_controls(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def read_template(package: str, name: str) -> str:
    """Return the text of a file of the folder `templates` of a package."""
    return resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")


def theme_script() -> str:
    """Return the script of the button `theme`, which changes between the light and the dark theme of a page."""
    return read_template("breastcls.drawing", "theme.js")


def hash_script(script: str) -> str:
    """Return the hash by which the security policy of a page allows a script of its own."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def read_style(package: str, name: str) -> Markup:
    """Return the colours of the theme and a style sheet of the folder `templates` of a package.

    Example:
        >>> read_style("breastcls.evaluation.report", "style.css").startswith(":root { color-scheme: light;")
        True
    """
    return Markup(theme_css() + read_template(package, name))
