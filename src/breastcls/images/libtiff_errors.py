"""Errors of libtiff, which it prints instead of returning them.

Pillow decodes compressed TIFF files with libtiff, which prints errors on standard error and may continue with wrong
pixels. Its error handler is a function pointer of the process; here it is a function that collects the errors of the
decoding thread. Where the library cannot be reached (Pillow built with a hidden libtiff), its errors remain printed.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_LOG = logging.getLogger(__name__)
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_collecting = threading.local()


@contextmanager
def collect_errors() -> Iterator[list[str]]:
    """Collect the errors of libtiff in this thread during the block, without their numbers."""
    _install_handler()
    _collecting.messages = []
    try:
        yield _collecting.messages
    finally:
        del _collecting.messages


def _handle(module: bytes | None, text: bytes | None, values: int | None) -> None:
    # Formatting the values would need the argument list of C, whose layout depends on the processor.
    message = (text or b"unknown error").decode("utf-8", "replace")
    messages = getattr(_collecting, "messages", None)
    if messages is None:
        _LOG.warning("libtiff: %s", message)
    else:
        messages.append(message)


# A reference, so that the function outlives its registration.
_HANDLE = _HANDLER(_handle)


@cache
def _install_handler() -> bool:
    from PIL import _imaging

    try:
        # Symbols are searched in the libraries that Pillow is linked with, too.
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler.argtypes = [_HANDLER]
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
        library.TIFFSetErrorHandler(_HANDLE)
    except (AttributeError, OSError):
        return False
    return True
