"""Permutations of labels that keep what the null hypothesis of a permutation test does not concern."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_choice
from breastcls.errors import TrainingError
from breastcls.predictions.aggregation import Aggregation, Level
from breastcls.text_tables import choose_form, format_count

Permute = Literal["cases", "within-cases"]
MOST_COUNTED = 10**9
NULLS: dict[str, str] = {
    "cases": "The class of a case does not depend on its images: the labels of whole cases are exchangeable{within}.",
    "within-cases": (
        "The class of an image does not depend on its pixels, given its case: the labels of the images of one case are "
        "exchangeable. Differences between cases are not tested."
    ),
}


def choose_permutation(labels: npt.NDArray[np.int64], cases: npt.NDArray[np.object_], asked: str | None) -> Permute:
    """Return what is permuted: whole cases, or images within cases where most cases hold several classes.

    Args:
        labels: int64 (n,).
        cases: (n,).
        asked: "cases", "within-cases", or None to choose.

    Raises:
        TrainingError: If it is something else, or cannot be permuted.
    """
    check_choice("permute", asked, (None, *get_args(Permute)), error=TrainingError)
    _, codes = np.unique(cases.astype(str), return_inverse=True)
    several = _classes_of(labels, codes).sum(axis=1) > 1
    if asked == "cases" and several.any():
        raise TrainingError(
            f"{int(several.sum())} of {format_count(len(several), 'case')} "
            f"{choose_form(int(several.sum()), 'holds', 'hold')} several classes, so a case has no label to permute: "
            'pass permute="within-cases", or leave out these cases.'
        )
    if asked == "within-cases" and not several.any():
        raise TrainingError('Every case holds one class, so labels cannot be permuted within cases: permute="cases".')
    if asked is not None:
        return asked  # type: ignore[return-value]
    return "within-cases" if several.mean() > 0.5 else "cases"


def choose_level(permute: Permute, aggregation: Aggregation | Level | None) -> Aggregation:
    """Return the level that is scored: that of `aggregation`, else the one of the labels that are permuted."""
    if aggregation is not None:
        return Aggregation.of(aggregation)
    # The few cases of several classes keep their labels, and have no class of their own.
    return Aggregation("image") if permute == "within-cases" else Aggregation("case", mixed_labels="drop")


def permute_labels(
    labels: npt.NDArray[np.int64],
    cases: npt.NDArray[np.object_],
    permute: Permute,
    generator: np.random.Generator,
    strata: npt.NDArray[np.object_] | None = None,
) -> npt.NDArray[np.int64]:
    """Return the labels permuted, int64 (n,).

    Args:
        labels: int64 (n,).
        cases: (n,).
        permute: "cases": every case gets the label of another one of its stratum; cases of several classes keep theirs.
            "within-cases": the labels of the images of each case are permuted.
        generator: Of the random order.
        strata: (n,), the stratum of each image, the same for all images of a case; None for one.

    Example:
        >>> labels, cases = np.array([0, 0, 1, 1]), np.array(["a", "a", "b", "b"], dtype=object)
        >>> sorted({tuple(permute_labels(labels, cases, "cases", np.random.default_rng(seed))) for seed in range(9)})
        [(np.int64(0), np.int64(0), np.int64(1), np.int64(1)), (np.int64(1), np.int64(1), np.int64(0), np.int64(0))]
    """
    _, first, codes = np.unique(cases.astype(str), return_index=True, return_inverse=True)
    if permute == "within-cases":
        order = np.lexsort((generator.random(len(labels)), codes))
        found = np.empty_like(labels)
        found[np.argsort(codes, kind="stable")] = labels[order]
        return found
    movable = _classes_of(labels, codes).sum(axis=1) == 1
    of_case = labels[first].copy()
    names = np.full(len(first), "") if strata is None else strata[first].astype(str)
    groups = np.unique(names, return_inverse=True)[1]
    for group in np.unique(groups):
        members = np.flatnonzero((groups == group) & movable)
        of_case[members] = of_case[generator.permutation(members)]
    return np.where(movable[codes], of_case[codes], labels)


def count_permutations(
    labels: npt.NDArray[np.int64],
    cases: npt.NDArray[np.object_],
    permute: Permute,
    strata: npt.NDArray[np.object_] | None = None,
) -> int:
    """Return the number of different results of `permute_labels`, at most 10^9 of them.

    Results that differ only in which class has which name count once, since a procedure that treats classes alike gives
    them the same score. With n different results no p-value is below 1 / n.

    Args:
        labels: int64 (n,).
        cases: (n,).
        permute: As in `permute_labels`.
        strata: As in `permute_labels`.

    Example:
        >>> cases = np.array(list("abcdefg"), dtype=object)
        >>> [count_permutations(np.arange(size) // 3, cases[:size], "cases") for size in (4, 5, 6)]
        [4, 10, 10]
    """
    _, first, codes = np.unique(cases.astype(str), return_index=True, return_inverse=True)
    if permute == "within-cases":
        groups, moved, fixed = codes, labels, False
    else:
        movable = _classes_of(labels, codes).sum(axis=1) == 1
        names = np.full(len(first), "") if strata is None else strata[first].astype(str)
        groups = np.unique(names, return_inverse=True)[1][movable]
        moved, fixed = labels[first][movable], not movable.all()
    counts = np.zeros((int(groups.max(initial=0)) + 1, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (groups, moved), 1)
    # Classes that each group holds equally often can exchange their names.
    alike = np.unique(counts[:, counts.any(axis=0)], axis=1, return_counts=True)[1].tolist()
    names_of_same = 1 if fixed else math.prod(map(math.factorial, alike))
    found = 1
    for row in counts.tolist():
        left = sum(row)
        for count in row:
            found *= math.comb(left, count)
            left -= count
        if found >= MOST_COUNTED * names_of_same:
            return MOST_COUNTED
    return found // names_of_same


def check_strata(strata: npt.NDArray[np.object_], cases: npt.NDArray[np.object_]) -> None:
    """Raise `TrainingError` unless all images of a case are in one stratum."""
    _, codes = np.unique(cases.astype(str), return_inverse=True)
    for code in np.unique(codes):
        found = sorted(set(strata[codes == code].astype(str).tolist()))
        if len(found) > 1:
            raise TrainingError(
                f"The case {cases[codes == code][0]!r} is in the strata {', '.join(found)}; whole cases are permuted, "
                "so every case has to be in one stratum."
            )


def _classes_of(labels: npt.NDArray[np.int64], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    holds = np.zeros((int(codes.max()) + 1, int(labels.max()) + 1), dtype=bool)
    holds[codes, labels] = True
    return holds
