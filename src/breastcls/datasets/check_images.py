"""The result of looking through a dataset's images: what was found, what is left, what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from breastcls.errors import DatasetError, ImageError

if TYPE_CHECKING:
    from breastcls.datasets.dataset import Dataset


@dataclass(frozen=True, eq=False)
class CheckReport:
    """What `Dataset.check` found.

    Args:
        findings: One row a finding: row, path, problem, detail, other, across_cases, drop; see
            `breastcls.images.integrity.check_images`.
        clean: The dataset without what should be left out; the same images where nothing should.
        left_out: The files that are not in `clean`.
        checked: Number of images that were looked at.
    """

    findings: pd.DataFrame
    clean: Dataset = field(repr=False)
    left_out: tuple[str, ...]
    checked: int

    def __str__(self) -> str:
        from breastcls.images.integrity import describe_findings

        return describe_findings(self.findings, self.checked)

    def to_dict(self) -> dict[str, Any]:
        """Return findings and what was left out as plain types, for JSON."""
        rows = self.findings.astype(object).where(self.findings.notna(), None)
        return {"checked": self.checked, "left_out": list(self.left_out), "findings": rows.to_dict("records")}


def check_dataset(data: Dataset, on_error: str, **options: Any) -> CheckReport:
    """Look through the images of a dataset; see `Dataset.check`."""
    from breastcls.images.integrity import check_images

    if on_error not in ("raise", "drop"):
        raise DatasetError(f"on_error must be 'raise' or 'drop'; found {on_error!r}.")
    findings = check_images(data.paths, cases=data.cases.tolist(), **options)
    bad = np.unique(findings.loc[findings["drop"], "row"].to_numpy(dtype=np.int64))
    if on_error == "raise" and len(bad):
        from breastcls.images.integrity import describe_findings

        raise ImageError(
            f"{describe_findings(findings, len(data))}\nMend or remove these files, or go on without them: "
            "data.check(on_error='drop').clean."
        )
    left_out = tuple(data.paths[row] for row in bad)
    keep = np.setdiff1d(np.arange(len(data)), bad)
    note = (f"{len(bad)} of {len(data)} images were left out by check(on_error='drop').",) if len(bad) else ()
    return CheckReport(findings, data[keep].with_notes(*note), left_out, len(data))
