"""The colours of this package, once: of its figures, and of its HTML pages in the light and in the dark theme."""

from __future__ import annotations

from collections.abc import Mapping

# Every pair of colours that meet, text on its background or a line on the page, meets WCAG 2.2 in both themes.
LIGHT: Mapping[str, str] = {
    "paper": "#fbfaf8",
    "surface": "#ffffff",
    "ink": "#211e27",
    "muted": "#5d5868",
    "line": "#e0dce5",
    "line-strong": "#8d8698",
    "shadow": "#211e2738",
    "model": "#4b3f92",
    "model-soft": "#eeebf8",
    "baseline": "#a8406a",
    "good": "#1b6642",
    "good-soft": "#eaf5ef",
    "bad": "#9f1f24",
    "bad-soft": "#fcecec",
    "caution": "#7a5200",
    "caution-soft": "#fbf3e0",
    "focus": "#4b3f92",
    "tint": "0.55",
    "class-0": "#4b3f92",
    "class-1": "#b5406f",
    "class-2": "#1f6f94",
    "class-3": "#8a5a00",
    "class-4": "#1b6642",
    "class-5": "#8b2f80",
    "class-6": "#5e5c12",
    "class-7": "#4f5a69",
}
DARK: Mapping[str, str] = {
    "paper": "#17161b",
    "surface": "#1f1d25",
    "ink": "#ebe8f0",
    "muted": "#aea8ba",
    "line": "#3a3643",
    "line-strong": "#6c6678",
    "shadow": "#00000090",
    "model": "#b3a9f7",
    "model-soft": "#2d2948",
    "baseline": "#f09aba",
    "good": "#86d6ab",
    "good-soft": "#182b21",
    "bad": "#ffa8a2",
    "bad-soft": "#3a1d1e",
    "caution": "#e8c27a",
    "caution-soft": "#2e2718",
    "focus": "#d9d2ff",
    "tint": "0.42",
    "class-0": "#b3a9f7",
    "class-1": "#f09aba",
    "class-2": "#7cc7e8",
    "class-3": "#e3b76a",
    "class-4": "#86d6ab",
    "class-5": "#e58fd8",
    "class-6": "#c9c67a",
    "class-7": "#a9b4c4",
}


def theme_css() -> str:
    """Return the colours as CSS variables: the dark ones where the system or the attribute `data-theme` asks for them.

    Print is always light.

    Example:
        >>> "--ink: #211e27;" in theme_css()
        True
    """
    light, dark = (_variables(scheme, colours) for scheme, colours in (("light", LIGHT), ("dark", DARK)))
    return (
        f":root {{ {light} }}\n"
        f'@media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f'@media screen {{ :root[data-theme="dark"] {{ {dark} }} }}\n'
    )


def _variables(scheme: str, colours: Mapping[str, str]) -> str:
    return " ".join([f"color-scheme: {scheme};", *(f"--{name}: {value};" for name, value in colours.items())])
