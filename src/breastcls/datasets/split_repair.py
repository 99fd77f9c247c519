"""The smallest repair of a split with leakage: which cases to move to another part, or which images to drop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.linked_images import link_images
from breastcls.errors import DatasetError, SplitError
from breastcls.result import Result
from breastcls.text_tables import choose_form, format_count, text_table

_NAMES = {2: ("train", "test"), 3: ("train", "val", "test")}


@dataclass(frozen=True, eq=False)
class SplitRepair(Result):
    """A repair of a split, and the parts after it.

    Attributes:
        how: "move": images of a shared case are moved to one part. "drop": they are kept in one part only.
        parts: The parts after the repair.
        changes: One row per case and part that loses images: `case`, `label`, `images`, `from` and `to` (missing for
            dropped images).
        cost: One row per class and part: `images_before`, `images_after`, `cases_before` and `cases_after`.
    """

    how: str
    parts: tuple[Dataset, ...]
    changes: pd.DataFrame
    cost: pd.DataFrame

    @property
    def images(self) -> int:
        """The number of images that are moved or dropped."""
        return int(self.changes["images"].sum())

    def __str__(self) -> str:
        if self.changes.empty:
            return "The parts share no case, slide or image: nothing is to repair."
        done = {"move": "Moved to another part", "drop": "Dropped"}[self.how]
        rows: list[tuple[str, ...]] = [("case", "class", "images", "from", "to")]
        rows += [
            (row["case"], row["label"], str(row["images"]), row["from"], row["to"] if row["to"] else "dropped")
            for row in self.changes.to_dict("records")
        ]
        table: list[tuple[str, ...]] = [("part", "class", "images before", "after", "cases before", "after")]
        table += [tuple(map(str, row)) for row in self.cost.itertuples(index=False)]
        return "\n\n".join(
            [
                f"{done}: {format_count(self.images, 'image')} of "
                f"{format_count(self.changes['case'].nunique(), 'case')}.",
                text_table(rows, rule=True),
                text_table(table, rule=True),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the repair as JSON values, without the parts."""
        return {
            "how": self.how,
            "images": self.images,
            "changes": self.changes.to_dict("records"),
            "cost": self.cost.to_dict("records"),
        }


@dataclass(frozen=True, eq=False)
class RepairProposals(Result):
    """Both variants of the smallest repair; prints both.

    Attributes:
        move: Every image is kept, and shared cases are moved to one part.
        drop: No image changes its part, and shared cases are kept in one part only.
    """

    move: SplitRepair
    drop: SplitRepair

    def __str__(self) -> str:
        if self.move.changes.empty:
            return str(self.move)
        return f"Repair by moving (how='move')\n{self.move}\n\nRepair by dropping (how='drop')\n{self.drop}"

    def to_dict(self) -> dict[str, Any]:
        """Return both variants as JSON values."""
        return {"move": self.move.to_dict(), "drop": self.drop.to_dict()}


def propose_repairs(*parts: Dataset, pixels: bool = True, names: Sequence[str] | None = None) -> RepairProposals:
    """Find the smallest repairs of a split in which parts share cases, slides or images.

    Images that are linked by their case, slide, file, pixels or as near duplicates belong together. Each such group
    is assigned to one of the parts in which it has images, so that the smallest number of images is moved or dropped
    and every part keeps every class that it has. This is an integer linear program, solved exactly by HiGHS
    (`scipy.optimize.milp`).

    Args:
        *parts: The parts of the split, the test part last.
        pixels: Whether files and pixels are compared too, as in `audit_leakage`.
        names: Names of the parts; by default "train", "val" and "test", or "train" and "test".

    Returns:
        Both variants, which print; `proposals.move.parts` are the repaired parts. `audit_leakage` finds no leakage
        between them.

    Raises:
        DatasetError: If there are fewer than two parts, or their classes differ.
        SplitError: If no repair leaves every class in every part.
        ImageError: If a file cannot be read.

    Example:
        >>> columns = dict(path=[f"{n}.png" for n in range(7)], label=list("bmbbmbm"), case=list("xyxzwvu"))
        >>> data = Dataset.from_columns(("b", "m"), **columns)
        >>> print(propose_repairs(data[:2], data[2:], pixels=False).move.changes.to_string(index=False))
        case label  images from    to
           x     b       1 test train
    """
    if len(parts) < 2:
        raise DatasetError(f"propose_repairs needs at least two parts; found {len(parts)}.")
    if len({part.classes for part in parts}) > 1:
        raise DatasetError(f"The parts have different classes: {[part.classes for part in parts]}.")
    given = tuple(names or _NAMES.get(len(parts)) or (f"part {number}" for number in range(1, len(parts) + 1)))
    if len(given) != len(parts):
        raise DatasetError(f"names has {format_count(len(given), 'name')} for {len(parts)} parts.")
    groups = link_images(parts, pixels=pixels)
    return RepairProposals(_repair(parts, given, groups, "move"), _repair(parts, given, groups, "drop"))


