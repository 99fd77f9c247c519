"""Numbers of images, slides and cases in a dataset: total, by class, subtype and magnification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from breastcls.html_parts import html_list, html_paragraph, html_table
from breastcls.result import Result
from breastcls.text_tables import format_count


@dataclass(frozen=True, eq=False, repr=False)
class Summary(Result):
    """Numbers of images, slides and cases, as `Dataset.summary` returns them.

    Attributes:
        total: Total numbers of images, slides and cases; 0 cases if they are not known.
        by_class: One row per class, in the order of the classes, with the columns images, slides and cases.
        by_subtype: The same per subtype; empty if no subtype is known.
        by_magnification: The same per magnification; empty if none is known.
        notes: Files that the reader skipped, and assumptions that it made.
    """

    total: dict[str, int]
    by_class: pd.DataFrame
    by_subtype: pd.DataFrame
    by_magnification: pd.DataFrame
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self._headline()]
        for frame in (self.by_class, self.by_subtype, self.by_magnification):
            if len(frame):
                lines += ["", frame.to_string()]
        shared = self._shared()
        lines += ["", shared] if shared else []
        if self.notes:
            lines += ["", *(f"Note: {note}" for note in self.notes)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        tables = [
            summary_table(frame) for frame in (self.by_class, self.by_subtype, self.by_magnification) if len(frame)
        ]
        return (
            html_paragraph(self._headline())
            + f'<div style="display: flex; flex-wrap: wrap; gap: 0 2em">{"".join(tables)}</div>'
            + html_paragraph(self._shared())
            + html_list("Notes", self.notes)
        )

    def _headline(self) -> str:
        units = ("image", "slide", "case") if self.total["cases"] else ("image",)
        counts = [format_count(self.total[f"{unit}s"], unit) for unit in units]
        return ", ".join(counts) + ("" if self.total["cases"] else ", cases not known")

    def _shared(self) -> str:
        shared = int(self.by_class["cases"].sum()) - self.total["cases"]
        text = f"Cases per class add up to {shared} more than the total: these cases have images of several classes."
        return text if shared > 0 else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return {
            "total": self.total,
            "by_class": self.by_class.to_dict("index"),
            "by_subtype": self.by_subtype.to_dict("index"),
            "by_magnification": {int(str(k)): v for k, v in self.by_magnification.to_dict("index").items()},
            "notes": list(self.notes),
        }


def summarise(table: pd.DataFrame, classes: Sequence[str], notes: Sequence[str] = ()) -> Summary:
    """Count images, slides and cases in the table of a dataset."""
    # One slide id can have two subtypes (13412 of BreakHis); the authors count it as two slides.
    slides = table["slide"].fillna(table["case"]) + "|" + table["subtype"].fillna("")
    counted = table.assign(slide=slides)
    total = {
        "images": len(table),
        "slides": int(counted["slide"].nunique()),
        "cases": int(counted["case"].nunique()),
    }
    by_class = _count(counted, "label").reindex(list(classes), fill_value=0)
    return Summary(total, by_class, _count(counted, "subtype"), _count(counted, "magnification"), tuple(notes))


def summary_table(frame: pd.DataFrame) -> str:
    """Return a table of a summary as HTML."""
    head = [str(frame.index.name), *map(str, frame.columns)]
    return html_table(
        [head, *([str(name), *map(str, row)] for name, row in zip(frame.index, frame.to_numpy(), strict=True))]
    )


def _count(table: pd.DataFrame, column: str) -> pd.DataFrame:
    known = table[table[column].notna()]
    groups = known.groupby(column, observed=True)
    frame = pd.DataFrame(
        {"images": groups.size(), "slides": groups["slide"].nunique(), "cases": groups["case"].nunique()}
    )
    return frame.astype(int).rename_axis("class" if column == "label" else column)
