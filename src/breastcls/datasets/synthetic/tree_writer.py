"""Writing a folder of generated images: in parallel, atomically, and never over other files."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from breastcls.errors import OutputError
from breastcls.files import make_folder
from breastcls.text_tables import format_count


def run_jobs(jobs: Sequence[Callable[[], None]], workers: int) -> None:
    """Run the jobs in `workers` threads; stop at the first error and raise it."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def atomic_tree(target: Path, name: re.Pattern[str], overwrite: bool) -> Iterator[Path]:
    """Yield a folder that is renamed to `target` at the end, so that `target` is never incomplete."""
    _check_target(target, name, overwrite)
    parent = make_folder(target.parent)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    except OSError as error:
        raise OutputError(f"Cannot write to {parent}: {error.strerror or error}.") from error
    try:
        tree = temporary / target.name
        yield tree
        old = temporary / "old"
        try:
            if target.exists():
                target.replace(old)
            tree.replace(target)
        except OSError as error:
            if old.exists() and not target.exists():
                old.replace(target)
            raise OutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_target(target: Path, name: re.Pattern[str], overwrite: bool) -> None:
    """Raise `OutputError` if `target` contains files that must not be replaced."""
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{target} is a file. Choose another root.")
    files = [path for path in target.rglob("*") if not path.is_dir()]
    foreign = [path for path in files if not name.fullmatch(path.name)]
    if foreign:
        # These may be real images, which are never deleted.
        raise OutputError(
            f"{target} contains {format_count(len(foreign), 'file')} that are not synthetic images, for example "
            f"{foreign[0].name}. They are not replaced even with overwrite=True: choose another root."
        )
    if files and not overwrite:
        raise OutputError(
            f"{target} already contains {len(files)} synthetic images. Pass overwrite=True to replace them, "
            "or choose another root."
        )
