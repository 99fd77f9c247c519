"""Parts of a large output, from which a run that was killed continues."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from breastcls.errors import OutputError
from breastcls.files import make_folder, remove_temporaries, write_json

_SETTINGS = "settings.json"


class OutputParts:
    """A folder beside an output file, which holds its parts until all are there.

    A part consists of its rows and a record, each written atomically; without the record it does not
    count.

    Args:
        target: The output file.
        settings: What the output depends on, as JSON values. A folder of other settings is refused.

    Raises:
        OutputError: If the folder cannot be written, or holds parts of other settings.
    """

    def __init__(self, target: Path, settings: Mapping[str, Any]) -> None:
        self.folder = target.with_name(target.name + ".parts")
        self._suffix = target.suffix
        wanted = json.loads(json.dumps(dict(settings)))
        found = _read_json(self.folder / _SETTINGS)
        if found is None or not any(path.stem.isdecimal() for path in self.folder.glob("*.json")):
            # Nothing counts before the settings are there.
            shutil.rmtree(self.folder, ignore_errors=True)
            make_folder(self.folder)
            write_json(wanted, self.folder / _SETTINGS)
        elif found != wanted:
            raise OutputError(_describe_difference(target, self.folder, found, wanted))

    def path(self, number: int) -> Path:
        """Return the file of the rows of a part."""
        return self.folder / f"{number:06d}{self._suffix}"

    def find(self, number: int, state: Callable[[], str]) -> dict[str, Any] | None:
        """Return the record of a part that is complete and of the present files, else None.

        Args:
            number: The number of the part.
            state: Returns a hash of the sizes and times of its files, which takes long where these are many.
        """
        record = _read_json(self._record(number))
        path = self.path(number)
        if record is None or not path.is_file() or path.stat().st_size != record.get("bytes"):
            return None
        return record if record.get("state") == state() else None

    def finish(self, number: int, record: Mapping[str, Any], state: str) -> None:
        """Write the record of a part whose rows are written."""
        size = self.path(number).stat().st_size
        write_json({**record, "state": state, "bytes": size}, self._record(number))

    def prepare(self, number: int) -> Path:
        """Return the file to write the rows of a part to, without what an interrupted process left of it."""
        self._record(number).unlink(missing_ok=True)
        remove_temporaries(self.path(number))
        return self.path(number)

    def count_attempt(self, number: int) -> int:
        """Count that a part is begun, and return how often it was, killed processes included."""
        with open(self._attempts(number), "ab") as file:
            file.write(b".")
            return file.tell()

    def forget_attempts(self) -> None:
        """Forget how often parts were begun in earlier calls."""
        for path in self.folder.glob("*.attempts"):
            path.unlink()

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _attempts(self, number: int) -> Path:
        return self.folder / f"{number:06d}.attempts"

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"


def _read_json(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _describe_difference(target: Path, folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    names: Sequence[str] = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
    shown = "; ".join(f"{name} {_show(found.get(name))}, now {_show(wanted.get(name))}" for name in names)
    return (
        f"{folder} holds parts of {target.name} that were written with another {' and another '.join(names)}: {shown}. "
        "Give the same arguments to continue, or remove the folder, or choose another file."
    )


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}..."
