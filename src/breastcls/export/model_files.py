"""Exported files are complete or do not exist: they are made in a temporary folder and then moved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from breastcls.errors import BreastclsError, OutputError
from breastcls.files import make_folder
from breastcls.models.sidecar import sidecar_path


def list_targets(path: Path) -> list[Path]:
    """Return the files and folders that an exported model consists of."""
    weights = [path.with_suffix(".bin")] if path.suffix == ".xml" else []
    return [*weights, path, sidecar_path(path)]


def check_target(path: Path, overwrite: bool) -> None:
    """Check that an exported model may be written.

    Raises:
        OutputError: If something has that name already and may not be replaced.
    """
    there = [target for target in list_targets(path) if target.exists()]
    if there and not overwrite:
        raise OutputError(
            f"{' and '.join(map(str, there))} {'exists' if len(there) == 1 else 'exist'} already. Choose another name, "
            "or pass overwrite=True to replace it."
        )
    if path.is_dir() and not (path / "saved_model.pb").is_file() and any(path.iterdir()):
        raise OutputError(f"{path} is a folder with other files and is not replaced. Choose another name.")


@contextmanager
def new_model_files(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name, whose model and sidecar replace those at `path` if no error is raised.

    Raises:
        OutputError: If the folder cannot be written to or the disk is full.
    """
    folder = make_folder(path.parent)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.stem}.", dir=folder))
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}. Choose a folder with write permission."
        ) from error
    try:
        yield temporary / path.name
        _move(temporary, path)
    except OSError as error:
        if isinstance(error, BreastclsError):
            raise
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary: Path, path: Path) -> None:
    """Move the new files to their places; if one cannot be moved, the earlier ones are put back."""
    earlier = temporary / "earlier"
    earlier.mkdir()
    placed: list[Path] = []
    saved: list[Path] = []
    try:
        for target in list_targets(path):
            if target.exists():
                os.replace(target, earlier / target.name)
                saved.append(target)
            os.replace(temporary / target.name, target)
            placed.append(target)
    except BaseException:
        for target in placed:
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        for target in saved:
            os.replace(earlier / target.name, target)
        raise
