"""Control characters in text from files, which in a page would hide or reorder what follows."""

from __future__ import annotations

import unicodedata

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def show_controls(text: str) -> str:
    r"""Return text in which control characters and those that change the direction of writing are escaped.

    They are found in names of files and in text of others; in a page they would reorder or hide what follows.

    Example:
        >>> show_controls("a\u202egnp.exe"), show_controls("two\nlines")
        ('a\\u202egnp.exe', 'two\nlines')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{ord(one):04x}" if _is_control(one) else one for one in text)


def _is_control(character: str) -> bool:
    if character in "\n\r\t":
        return False
    return unicodedata.category(character) == "Cc" or character in _DIRECTIONS
