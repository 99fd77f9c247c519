"""Published splits of BreakHis, loaded by name: the five folds of its authors, and those of public benchmarks."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.image_table import BENIGN_SUBTYPES, MALIGNANCY
from breastcls.errors import DatasetWarning, LeakageWarning, SplitError
from breastcls.registry import Registry, RegistryTable
from breastcls.text_tables import choose_form, format_count

_AUTHORS = "Spanhol et al. 2016, DOI 10.1109/TBME.2015.2496264"


@dataclass(frozen=True)
class PublishedSplit:
    """A split that was published for a data set.

    Attributes:
        name: Name by which `split_as_published` finds it.
        summary: One sentence: which images, which unit is kept together.
        parts: Names of the parts, the test part last.
        assign: Function of a dataset's table (a `pandas.DataFrame` with one row per image) that returns the name of the
            part of each row, or None for an image that is not in the split.
        reference: Where the split was published.
    """

    name: str
    summary: str
    parts: tuple[str, ...]
    assign: Callable[[pd.DataFrame], Sequence[str | None]]
    reference: str


SPLITS: Registry[PublishedSplit] = Registry("published split")
"""Published splits by name, in the order of `list_published_splits`."""


@dataclass(frozen=True, repr=False)
class PublishedSplitTable(RegistryTable[PublishedSplit]):
    """The registered splits; prints as a table."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers of the printed columns."""
        return ("name", "parts", "content")

    def cells(self, entry: PublishedSplit) -> tuple[str, ...]:
        """Return the printed cells of a split."""
        return (entry.name, ", ".join(entry.parts), entry.summary)

    def record(self, entry: PublishedSplit) -> dict[str, Any]:
        """Return the attributes of a split."""
        return {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}


def register_published_split(split: PublishedSplit) -> PublishedSplit:
    """Register a split under its `name`, and return it.

    Args:
        split: The split; `split_as_published` finds it by its `name`.

    Raises:
        RegistryError: If the name is taken.
    """
    return SPLITS.register(split.name, split)


def list_published_splits() -> PublishedSplitTable:
    """Return the registered splits.

    Example:
        >>> list_published_splits().names[-2:]
        ('eva', 'thunder')
    """
    return PublishedSplitTable(tuple(SPLITS.values()))


def split_as_published(data: Dataset, name: str) -> tuple[Dataset, ...]:
    """Split a dataset as it was published.

    Args:
        data: The images. The registered splits need BreakHis, read by `load_breakhis`: they use the columns slide,
            subtype and magnification.
        name: One of `list_published_splits()`.

    Returns:
        One dataset per part, in the order of the `parts` of the split. Images that the split does not contain are left
        out, with a warning that counts them. Another warning gives the share of test images whose case is also in an
        earlier part; `fit` and `evaluate` require `allow_leakage=True` for such a split, and `repair_split` repairs it.

    Raises:
        RegistryError: If no split has this name.
        SplitError: If a part has no image.

    Example:
        >>> images = dict(path=["a.png", "b.png"], label=["b", "b"], case=["14-9133", "14-23060"])
        >>> columns = dict(slide=["14-9133", "14-23060CD"], subtype=["F", "F"], magnification=[40, 40])
        >>> train, test = split_as_published(Dataset.from_columns(("b", "m"), **images, **columns), "eva")
        >>> train.paths, test.paths
        (['a.png'], ['b.png'])
    """
    split = SPLITS[name]
    found = np.array([part or "" for part in split.assign(data.table)], dtype=object)
    counts = {part: int((found == part).sum()) for part in split.parts}
    if not all(counts.values()):
        listed = ", ".join(f"{count} in {part}" for part, count in counts.items())
        raise SplitError(
            f"Of {format_count(len(data), 'image')}, the published split {name!r} contains {listed}; no part may be "
            f"empty. It is: {split.summary} The images must be those of BreakHis, read by load_breakhis."
        )
    notes = [f"Published split {name!r} ({split.reference})."]
    left_out = len(data) - sum(counts.values())
    if left_out:
        notes.append(
            f"The published split {name!r} does not contain {left_out:,} of {format_count(len(data), 'image')}, which "
            f"{choose_form(left_out, 'was', 'were')} left out."
        )
        warnings.warn(notes[-1], DatasetWarning, stacklevel=2)
    shared = _in_shared_cases(data.cases.astype(str), found, split.parts)
    if shared.any():
        notes.append(
            f"Published split {name!r}: {shared.mean():.1%} of the test images ({int(shared.sum())} of {len(shared)}) "
            "belong to a case that is also in an earlier part."
        )
        warnings.warn(
            notes[-1] + " fit and evaluate require allow_leakage=True for it. breastcls.datasets.repair_split removes "
            "the overlap, and split(by='case') has none.",
            LeakageWarning,
            stacklevel=2,
        )
    return tuple(data[np.flatnonzero(found == part)].with_notes(*notes) for part in split.parts)


