"""What the levels of a folder of images are: classes, parts of a split, folds, magnifications or cases."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from breastcls.identifiers import clean_name

# Folders above and below an image, from the root down.
Folders = tuple[str, ...]

_SPLIT = {"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval", "holdout", "heldout"}
_FILLERS = {"set", "sets", "data", "dataset", "image", "images", "img", "imgs", "split", "part", "x", "out", "hold"}
_STEMS = ("test", "val", "dev", "eval", "hold")
_FOLD = re.compile(r"(fold|folds|split|cv|part|partition)[ _\-]*\d+|\d+(st|nd|rd|th)?[ _\-]*(fold|split)")
_MAGNIFICATION = re.compile(r"\d{1,4}(\.\d+)?[ _\-]*[x×]|[x×][ _\-]*\d{1,4}|(mag|magnification)[ _\-]*\d{1,4}[x×]?")
_CONTENT = {
    "annotation",
    "annotations",
    "ground truth",
    "groundtruth",
    "gt",
    "heatmaps",
    "image",
    "images",
    "img",
    "imgs",
    "label",
    "labels",
    "mask",
    "masks",
    "patches",
    "roi",
    "segmentation",
    "segmentations",
    "slides",
    "tiles",
}
_CLASS_WORDS = {
    "0",
    "1",
    "2",
    "3",
    "abnormal",
    "b",
    "benign",
    "cancer",
    "class0",
    "class1",
    "dcis",
    "healthy",
    "idc",
    "in situ",
    "in situ carcinoma",
    "insitu",
    "invasive",
    "invasive carcinoma",
    "m",
    "malignant",
    "neg",
    "negative",
    "no",
    "non cancer",
    "non idc",
    "non tumor",
    "non tumour",
    "normal",
    "pos",
    "positive",
    "tumor",
    "tumour",
    "yes",
}
_NUMBERED = re.compile(r"([^\W\d_]*)[ _\-]*(\d+)[ _\-]*[^\W\d_]?")
_GRADES = {
    "birads",
    "c",
    "cat",
    "category",
    "class",
    "cluster",
    "g",
    "grade",
    "her",
    "label",
    "score",
    "stage",
    "t",
    "type",
}
_FEWEST_CASES = 5


def recognise_layout(folders: Collection[Folders]) -> str:
    """Return what the levels of folders probably are, from the root down to the class: "class", "split/class" ...

    Args:
        folders: The folders of each image below the root, at least one.

    Returns:
        Names of levels separated by "/", of "split", "fold", "magnification", "content", "case" and "class". The last
        one is "class" unless no level can be the class.

    Example:
        >>> recognise_layout({("train", "benign"), ("test", "benign"), ("test", "malignant")})
        'split/class'
        >>> recognise_layout({("benign", "40X"), ("malignant", "40X")})
        'class'
    """
    levels: list[str] = []
    rest = {parts for parts in folders if parts}
    while rest:
        names = {parts[0] for parts in rest}
        kind = _kind(names)
        if not kind:
            kind = "case" if _are_cases(rest) else "class"
        if kind in levels:
            break
        levels.append(kind)
        rest = {parts[1:] for parts in rest if len(parts) > 1}
        if kind == "class":
            break
    return "/".join(levels)


def level_below_class(folders: Collection[Folders]) -> str:
    """Return what the folders below the class folders are, if it is "split", "fold" or "magnification"; else ""."""
    kind = _kind({parts[1] for parts in folders if len(parts) > 1})
    return kind if kind in ("split", "fold", "magnification") else ""


def single_folders(folders: Collection[Folders]) -> Folders:
    """Return the folders that all images have in common, from the root down."""
    shared: list[str] = []
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return tuple(shared)


def describe_level(kind: str) -> str:
    """Return a level in words, for a message."""
    return {
        "split": "parts of a split",
        "fold": "folds",
        "magnification": "magnifications",
        "case": "cases or other groups",
        "content": "kinds of files",
    }[kind]


def _kind(names: Collection[str]) -> str:
    simple = {clean_name(name).casefold() for name in names}
    if not simple:
        return ""
    if _are_parts(simple):
        return "split"
    matchers: Sequence[tuple[str, Callable[[str], object]]] = (
        ("fold", _FOLD.fullmatch),
        ("magnification", _MAGNIFICATION.fullmatch),
        ("content", _CONTENT.__contains__),
    )
    return next((kind for kind, matches in matchers if all(map(matches, simple))), "")


def _are_parts(names: Collection[str]) -> bool:
    """Return whether one of the names is a part of a split, such as "train" or "BreakHis_test".

    Words that begin as those of two parts do are parts, too, in whatever language: "Trainingsdaten" beside "Testdaten".
    """
    words = [set(re.findall(r"[^\W\d_]+", name)) for name in names]
    begins = set().union(*words)
    if any(word.startswith("train") for word in begins) and any(word.startswith(_STEMS) for word in begins):
        return True
    common = set.intersection(*words) - _SPLIT if len(words) > 1 else set()
    return any(of_name & _SPLIT and of_name - common <= _SPLIT | _FILLERS for of_name in words)


def _are_cases(folders: Collection[Folders]) -> bool:
    """Return whether the first level is probably the case, and not the class."""
    first = {parts[0] for parts in folders}
    below = {parts[0]: set[str]() for parts in folders}
    for parts in folders:
        below[parts[0]].update(parts[1:2])
    second = set().union(*below.values())
    if len(second) > 1 and not _kind(second):
        simple = {clean_name(name).casefold().replace("_", " ").replace("-", " ") for name in second}
        # Numbers above folders of class words, such as 1/benign, are patients.
        words_below = simple <= _CLASS_WORDS and not any(name.isdecimal() for name in simple)
        above = {clean_name(name).casefold().replace("_", " ") for name in first}
        classes_above = any(name in _CLASS_WORDS and not (words_below and name.isdecimal()) for name in above)
        repeated = all(sum(name in of for of in below.values()) > 1 for name in second)
        if not classes_above and len(first) > 1 and (simple <= _CLASS_WORDS or (repeated and len(second) < len(first))):
            return True
    return not second and _are_numbered(first)


def _are_numbered(names: Collection[str]) -> bool:
    """Return whether all names are one word with different numbers, such as P001, and too many to be grades."""
    found = [_NUMBERED.fullmatch(clean_name(name).casefold()) for name in names]
    if len(names) < _FEWEST_CASES or not all(found):
        return False
    words = {one[1] for one in found if one}
    numbers = sorted(int(one[2]) for one in found if one)
    if len(words) > 1 or words & _GRADES:
        return False
    consecutive = numbers[-1] - numbers[0] + 1 == len(numbers) and numbers[0] in (0, 1) and len(numbers) <= 10
    return bool(words - {""}) or not consecutive
