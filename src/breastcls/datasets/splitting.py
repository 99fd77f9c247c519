"""Splitting into parts that share no case, with the classes in proportion as well as whole cases allow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from breastcls.errors import LeakageWarning, SplitError

_RESTARTS = 64


def equal_fractions(count: int) -> tuple[float, ...]:
    """Return `count` equal shares.

    Raises:
        SplitError: If `count` is not a whole number of at least 2.
    """
    if not isinstance(count, (int, np.integer)) or count < 2:
        raise SplitError(f"The number of folds must be a whole number of at least 2; found {count!r}.")
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
) -> np.ndarray:
    """Give every image the number of its part.

    Whole units are dealt out in random order, each to the part that lacks its classes most; of several such deals
    the one nearest to the wanted proportions is taken. (scikit-learn's StratifiedGroupKFold deals by size, so that its
    seed hardly matters, knows only equal parts, and may leave a class out of a part.)

    Args:
        units: What must not be torn apart: the case, slide or image of each of n images.
        labels: Class indices, int of shape (n,).
        classes: Their names.
        fractions: Wanted share of each part, adding up to 1.
        seed: Chooses among the possible splits.
        by: What the units are, for messages.
        keys: Names that make the result independent of row order where units are mere numbers.

    Returns:
        Part numbers, int64 of shape (n,).

    Raises:
        SplitError: If the fractions are not valid, a class of the data has fewer units than parts, or no split gives
            every part every class.
    """
    shares = _check_fractions(fractions)
    if len(labels) == 0:
        raise SplitError("There are no images to split.")
    if by == "image":
        warnings.warn(
            "Splitting by image puts pictures of one tumour into several parts: scores will be too good. "
            "Use by='case' for numbers that hold for new patients.",
            LeakageWarning,
            stacklevel=4,
        )
    order = np.unique(units if keys is None else keys, return_inverse=True)[1].ravel()
    present = np.unique(labels)
    counts = np.zeros((order.max() + 1, len(present)), dtype=np.int64)
    np.add.at(counts, (order, np.searchsorted(present, labels)), 1)
    names = [classes[index] for index in present]
    _check_enough(counts, names, len(shares), by)
    rng = np.random.default_rng(seed)
    deal = _deal_single if (counts.sum(axis=1) == 1).all() else _deal_groups
    parts = deal(counts, shares, rng)
    if not _covers(parts, counts, len(shares)):
        raise SplitError(
            f"No way was found to give each of {len(shares)} parts every class, since some {by}s hold several "
            f"classes.\n{_table(counts, names, by)}\nAsk for fewer parts."
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
        f"  {name}: {int((counts[:, c] > 0).sum())} {by}s, {int(counts[:, c].sum())} images"
        for c, name in enumerate(names)
    ]
    return "\n".join(["Counts:", *rows])


def _covers(parts: np.ndarray, counts: np.ndarray, number: int) -> bool:
    return all((counts[parts == part].sum(axis=0) > 0).all() for part in range(number))


def _deal_single(counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal units of one image each: shuffle every class and cut it, each part getting at least one."""
    parts = np.empty(len(counts), dtype=np.int64)
    for column in range(counts.shape[1]):
        members = rng.permutation(np.flatnonzero(counts[:, column]))
        sizes = np.maximum(np.floor(shares * len(members)).astype(int), 1)
        while sizes.sum() > len(members):
            sizes[np.argmax(sizes)] -= 1
        lacking = shares * len(members) - sizes
        for part in np.argsort(-lacking, kind="stable")[: len(members) - sizes.sum()]:
            sizes[part] += 1
        parts[members] = np.repeat(np.arange(len(shares)), sizes)
    return parts


def _deal_groups(counts: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal whole groups, several times over, and keep the deal nearest to the shares in images and in groups."""
    # Groups count beside images: the case is the unit of independence, and many images may come from few cases.
    weight = np.concatenate([counts / counts.sum(axis=0), (counts > 0) / (counts > 0).sum(axis=0)], axis=1)
    classes = counts.shape[1]
    best: tuple[bool, float] | None = None
    chosen = np.zeros(len(counts), dtype=np.int64)
    for _ in range(_RESTARTS):
        parts = np.empty(len(counts), dtype=np.int64)
        filled = np.zeros((len(shares), weight.shape[1]))
        for unit in rng.permutation(len(counts)):
            has = weight[unit] > 0
            uncovered = (filled[:, :classes][:, has[:classes]] == 0).any(axis=1)
            lack = ((shares[:, None] - filled[:, has]) / shares[:, None]).mean(axis=1)
            part = int(np.argmax(lack + uncovered))
            parts[unit] = part
            filled[part] += weight[unit]
        error = float((((filled - shares[:, None]) ** 2) / shares[:, None]).sum())
        rank = (not _covers(parts, counts, len(shares)), error)
        if best is None or rank < best:
            best, chosen = rank, parts
    return chosen