def repair_split(*parts: Dataset, how: Literal["move", "drop"] = "move", pixels: bool = True) -> tuple[Dataset, ...]:
    """Return the parts of a split after its smallest repair; see `propose_repairs`, which prints it.

    Args:
        *parts: The parts of the split, the test part last.
        how: "move" moves shared cases to one part; "drop" keeps them in one part only.
        pixels: Whether files and pixels are compared too.

    Returns:
        The repaired parts, in the given order.

    Raises:
        DatasetError: If `how` has another value, there are fewer than two parts, or their classes differ.
        SplitError: If no repair leaves every class in every part.

    Example:
        >>> columns = dict(path=[f"{n}.png" for n in range(7)], label=list("bmbbmbm"), case=list("xyxzwvu"))
        >>> data = Dataset.from_columns(("b", "m"), **columns)
        >>> [len(part) for part in repair_split(data[:3], data[3:], pixels=False)]
        [3, 4]
    """
    check_choice("how", how, ("move", "drop"), error=DatasetError)
    proposals = propose_repairs(*parts, pixels=pixels)
    return proposals.move.parts if how == "move" else proposals.drop.parts


def _repair(parts: Sequence[Dataset], names: tuple[str, ...], groups: npt.NDArray[np.int64], how: str) -> SplitRepair:
    part = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
    labels = np.concatenate([one.labels for one in parts])
    target = part.copy()
    for group, chosen in _choose_parts(part, labels, groups, names, parts[0].classes, how).items():
        target[groups == group] = chosen
    changed = target != part
    cases = np.concatenate([one.cases for one in parts])
    rows = pd.DataFrame(
        {
            "case": cases[changed],
            "label": np.array(parts[0].classes, dtype=object)[labels[changed]],
            "from": np.array(names, dtype=object)[part[changed]],
            "to": np.array(names, dtype=object)[target[changed]] if how == "move" else "",
        }
    )
    changes = rows.groupby(["case", "label", "from", "to"], sort=True).size().rename("images")
    after = np.where(changed, target if how == "move" else -1, part)
    joined = parts[0]
    for one in parts[1:]:
        joined = joined + one
    note = (
        ()
        if not changed.any()
        else (
            f"The split was repaired: {format_count(int(changed.sum()), 'image')} "
            f"{choose_form(int(changed.sum()), 'was', 'were')} {_done(how)}.",
        )
    )
    table = changes.reset_index()[["case", "label", "images", "from", "to"]]
    return SplitRepair(
        how,
        tuple(joined[np.flatnonzero(after == number)].with_notes(*note) for number in range(len(parts))),
        table if how == "move" else table.assign(to=pd.Series([None] * len(table), dtype=object)),
        _cost(parts[0].classes, names, labels, cases, part, after),
    )


def _done(how: str) -> str:
    return "moved to another part" if how == "move" else "dropped"


def _choose_parts(
    part: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    names: tuple[str, ...],
    classes: tuple[str, ...],
    how: str,
) -> dict[int, int]:
    """Return the part of each group that has images in several parts."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    counts = np.zeros((groups.max() + 1, len(names), len(classes)), dtype=np.int64)
    np.add.at(counts, (groups, part, labels), 1)
    crossing = np.flatnonzero((counts.sum(axis=2) > 0).sum(axis=1) > 1)
    if not len(crossing):
        return {}
    own = counts[crossing]
    fixed = counts.sum(axis=0) - own.sum(axis=0)
    # One variable per group and part: 1 if the group is assigned to it.
    images = own.sum(axis=2)
    gained = np.repeat(own.sum(axis=1)[:, None], len(names), axis=1) if how == "move" else own
    one_part = np.kron(np.eye(len(crossing)), np.ones(len(names)))
    needed, required = [], []
    for number in range(len(names)):
        for label in range(len(classes)):
            if counts[:, number, label].any():
                row = np.zeros((len(crossing), len(names)))
                row[:, number] = gained[:, number, label]
                needed.append(row.ravel())
                required.append(1 - fixed[number, label])
    # Of equal repairs, the one that leaves more images in the earlier part.
    cost = images.sum(axis=1, keepdims=True) - images + np.arange(len(names)) / (len(names) * (len(crossing) + 1))
    found = milp(
        cost.ravel(),
        integrality=np.ones(cost.size),
        bounds=Bounds(0, (images > 0).astype(float).ravel()),
        constraints=[LinearConstraint(one_part, 1, 1), LinearConstraint(np.array(needed), required, np.inf)],
    )
    if not found.success:
        raise SplitError(
            f"No repair by {'moving' if how == 'move' else 'dropping'} leaves every class in every part: the cases in "
            "several parts are the only ones of a class. Split anew with data.split(by='case')."
        )
    chosen = np.argmax(found.x.reshape(cost.shape), axis=1)
    return dict(zip(crossing.tolist(), chosen.tolist(), strict=True))


def _cost(
    classes: tuple[str, ...],
    names: tuple[str, ...],
    labels: npt.NDArray[np.int64],
    cases: npt.NDArray[np.object_],
    before: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
) -> pd.DataFrame:
    rows = []
    for number, name in enumerate(names):
        for label, title in enumerate(classes):
            masks = [(state == number) & (labels == label) for state in (before, after)]
            images = [int(mask.sum()) for mask in masks]
            held = [len(np.unique(cases[mask].astype(str))) for mask in masks]
            rows.append((name, title, *images, *held))
    columns = ["part", "class", "images_before", "images_after", "cases_before", "cases_after"]
    return pd.DataFrame(rows, columns=columns)
