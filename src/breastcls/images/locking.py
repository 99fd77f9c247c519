"""A lock between processes, which the operating system releases when the process ends."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOG = logging.getLogger(__name__)
# Errors of file systems without locks.
_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL))


@contextmanager
def hold_lock(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock on the file `path` during the block, waiting for it without a time limit.

    Yields whether the lock is held. On systems and file systems without locks, the block runs without one: the cache
    remains correct, since its files are written atomically, but work may be done twice.

    Raises:
        OSError: If the file cannot be created, or is a symbolic link, which is not followed.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, f"{path.name} is a symbolic link, which is not followed; remove it") from error
        raise
    try:
        yield fcntl is not None and _acquire(descriptor, path)
    finally:
        os.close(descriptor)


@contextmanager
def hold_folder(folder: Path) -> Iterator[bool]:
    """Hold an exclusive lock on a folder during the block, without a file of its own.

    Yields False if another process holds it. On systems and file systems without locks it yields True.
    """
    if os.name == "nt":
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            free = True
        yield free
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path) -> bool:
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _LOG.info("Waiting for another process that prepares images in %s.", path.parent)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
