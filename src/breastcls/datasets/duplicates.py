"""The same picture more than once within one set: under one name in two folders, or under two names."""

from __future__ import annotations

import os

import pandas as pd

from breastcls.datasets.file_fingerprints import fingerprint_files
from breastcls.errors import DatasetError, LayoutError


def drop_repeated_names(
    table: pd.DataFrame, duplicates: str, *, content: bool = True
) -> tuple[pd.DataFrame, list[str]]:
    """Find files of one name in several folders, as copies nested twice have them.

    Args:
        table: Columns path, name.
        duplicates: "drop", "keep" or "error".
        content: Whether equal names must have equal pixels; else equal sizes in bytes are enough, which hundreds of
            thousands of small patches can afford.

    Returns:
        The table without the repetitions (unless "keep"), and notes.

    Raises:
        LayoutError: If one name stands for different pictures.
        DatasetError: If `duplicates` is "error" and there are some.
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
        raise LayoutError(
            f"{int(different.sum())} names stand for different pictures, first {name}:\n  {places}\n"
            "These look like two versions of the set in one folder: give the folder of one of them."
        )
    copies = int(table.duplicated("name").sum())
    example = f"{copies} files are copies of another of the same name, e.g. {paths[0]} and {paths[-1]}"
    if duplicates == "error":
        raise DatasetError(f"{example}. Pass duplicates='drop' to keep one of each.")
    if duplicates == "keep":
        return table, [f"{copies} copies under the same name were kept (duplicates='keep')."]
    return table.drop_duplicates("name"), [f"{copies} copies under the same name in another folder were left out."]


def drop_double_pictures(table: pd.DataFrame, duplicates: str) -> tuple[pd.DataFrame, list[str]]:
    """Find equal pictures under different names within one case, as in case 13412 (DC and LC).

    Only cases that stand under several subtypes are opened: there are three in BreakHis, and only there can a picture
    have been filed twice. `audit_leakage` and `Dataset.check` compare everything with everything.

    Args:
        table: Columns path, name, label, case, subtype.
        duplicates: "drop", "keep" or "error".

    Returns:
        The table without the doubles (unless "keep"), and notes. Of equal pictures with different labels none is
        kept, since nothing says which label is right; of others the first.

    Raises:
        DatasetError: If `duplicates` is "error" and there are some.
    """
    several = table.groupby("case")["subtype"].transform("nunique") > 1
    if not several.any():
        return table, []
    suspects = table[several]
    prints = fingerprint_files(suspects["path"].tolist())["pixels"].to_numpy()
    suspects = suspects.assign(pixels=prints)
    doubled = suspects[suspects["pixels"].notna() & suspects.duplicated("pixels", keep=False)]
    if doubled.empty:
        return table, []
    groups = doubled.groupby("pixels")
    contradicted = groups["label"].transform("nunique") > 1
    pairs = groups["name"].agg(lambda names: " = ".join(names)).tolist()
    cases = ", ".join(sorted(doubled["case"].unique()))
    found = f"{len(pairs)} pictures stand under two names (case {cases}), e.g. {pairs[0]}"
    if duplicates == "error":
        raise DatasetError(f"{found}. Pass duplicates='drop' or 'keep'.")
    if duplicates == "keep":
        return table, [f"{found}; all were kept (duplicates='keep')."]
    dropped = doubled[contradicted | doubled.duplicated("pixels")]
    both = (
        f", among them both copies of {int(contradicted.sum())} files whose labels contradict"
        if contradicted.any()
        else ""
    )
    return table.drop(index=dropped.index), [f"{found}; {len(dropped)} files were left out{both}."]
