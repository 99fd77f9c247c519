"""Names of cases, slides, classes and other groups: one spelling for each, and names that may be the same.

Two names are *equal* if they are the same after `clean_name`, which removes only differences that cannot be meant. Two
names are *similar* if they differ only in letter case, leading zeros, separators, punctuation around them, accents
or letters of another alphabet with the same shape: they may be one patient or two, which only the user can decide.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import DatasetError

TEXT = pd.StringDtype("python")
"""The dtype of text. Text of pyarrow, which pandas takes by default where it is installed, has no room for the names of
files that are not UTF-8."""

EVERY_NAME = "*"
"""The member of a set of distinct names that stands for all names."""

_WHOLE = re.compile(r"\d+\.0")
# Characters without a shape that are not in the category Cf: joiners, variation selectors, Hangul fillers.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0") | {chr(code) for code in range(0xFE00, 0xFE10)}
_REPLACED = {
    "\u2212": "-",
    "\u2800": " ",
    **dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4\u0060\uff07", "'"),
}
# Letters without a canonical decomposition, and Cyrillic and Greek letters with the shape of a Latin one.
_LOOKALIKES = str.maketrans(
    {
        **dict(zip("АВЕЅІЈКМНОРСТУХаеорсухѕіј", "ABESIJKMHOPCTYXaeopcyxsij", strict=True)),
        **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)),
        **dict(zip("øØłŁđĐıħĦŧŦ", "oOlLdDihHtT", strict=True)),
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
    }
)
# Around a name they come of lists and quoting: "P1.", "P1:", "'P1'", "(P1)".
_PUNCTUATION = " .,;:'\"()[]{}"
_TOKENS = re.compile(r"\d+|[^\W\d_]+|\s*[/\\|:;#.,]\s*|[\s_\-]+|.", re.DOTALL)
# Between words they only separate: "14/22549" and "14-22549". A full stop or comma between digits is a decimal one.
_SEPARATING = frozenset("/\\|:;#.,")
# The tokens of a number with a power of ten, as which a spreadsheet writes the name "1E2": "1.00E+02".
_POWER = re.compile(r"(\d+)(?:\x1f\.\x1f(\d+))?\x1fe\x1f(?:\+\x1f)?(\d{1,2})")


def clean_name(text: str) -> str:
    r"""Return a name without differences that a reader cannot see.

    Canonically equivalent characters become one (NFC), every kind of white space a single space, every kind of hyphen,
    dash and minus "-", every kind of apostrophe "'". Surrounding white space, invisible characters (zero width, soft
    hyphens, byte-order marks, direction marks) and control characters are removed. Bytes of a file name that are not
    UTF-8 are written as `\xff`.

    Example:
        >>> clean_name("Mu\u0308ller\u200b\u00a0 14\u201322549 ") == "Müller 14-22549"
        True
    """
    if text.isascii() and text.isprintable() and "`" not in text:
        return " ".join(text.split())
    known = text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "surrogatepass")
    composed = unicodedata.normalize("NFC", known.decode("utf-8", "backslashreplace"))
    visible = "".join(map(_visible, composed))
    return " ".join(unicodedata.normalize("NFC", visible).split())


def _is_escaped(text: str) -> bool:
    return all("\udc80" <= character <= "\udcff" for character in text if "\ud800" <= character <= "\udfff")


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if character in _REPLACED:
        return _REPLACED[character]
    category = unicodedata.category(character)
    if category == "Pd":
        return "-"
    return "" if category in ("Cf", "Cc") or character in _INVISIBLE else character


def format_name(name: Any) -> str:
    """Return a name as clean text, whole numbers without decimals.

    Example:
        >>> format_name(7.0), format_name(" 7.0"), format_name("007"), format_name(7.5)
        ('7', '7', '007', '7.5')
    """
    if isinstance(name, (float, np.floating)) and float(name).is_integer():
        return str(int(name))
    text = clean_name(str(name))
    return text.removesuffix(".0") if _WHOLE.fullmatch(text) else text


def format_names(values: pd.Series) -> pd.Series:
    """Return names as text by `format_name`.

    A missing value turns a column of integers into floats, in memory and in CSV files: 7 becomes 7.0. As text, it
    would be a different case than "7", and leakage between the two would not be found.

    Args:
        values: Text or numbers; missing values stay missing.

    Returns:
        A series with the same index and the dtype "string".

    Example:
        >>> format_names(pd.Series([7.0, None, " 7 ", "7.0", "7.5"], dtype=object)).tolist()
        ['7', <NA>, '7', '7', '7.5']
    """
    if not (pd.api.types.is_integer_dtype(values) or pd.api.types.is_bool_dtype(values)):
        # Called for every selection of a dataset; distinct names are few, and nearly always unchanged.
        written = {name: format_name(name) for name in values.dropna().unique()}
        if any(name != text for name, text in written.items()):
            # Not by the dict itself, whose keys pandas would make an index of its own type of text.
            values = values.astype(object).map(lambda name: written[name], na_action="ignore")
    return values.astype(TEXT)


def similarity_key(name: str) -> str:
    """Return a text that is the same for similar names, and different for others.

    Separators (white space, hyphens, underscores, slashes and similar punctuation) between letters and digits are
    ignored, but "1-12" and "11-2" differ. Signs are kept: "HER2+", "HER2-" and "HER2" differ, and so do "1" and "-1".
    Zeros after a decimal point are kept: "1.5" and "1.05" differ. A number with a power of ten is the whole number
    that it equals, as a spreadsheet makes of the name "1E2": "1E2", "1.00E+02" and "100" are similar.

    Example:
        >>> similarity_key("P-01") == similarity_key("p1"), similarity_key("1-12") == similarity_key("11-2")
        (True, False)
    """
    text = unicodedata.normalize("NFKD", clean_name(name).translate(_LOOKALIKES)).translate(_LOOKALIKES)
    bare = "".join(_digit(one) for one in text.casefold() if not unicodedata.combining(one))
    bare = bare.strip(_PUNCTUATION) or bare
    tokens = [token.strip() or " " for token in _TOKENS.findall(bare)]
    key: list[str] = []
    for place, token in enumerate(tokens):
        before, after = tokens[place - 1 : place], tokens[place + 1 : place + 2]
        if token.isspace() or (before and after and _is_separator(token, before[0], after[0])):
            continue
        decimals = place >= 2 and tokens[place - 1] in ".," and tokens[place - 2].isdigit()
        key.append((token.lstrip("0") or "0") if token.isdigit() and not decimals else token)
    return _written_out("\x1f".join(key))


def _written_out(key: str) -> str:
    """Return the key of a number with a power of ten as that of the whole number, if it is one; else unchanged."""
    found = _POWER.fullmatch(key)
    if found is None:
        return key
    decimals = (found[2] or "").rstrip("0")
    zeros = int(found[3]) - len(decimals)
    return key if zeros < 0 else (found[1] + decimals + "0" * zeros).lstrip("0") or "0"


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def _is_separator(token: str, before: str, after: str) -> bool:
    """Return whether a token between two others has no meaning."""
    if not (before + after).isalnum():
        return False
    return not token.strip(" _-") or (
        token in _SEPARATING and not (token in ".," and before.isdigit() and after.isdigit())
    )


def read_distinct(distinct: Any) -> frozenset[str]:
    """Return the names that the caller declares to be different, formatted.

    Args:
        distinct: True for all names; or names, or groups of names: `["P1", "p1"]`, `[("P1", "p1"), ("01", "1")]`.

    Raises:
        DatasetError: If it is something else.

    Example:
        >>> sorted(read_distinct([("P1", "p1"), ("01", 1)]))
        ['01', '1', 'P1', 'p1']
    """
    if distinct is True:
        return frozenset((EVERY_NAME,))
    if distinct is None or distinct is False:
        return frozenset()
    if isinstance(distinct, (str, bytes)) or not isinstance(distinct, Iterable):
        raise DatasetError(
            "distinct must be True, or a list of names or of pairs of names, such as [('P1', 'p1')]; "
            f"found {distinct!r}."
        )
    names: set[str] = set()
    for one in distinct:
        group = one if isinstance(one, Iterable) and not isinstance(one, (str, bytes)) else (one,)
        names.update(EVERY_NAME if name == EVERY_NAME else format_name(name) for name in group)
    return frozenset(names)


def similar_groups(names: Iterable[str], distinct: Collection[str] = ()) -> list[tuple[str, ...]]:
    """Return groups of names that are similar but not equal, without those declared distinct, sorted.

    Example:
        >>> similar_groups(["P1", "p1", "P2", "01", "1"], distinct=["01", "1"])
        [('P1', 'p1')]
    """
    if EVERY_NAME in distinct:
        return []
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names) - {""}):
        groups.setdefault(similarity_key(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1 and not set(group) <= set(distinct)]


def similar_pairs(first: Iterable[str], second: Iterable[str], distinct: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return pairs of similar, unequal names, one of each collection, without those declared distinct, sorted.

    Example:
        >>> similar_pairs(["01", "P2"], ["1", "P2"])
        [('01', '1')]
    """
    ones, others = set(first) - {""}, set(second) - {""}
    if EVERY_NAME in distinct or not ones or not others:
        return []
    by_key: dict[str, list[str]] = {}
    for name in ones:
        by_key.setdefault(similarity_key(name), []).append(name)
    pairs = [(one, other) for other in others for one in by_key.get(similarity_key(other), ()) if one != other]
    return sorted(pair for pair in pairs if not set(pair) <= set(distinct))


def merge_similar(names: np.ndarray, distinct: Collection[str] = ()) -> np.ndarray:
    """Return names in which similar ones, unless declared distinct, are replaced by the first of them in order.

    Args:
        names: Object array of str, of shape (n,).
        distinct: Names declared distinct.
    """
    groups = similar_groups(names.tolist(), distinct)
    chosen = {name: group[0] for group in groups for name in group}
    return np.array([chosen.get(name, name) for name in names], dtype=object) if chosen else names


def list_similar(groups: Iterable[tuple[str, ...]], shown: int = 5) -> str:
    """Return groups of similar names as text.

    Example:
        >>> list_similar([("01", "1"), ("P1", "p1")])
        "'01' and '1', 'P1' and 'p1'"
    """
    listed = [" and ".join(map(repr, group)) for group in groups]
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
