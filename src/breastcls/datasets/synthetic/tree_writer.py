"""Writing a tree of images: several at a time, whole or not at all, and never over what is not ours."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from breastcls.errors import OutputError
from breastcls.files import make_folder


def run_jobs(jobs: Sequence[Callable[[], None]], workers: int) -> None:
    """Run the jobs, `workers` at a time; the first error ends it."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def write_png(target: Path, image: NDArray[np.uint8]) -> None:
    """Write an RGB image."""
    done, data = cv2.imencode(".png", image[..., ::-1])
    if not done:
        raise OutputError(f"OpenCV could not encode {target} as PNG.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error


@contextmanager
def new_tree(target: Path, name: re.Pattern[str], overwrite: bool) -> Iterator[Path]:
    """Yield a folder that becomes `target` when all is written, so that no half tree is ever found there."""
    _refuse_what_is_there(target, name, overwrite)
    parent = make_folder(target.parent)
    try:
        workshop = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    except OSError as error:
        raise OutputError(f"Cannot write to {parent}: {error.strerror or error}.") from error
    try:
        tree = workshop / target.name
        yield tree
        old = workshop / "old"
        try:
            if target.exists():
                target.replace(old)
            tree.replace(target)
        except OSError as error:
            if old.exists() and not target.exists():
                old.replace(target)
            raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _refuse_what_is_there(target: Path, name: re.Pattern[str], overwrite: bool) -> None:
    """Raise if `target` holds anything that must not be replaced."""
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{target} is a file. Choose another root.")
    files = [path for path in target.rglob("*") if not path.is_dir()]
    foreign = [path for path in files if not name.fullmatch(path.name)]
    if foreign:
        # Real images can be there: they are never deleted, whatever was asked for.
        raise OutputError(
            f"{target} holds {len(foreign)} files that are no synthetic images, for example "
            f"{foreign[0].name}. They are not replaced even with overwrite=True: choose another root."
        )
    if files and not overwrite:
        raise OutputError(
            f"{target} holds {len(files)} synthetic images already. Pass overwrite=True to replace them, "
            "or choose another root."
        )
