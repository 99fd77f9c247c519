"""The report of `Dataset.check`: findings, the files left out, and the dataset without them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import pandas as pd

from breastcls.argument_checks import check_choice
from breastcls.errors import DatasetError, ImageError
from breastcls.images.integrity import check_images, describe_findings
from breastcls.result import Result
from breastcls.text_tables import choose_form, format_count


class CheckedImages(Protocol):
    """What is needed of a `Dataset` to check its images."""

    @property
    def paths(self) -> list[str]:
        """The image files."""
        ...

    @property
    def cases(self) -> np.ndarray:
        """The case of each image."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, selection: np.ndarray) -> Self: ...

    def with_notes(self, *notes: str) -> Self:
        """Return the dataset with further notes."""
        ...


Images = TypeVar("Images", bound=CheckedImages)


@dataclass(frozen=True, eq=False, repr=False)
class CheckReport(Result, Generic[Images]):
    """The findings of `Dataset.check`.

    Attributes:
        findings: One row per finding, with the columns row, path, problem, detail, other, across_cases and drop; see
            `breastcls.images.integrity.check_images`.
        clean: The dataset without the images to leave out; the same images if there are none.
        left_out: The files that are not in `clean`.
        checked: Number of images that were checked.
    """

    findings: pd.DataFrame
    clean: Images = field(repr=False)
    left_out: tuple[str, ...]
    checked: int

    @property
    def all_usable(self) -> bool:
        """Whether no image has to be left out."""
        return not self.left_out

    def __str__(self) -> str:
        return describe_findings(self.findings, self.checked)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings and the files left out as JSON values."""
        rows = self.findings.astype(object).where(self.findings.notna(), None)
        return {"checked": self.checked, "left_out": list(self.left_out), "findings": rows.to_dict("records")}


def check_dataset(data: Images, on_error: str, **options: Any) -> CheckReport[Images]:
    """Check the images of a dataset; see `Dataset.check`."""
    check_choice("on_error", on_error, ("raise", "drop"), error=DatasetError)
    findings = check_images(data.paths, cases=data.cases.tolist(), **options)
    bad = np.unique(findings.loc[findings["drop"], "row"].to_numpy(dtype=np.int64))
    if on_error == "raise" and len(bad):
        raise ImageError(
            f"{describe_findings(findings, len(data))}\nReplace or remove these files, or continue without them: "
            "data.check(on_error='drop').clean."
        )
    left_out = tuple(data.paths[row] for row in bad)
    keep = np.setdiff1d(np.arange(len(data)), bad)
    note = (
        (
            f"{len(bad)} of {format_count(len(data), 'image')} {choose_form(len(bad), 'was', 'were')} left out by "
            "check(on_error='drop').",
        )
        if len(bad)
        else ()
    )
    return CheckReport(findings, data[keep].with_notes(*note), left_out, len(data))