def list_breakhis_slides() -> pd.DataFrame:
    """Return the slides of BreakHis: one row for each of the 82 slides, by the complete list of its file names.

    Returns:
        A table with the columns `slide`, `case`, `subtype`, `label`, `images_40`, `images_100`, `images_200` and
        `images_400` (numbers of images), and for each published split the part of the slide (missing where the split
        does not contain it).

    Example:
        >>> slides = list_breakhis_slides()
        >>> len(slides), slides["case"].nunique(), int(slides["images_200"].sum())
        (82, 70, 2013)
    """
    return _read_slides().copy()


def _in_shared_cases(
    cases: npt.NDArray[np.str_], found: npt.NDArray[np.object_], parts: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Return for each image of the last part whether its case has images in an earlier part."""
    earlier = np.unique(cases[np.isin(found, parts[:-1])])
    return np.isin(cases[found == parts[-1]], earlier)


@cache
def _read_slides() -> pd.DataFrame:
    text = files("breastcls.datasets").joinpath("data", "breakhis_slides.csv")
    with text.open(encoding="utf-8") as file:
        table = pd.read_csv(file, dtype={"subtype": str, "slide": str})
    table.insert(1, "case", table["slide"].str.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    benign = table["subtype"].isin(BENIGN_SUBTYPES)
    table.insert(3, "label", np.where(benign, MALIGNANCY[0], MALIGNANCY[1]))
    return table


def _by_slide(column: str, magnification: int | None = None) -> Callable[[pd.DataFrame], list[str | None]]:
    """Return a function that looks up the part of each slide in a column of the table of slides."""

    def assign(table: pd.DataFrame) -> list[str | None]:
        slides = _read_slides()
        # The slide 14-13412 is filed under two subtypes.
        part = {
            (subtype, slide): value
            for subtype, slide, value in zip(slides["subtype"], slides["slide"], slides[column], strict=True)
            if isinstance(value, str)
        }
        fits = np.ones(len(table), dtype=bool)
        if magnification is not None:
            fits = (table["magnification"] == magnification).fillna(False).to_numpy(dtype=bool)
        keys = zip(table["subtype"].astype(object), table["slide"].astype(object), fits, strict=True)
        return [part.get((subtype, slide)) if fit else None for subtype, slide, fit in keys]

    return assign


for _number in range(1, 6):
    register_published_split(
        PublishedSplit(
            f"breakhis-fold-{_number}",
            f"Fold {_number} of the authors: all magnifications, 54 slides for training and 28 for testing.",
            ("train", "test"),
            _by_slide(f"fold_{_number}"),
            _AUTHORS,
        )
    )
register_published_split(
    PublishedSplit(
        "eva",
        "The split of eva, also used by soma: 40X, subtypes TA, MC, F and DC, 50 slides for training and 14 for "
        "testing.",
        ("train", "test"),
        _by_slide("eva", 40),
        "https://github.com/kaiko-ai/eva, src/eva/vision/data/datasets/classification/breakhis.py",
    )
)
register_published_split(
    PublishedSplit(
        "thunder",
        "The split of THUNDER: the test part of eva; 10 of its training slides are the validation part.",
        ("train", "val", "test"),
        _by_slide("thunder", 40),
        "https://github.com/MICS-Lab/thunder, data splits of break_his",
    )
)
