"""Pseudonyms of cases, slides and image files, by which results are shared without the names."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import EvaluationError
from breastcls.files import write_text
from breastcls.predictions.hidden_files import HiddenFiles
from breastcls.predictions.names_in_results import KINDS, collect_names, replace_names
from breastcls.text_tables import format_count


@dataclass(frozen=True, eq=False)
class Pseudonyms:
    """The pseudonym of each case, slide and image: "case-001", "slide-001", "image-0001.png".

    The numbers are in random order, so that they do not follow the names, which may hold dates. Whoever has the images
    themselves can still recognise them, and results keep the number of images of each case and the order of the rows.

    Attributes:
        cases: Pseudonyms by the name of the case.
        slides: Pseudonyms by the name of the slide.
        images: Pseudonyms by the path of the file relative to the folder of the data.

    Example:
        >>> import breastcls as bc
        >>> some = bc.Predictions.from_arrays(
        ...     probabilities=[0.9, 0.2], labels=[1, 0], cases=["14-22549", "14-9461"], classes=("no", "yes"))
        >>> pseudonyms = Pseudonyms.of(some, key="a secret")
        >>> some.with_pseudonyms(pseudonyms).cases.tolist()
        ['case-001', 'case-002']
    """

    cases: Mapping[str, str] = field(repr=False)
    slides: Mapping[str, str] = field(repr=False)
    images: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, *sources: Any, key: str | None = None) -> Pseudonyms:
        """Make pseudonyms of all names in datasets, predictions and results.

        Args:
            *sources: Datasets, `Predictions`, and results that hold some, such as `Evaluation`. Give all data that
                results are shared of, so that a case has one pseudonym in all of them.
            key: Secret text that the order of the numbers follows from, so that the same names get the same pseudonyms
                again. None for a random order.

        Example:
            >>> import breastcls as bc
            >>> data = bc.Dataset.from_columns(("b", "m"), path=["/d/x/1.png"], label=["m"], case=["14-22549"])
            >>> Pseudonyms.of(data).images
            {'1.png': 'image-0001.png'}
        """
        names: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for source in sources:
            collect_names(source, names)
        secret = (secrets.token_hex() if key is None else key).encode()
        return cls(*(_number(kind, names[kind], secret) for kind in KINDS))

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> Pseudonyms:
        """Read what `to_csv` wrote.

        Raises:
            EvaluationError: If the file cannot be read, or lacks a column.
        """
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            by_kind = {
                kind: dict(rows[["name", "pseudonym"]].to_numpy().tolist()) for kind, rows in table.groupby("kind")
            }
        except (OSError, ValueError, KeyError) as error:
            raise EvaluationError(
                f"Cannot read pseudonyms from {path}: {error}. Expected the columns kind, name and pseudonym, as "
                "`Pseudonyms.to_csv` writes them."
            ) from error
        return cls(*(by_kind.get(kind, {}) for kind in KINDS))

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the pseudonym of each name: columns `kind`, `name`, `pseudonym`. Do not share this file.

        Raises:
            OutputError: If the file cannot be written.
        """
        rows = [(kind, name, new) for kind in KINDS for name, new in self._of_kind(kind).items()]
        stream = io.StringIO()
        pd.DataFrame(rows, columns=["kind", "name", "pseudonym"]).to_csv(stream, index=False, lineterminator="\n")
        return write_text(path, stream.getvalue())

    def __repr__(self) -> str:
        counts = ((len(self.cases), "case"), (len(self.slides), "slide"), (len(self.images), "image"))
        return f"Pseudonyms({', '.join(format_count(*count) for count in counts)})"

    def _of_kind(self, kind: str) -> Mapping[str, str]:
        return {"case": self.cases, "slide": self.slides, "image": self.images}[kind]

    def replace(self, kind: str, names: Iterable[Any]) -> list[str]:
        """Return the pseudonym of each name of a "case", a "slide" or an "image"; "" stays "".

        Args:
            kind: "case", "slide" or "image".
            names: The names.

        Raises:
            EvaluationError: If a name has none.
        """
        known, given = self._of_kind(kind), [str(name) for name in names]
        own = set(known.values())
        replaced = [name if name in own else _find(known, name, kind) for name in given]
        missing = [name for name, new in zip(given, replaced, strict=True) if new is None]
        if missing:
            raise EvaluationError(
                f"{len(set(missing))} of the {kind}s have no pseudonym, such as {missing[0]!r}. Make the pseudonyms of "
                "all data that the result is based on: `Pseudonyms.of(data, result)`."
            )
        return [new for new in replaced if new is not None]

    def replace_in(self, values: Any) -> Any:
        """Return JSON values, tables, dataclasses or text in which names are replaced.

        Names are what is under a key, or in a column or an index, that is called `case`, `slide` or `path`; in text,
        what is quoted.

        Raises:
            EvaluationError: If a name has no pseudonym.
        """
        return replace_names(values, self.replace, self._known)

    def _known(self, text: str) -> str:
        found = [_find(self._of_kind(kind), text, kind) for kind in KINDS]
        return next((new for new in found if new), text)


def _find(known: Mapping[str, str], name: str, kind: str) -> str | None:
    """Return the pseudonym of a name; a file may be given with more or fewer folders than it is known by."""
    if not name or name in known:
        return known.get(name, "")
    if kind != "image":
        return None
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return next((known[end] for start in range(1, len(parts)) if (end := "/".join(parts[start:])) in known), None)


def _number(kind: str, names: set[str], secret: bytes) -> dict[str, str]:
    def rank(name: str) -> bytes:
        return hmac.new(secret, f"{kind} {name}".encode("utf-8", "surrogateescape"), hashlib.sha256).digest()

    width = max(4 if kind == "image" else 3, len(str(len(names))))
    return {
        name: f"{kind}-{number:0{width}d}{PurePosixPath(name).suffix.lower() if kind == 'image' else ''}"
        for number, name in enumerate(sorted(names, key=rank), start=1)
    }


def hide_names(predictions: Any, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """Return the fields of predictions that hold names, under pseudonyms."""
    changes: dict[str, Any] = {"calibration": pseudonyms.replace_in(predictions.calibration), "root": None}
    # The names that were declared distinct are names too; pseudonyms differ in more than spelling.
    changes["distinct"] = bool(predictions.distinct)
    # Nobody has said which of the further columns hold names.
    changes["columns"] = None
    # What was left out is no part of the predictions, and its names have no pseudonyms.
    changes["skipped"] = None
    for kind, of_rows in (("case", "cases"), ("slide", "slides"), ("image", "paths")):
        names = getattr(predictions, of_rows)
        changes[of_rows] = None if names is None else np.array(pseudonyms.replace(kind, names), dtype=object)
    if changes["paths"] is not None:
        files = {str(name): predictions.file_of(row) for row, name in enumerate(changes["paths"]) if name}
        changes["hidden_files"] = HiddenFiles(files)
    return changes
