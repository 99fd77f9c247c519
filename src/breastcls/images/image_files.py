"""Reading the content of image files: regular files only, with the reason where one cannot be opened."""

from __future__ import annotations

import errno
import os
import stat

from breastcls.errors import ImageError

_MAX_FILE_BYTES = 2**30


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of an image file.

    Raises:
        ImageError: If it is missing, not a regular file, not readable, or larger than 1 GiB.
    """
    try:
        # A device or a FIFO is not opened at all: that alone may wait or have an effect.
        check_regular(path, os.stat(path).st_mode)
        # Without waiting, in case that the file was replaced by a FIFO after the check.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            check_regular(path, status.st_mode)
            if status.st_size > _MAX_FILE_BYTES:
                raise ImageError(
                    f"{os.fspath(path)}: {status.st_size} bytes exceed the limit of 1 GiB for an image. Cut whole "
                    "slides "
                    "into patches first."
                )
            return stream.read()
    except OSError as error:
        if isinstance(error, ImageError):
            raise
        raise missing_file_error(path, error) from error


def check_regular(path: str | os.PathLike[str], mode: int) -> None:
    """Check that a file is a regular one.

    Args:
        path: The file, for the message.
        mode: Its mode, from `os.stat`.

    Raises:
        ImageError: If it is a folder, a FIFO, a device or a socket.
    """
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        kind = "folder"
    elif stat.S_ISFIFO(mode):
        kind = "named pipe (FIFO)"
    elif stat.S_ISSOCK(mode):
        kind = "socket"
    else:
        kind = "device"
    raise ImageError(f"{os.fspath(path)}: this is a {kind}, not an image file. Remove it, or leave it out.")


def missing_file_error(path: str | os.PathLike[str], error: OSError) -> ImageError:
    """Return an `ImageError` with the reason why the file `path` cannot be opened."""
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        reason = f"the link leads to {os.readlink(path)}, which does not exist. Restore that file, or remove the link"
    elif isinstance(error, FileNotFoundError):
        reason = "the file does not exist. If it was removed after the folder was scanned, scan the folder again"
    elif isinstance(error, PermissionError):
        reason = "no permission to read the file. Change its permissions, or leave it out"
    elif isinstance(error, IsADirectoryError):
        reason = "this is a folder, not an image file"
    elif error.errno == errno.ELOOP:
        reason = "the link leads to itself. Remove the link"
    elif is_exhausted(error):
        reason = "too many files are open; the file is not damaged. Raise the limit with `ulimit -n`"
    else:
        reason = f"the file cannot be read: {error.strerror or error}"
    result = ImageError(f"{os.fspath(path)}: {reason}.")
    result.errno = error.errno
    return result


def is_exhausted(error: OSError) -> bool:
    """Return whether an error means that too many files are open, which says nothing about the file."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
