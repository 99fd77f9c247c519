"""Duplicate images within a data set: under the same name in two folders, or under two names."""

from __future__ import annotations

import os

import pandas as pd

from breastcls.datasets.file_fingerprints import fingerprint_files
from breastcls.errors import DatasetError, LayoutError
from breastcls.text_tables import choose_form, format_count


def drop_repeated_names(
    table: pd.DataFrame, duplicates: str, *, content: bool = True
) -> tuple[pd.DataFrame, list[str]]:
    """Find files of the same name in several folders, as in downloads that contain every file twice.

    Args:
        table: Table with the columns path and name.
        duplicates: `"drop"`, `"keep"` or `"error"`.
        content: Whether files of the same name must have equal pixels. If False, their sizes in bytes are compared,
            which is fast enough for hundreds of thousands of small patches.

    Returns:
        The table without the duplicates (with them for `"keep"`), and notes.

    Raises:
        LayoutError: If files of the same name are different images.
        DatasetError: If `duplicates` is `"error"` and there are duplicates.
    """
    repeated = table[table.duplicated("name", keep=False)]
    if repeated.empty:
        return table, []
    paths = repeated["path"].tolist()
    prints = (
        fingerprint_files(paths)["pixels"].to_numpy() if content else [str(os.path.getsize(path)) for path in paths]
    )
    different = repeated.assign(content=prints).groupby("name")["content"].nunique() > 1
    if different.any():
        name = different.index[int(different.to_numpy().argmax())]
        places = "\n  ".join(repeated.loc[repeated["name"] == name, "path"].head(3))
        count = int(different.sum())
        raise LayoutError(
            f"{format_count(count, 'name')} {choose_form(count, 'is that', 'are those')} of "
            f"different images, first {name}:\n  {places}\n"
            "The folder seems to contain two versions of the data set: give the folder of one of them."
        )
    copies = int(table.duplicated("name").sum())
    are = choose_form(copies, "is a copy", "are copies")
    example = f"{format_count(copies, 'file')} {are} of a file of the same name, e.g. {paths[0]} and {paths[-1]}"
    if duplicates == "error":
        raise DatasetError(f"{example}. Pass duplicates='drop' to keep one of each.")
    if duplicates == "keep":
        return table, [
            f"{format_count(copies, 'copy', 'copies')} under the same name {choose_form(copies, 'was', 'were')} kept "
            "(duplicates='keep')."
        ]
    return table.drop_duplicates("name"), [
        f"{format_count(copies, 'copy', 'copies')} under the same name in another folder "
        f"{choose_form(copies, 'was', 'were')} left out."
    ]


def drop_identical_images(table: pd.DataFrame, duplicates: str) -> tuple[pd.DataFrame, list[str]]:
    """Find identical images under different names within a case, as in case 13412 (DC and LC).

    Only the images of cases with several subtypes are read; BreakHis has three such cases. `audit_leakage` and
    `Dataset.check` compare all images with each other.

    Args:
        table: Table with the columns path, name, label, case and subtype.
        duplicates: `"drop"`, `"keep"` or `"error"`.

    Returns:
        The table without the duplicates (with them for `"keep"`), and notes. Of identical images with different labels
        none is kept, since the correct label is unknown; of others the first is kept.

    Raises:
        DatasetError: If `duplicates` is `"error"` and there are duplicates.
    """
    several = table.groupby("case")["subtype"].transform("nunique") > 1
    if not several.any():
        return table, []
    candidates = table[several]
    prints = fingerprint_files(candidates["path"].tolist())["pixels"].to_numpy()
    candidates = candidates.assign(pixels=prints)
    doubled = candidates[candidates["pixels"].notna() & candidates.duplicated("pixels", keep=False)]
    if doubled.empty:
        return table, []
    groups = doubled.groupby("pixels")
    contradicted = groups["label"].transform("nunique") > 1
    pairs = groups["name"].agg(lambda names: " = ".join(names)).tolist()
    cases = ", ".join(sorted(doubled["case"].unique()))
    images = f"{format_count(len(pairs), 'image')} {choose_form(len(pairs), 'occurs', 'occur')}"
    found = f"{images} under two names (case {cases}), e.g. {pairs[0]}"
    if duplicates == "error":
        raise DatasetError(f"{found}. Pass duplicates='drop' or 'keep'.")
    if duplicates == "keep":
        return table, [f"{found}; all were kept (duplicates='keep')."]
    dropped = doubled[contradicted | doubled.duplicated("pixels")]
    both = (
        f", among them both copies of {format_count(int(contradicted.sum()), 'file')} with contradictory labels"
        if contradicted.any()
        else ""
    )
    return table.drop(index=dropped.index), [
        f"{found}; {format_count(len(dropped), 'file')} {choose_form(len(dropped), 'was', 'were')} left out{both}."
    ]
