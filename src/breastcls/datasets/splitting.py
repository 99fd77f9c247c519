"""Splitting into parts that share no case, stratified by class as far as whole cases allow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import LeakageWarning, SplitError
from breastcls.text_tables import format_count

_RESTARTS = 64


def equal_fractions(count: int) -> tuple[float, ...]:
    """Return `count` equal fractions.

    Raises:
        SplitError: If `count` is not a whole number of at least 2.
    """
    check_count("The number of folds", count, 2, error=SplitError)
    return (1 / count,) * int(count)


def assign_parts(
    units: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    fractions: Sequence[float],
    *,
    seed: int,
    by: str = "case",
    keys: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Assign every image to a part, keeping units whole.

    Units are assigned in random order, each to the part in which its classes are most underrepresented. Of several
    such assignments, the one closest to the requested fractions is used. (scikit-learn's StratifiedGroupKFold assigns
    groups by size, so that its seed has little effect; it supports equal parts only, and may leave a part without a
    class.)

    Args:
        units: The unit (case, slide or image) of each image, of shape (n,).
        labels: Class indices, int of shape (n,).
        classes: Class names.
        fractions: Fraction of each part, adding up to 1.
        seed: Seed of the random order.
        by: Name of the units, for messages.
        keys: Unique names of the units that make the result independent of the order of rows.
        strata: Further groups of images, int of shape (n,), to be distributed alike within each class as far as whole
            units allow; a part may be without some of them.

    Returns:
        Part numbers, int64 of shape (n,).

    Raises:
        SplitError: If the fractions are invalid, a class has fewer units than there are parts, or no assignment gives
            every part every class.
    """
    shares = _check_fractions(fractions)
    if len(labels) == 0:
        raise SplitError("There are no images to split.")
    if by == "image":
        warnings.warn(
            "Splitting by image puts images of one tumour into several parts, which inflates all metrics. "
            "Use by='case' to estimate the performance for new patients.",
            LeakageWarning,
            stacklevel=5,
        )
    order = np.unique(units if keys is None else keys, return_inverse=True)[1].ravel()
    present = np.unique(labels)
    counts = np.zeros((order.max() + 1, len(present)), dtype=np.int64)
    np.add.at(counts, (order, np.searchsorted(present, labels)), 1)
    names = [classes[index] for index in present]
    _check_enough(counts, names, len(shares), by)
    cells = None if strata is None else _count_cells(order, labels, strata)
    rng = np.random.default_rng(seed)
    assign = _assign_images if (counts.sum(axis=1) == 1).all() else _assign_groups
    parts = assign(counts, shares, rng, cells)
    if not _covers(parts, counts, len(shares)):
        raise SplitError(
            f"No assignment was found that gives each of {len(shares)} parts every class, since some {by}s have "
            f"several classes.\n{_table(counts, names, by)}\nAsk for fewer parts."
        )
    return parts[order]


def _check_fractions(fractions: Sequence[float]) -> np.ndarray:
    shares = np.asarray(fractions, dtype=float)
    if shares.ndim != 1 or len(shares) < 2 or not np.isfinite(shares).all() or (shares <= 0).any():
        raise SplitError(f"fractions must be at least two positive numbers; found {tuple(fractions)}.")
    if abs(shares.sum() - 1) > 1e-6:
        raise SplitError(f"fractions must add up to 1; {tuple(fractions)} add up to {shares.sum():g}.")
    return shares


def _check_enough(counts: np.ndarray, names: Sequence[str], parts: int, by: str) -> None:
    units = (counts > 0).sum(axis=0)
    if (units < parts).any():
        short = ", ".join(f"{name!r} has {n}" for name, n in zip(names, units, strict=True) if n < parts)
        raise SplitError(
            f"{parts} parts need at least {parts} {by}s of every class, but {short}.\n{_table(counts, names, by)}\n"
            f"Ask for fewer parts, or leave the class out with where()."
        )


def _table(counts: np.ndarray, names: Sequence[str], by: str) -> str:
    rows = [
        f"  {name}: {format_count(int((counts[:, c] > 0).sum()), by)}, {format_count(int(counts[:, c].sum()), 'image')}"
        for c, name in enumerate(names)
    ]
    return "\n".join(["Counts:", *rows])


def _covers(parts: np.ndarray, counts: np.ndarray, number: int) -> bool:
    return all((counts[parts == part].sum(axis=0) > 0).all() for part in range(number))


def _count_cells(order: np.ndarray, labels: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return the number of images of each unit in each combination of class and stratum."""
    cell = np.unique(np.stack([labels, strata]), axis=1, return_inverse=True)[1].ravel()
    cells = np.zeros((order.max() + 1, cell.max() + 1), dtype=np.int64)
    np.add.at(cells, (order, cell), 1)
    return cells


def _assign_images(
    counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator, cells: np.ndarray | None
) -> np.ndarray:
    """Assign single images: shuffle each class and divide it, with at least one image per part."""
    parts = np.empty(len(counts), dtype=np.int64)
    for column in range(counts.shape[1]):
        members = rng.permutation(np.flatnonzero(counts[:, column]))
        sizes = np.maximum(np.floor(shares * len(members)).astype(int), 1)
        while sizes.sum() > len(members):
            sizes[np.argmax(sizes)] -= 1
        missing = shares * len(members) - sizes
        for part in np.argsort(-missing, kind="stable")[: len(members) - sizes.sum()]:
            sizes[part] += 1
        numbers = np.repeat(np.arange(len(shares)), sizes)
        if cells is not None:
            # Strata one after the other, and the images of each part at equal distances.
            members = members[np.argsort(cells[members].argmax(axis=1), kind="stable")]
            within = np.arange(len(members)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            numbers = numbers[np.argsort((within + 0.5) / sizes[numbers], kind="stable")]
        parts[members] = numbers
    return parts


def _assign_groups(
    counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator, cells: np.ndarray | None
) -> np.ndarray:
    """Assign whole groups several times, and keep the assignment closest to the fractions of images and of groups."""
    # Groups are counted as well as images: the case is the unit of independence, and few cases may have most images.
    balanced = [counts] if cells is None else [counts, cells]
    weight = np.concatenate(
        [part for each in balanced for part in (each / each.sum(axis=0), (each > 0) / (each > 0).sum(axis=0))], axis=1
    )
    orders = np.stack([rng.permutation(len(counts)) for _ in range(_RESTARTS)])
    # All assignments are made together, unit by unit, since a permutation test makes thousands.
    every = np.arange(_RESTARTS)
    parts = np.empty((_RESTARTS, len(counts)), dtype=np.int64)
    filled = np.zeros((_RESTARTS, len(shares), weight.shape[1]))
    classes = counts.shape[1]
    for units in orders.T:
        has = weight[units][:, None] > 0
        uncovered = ((filled[..., :classes] == 0) & has[..., :classes]).any(axis=2)
        missing = np.where(has, (shares[:, None] - filled) / shares[:, None], 0.0)
        # One column after the other, so that equal deficits stay equal whatever columns a unit has.
        deficit = sum(missing[..., column] for column in range(missing.shape[2])) / has.sum(axis=2)
        part = np.argmax(deficit + uncovered, axis=1)
        parts[every, units] = part
        filled[every, part] += weight[units]
    errors = [float((((one - shares[:, None]) ** 2) / shares[:, None]).sum()) for one in filled]
    lacking = (filled[..., :classes] == 0).any(axis=(1, 2))
    chosen: np.ndarray = parts[min(range(_RESTARTS), key=lambda number: (bool(lacking[number]), errors[number]))]
    return chosen
