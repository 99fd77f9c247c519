"""Segments of the image cache: files with many images of one size, written atomically.

Layout: the images as uncompressed uint8, readable by `numpy.memmap(file, numpy.uint8, shape=(n, height, width, 3))`;
then the key (16 bytes) and the CRC-32 of the pixels (4 bytes) of each image; then a footer. The file is renamed to its
final name when it is complete.

Batches are read with positioned reads instead of a memory map: the copy takes the same time, the page cache is not
counted as memory of the process, and a file that another process truncates causes an error instead of a crash.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import struct
import threading
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastcls.images.resize import Pixels

KEY_BYTES = 16
SUFFIX = ".images"
TEMPORARY_SUFFIX = ".part"
_MAGIC = b"breastcls-images"
# Magic number, version, number of images, bytes per image, CRC-32 of the index.
_FOOTER = struct.Struct("<16sIQQI")
_VERSION = 1
_INDEX = np.dtype([("key", f"V{KEY_BYTES}"), ("check", "<u4")])

Keys = npt.NDArray[np.void]


class DamagedSegmentError(Exception):
    """A segment is damaged."""


class Segment:
    """A complete segment, open for reading in several threads.

    Attributes:
        path: The file.
        keys: The keys of the images, in order.

    Raises:
        DamagedSegmentError: If the footer or the index is damaged, or it is not a regular file.
        OSError: If it cannot be opened, for example because too many files are open.
    """

    def __init__(self, path: Path, image_bytes: int) -> None:
        self.path = path
        self.image_bytes = image_bytes
        # Links are not followed, and opening a FIFO does not wait.
        flags = [getattr(os, name, 0) for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK")]
        try:
            self._descriptor = os.open(path, os.O_RDONLY | flags[0] | flags[1] | flags[2])
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise DamagedSegmentError("it is a symbolic link or not a regular file") from error
            raise
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._lock = threading.Lock()
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DamagedSegmentError("it is not a regular file")
        size = status.st_size
        footer = bytearray(_FOOTER.size)
        if size < _FOOTER.size or not self._read_at(footer, size - _FOOTER.size):
            raise DamagedSegmentError("it is shorter than its footer")
        magic, version, count, bytes_each, check = _FOOTER.unpack(footer)
        if magic != _MAGIC or version != _VERSION or bytes_each != image_bytes:
            raise DamagedSegmentError("its footer is not that of a segment of this image size")
        if size != count * (image_bytes + _INDEX.itemsize) + _FOOTER.size:
            raise DamagedSegmentError("its length differs from that in its footer")
        index = bytearray(count * _INDEX.itemsize)
        if not self._read_at(index, count * image_bytes) or zlib.crc32(index) != check:
            raise DamagedSegmentError("the checksum of its index is wrong")
        table = np.frombuffer(index, _INDEX)
        self.keys: Keys = table["key"]
        self._checks = table["check"]
        self._verified = np.zeros(count, bool)

    def read_into(self, position: int, out: Pixels) -> bool:
        """Read image `position` into `out`, and return whether its checksum is correct.

        The checksum is verified when an image is read for the first time only, since that takes four times as long as
        reading. An image that cannot be read is not correct either.
        """
        if not self._read_at(memoryview(out).cast("B"), position * self.image_bytes):
            return False
        if not self._verified[position]:
            if zlib.crc32(out) != self._checks[position]:
                return False
            self._verified[position] = True
        return True

    def _read_at(self, buffer: bytearray | memoryview, offset: int) -> bool:
        view = memoryview(buffer)
        done = 0
        while done < len(view):
            if hasattr(os, "preadv"):
                got = os.preadv(self._descriptor, [view[done:]], offset + done)
            else:
                with self._lock:
                    os.lseek(self._descriptor, offset + done, os.SEEK_SET)
                    part = os.read(self._descriptor, len(view) - done)
                got = len(part)
                view[done : done + got] = part
            if not got:
                return False
            done += got
        return True


class SegmentWriter:
    """Writes a segment, with images in any order from several threads.

    Args:
        folder: Folder of the segment.
        keys: The keys of the images.
        image_bytes: Size of an image in bytes.
        suffix: Suffix of the complete file; different for other contents, such as features.
    """

    def __init__(self, folder: Path, keys: Sequence[bytes], image_bytes: int, suffix: str = SUFFIX) -> None:
        self._keys = list(keys)
        self._image_bytes = image_bytes
        self._suffix = suffix
        self._checks: dict[int, int] = {}
        self._lock = threading.Lock()
        # Not the process id: processes of two machines that share the folder can have the same one.
        self._temporary = folder / f"{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
        self._stream = open(self._temporary, "xb+", buffering=0)  # noqa: SIM115 - closed by finish or abandon

    def write(self, position: int, image: Pixels) -> None:
        """Write image `position`."""
        check = zlib.crc32(image)
        view = memoryview(image).cast("B")
        offset = position * self._image_bytes
        done = 0
        while done < len(view):
            if hasattr(os, "pwrite"):
                done += os.pwrite(self._stream.fileno(), view[done:], offset + done)
            else:
                with self._lock:
                    self._stream.seek(offset + done)
                    done += self._stream.write(view[done:])
        self._checks[position] = check

    def finish(self) -> Path | None:
        """Complete the file, rename it and return its path; None if no image was written."""
        kept = sorted(self._checks)
        if not kept:
            self.abandon()
            return None
        if kept != list(range(len(kept))):
            self._close_gaps(kept)
        index = np.empty(len(kept), _INDEX)
        index["key"] = np.frombuffer(b"".join(self._keys[position] for position in kept), f"V{KEY_BYTES}")
        index["check"] = [self._checks[position] for position in kept]
        table = index.tobytes()
        self._stream.seek(len(kept) * self._image_bytes)
        self._stream.truncate()
        footer = _FOOTER.pack(_MAGIC, _VERSION, len(kept), self._image_bytes, zlib.crc32(table))
        _write_all(self._stream.fileno(), table + footer)
        # No fsync: damage by a power failure is detected by the checksums, and the images can be prepared again.
        self._stream.close()
        name = f"{zlib.crc32(table):08x}{self._keys[kept[0]].hex()}"
        target = self._temporary.with_name(name + self._suffix)
        os.replace(self._temporary, target)
        return target

    def abandon(self) -> None:
        """Remove the incomplete file."""
        self._stream.close()
        self._temporary.unlink(missing_ok=True)

    def _close_gaps(self, kept: list[int]) -> None:
        for place, position in enumerate(kept):
            if place == position:
                continue
            self._stream.seek(position * self._image_bytes)
            image = self._stream.read(self._image_bytes)
            self._stream.seek(place * self._image_bytes)
            _write_all(self._stream.fileno(), image)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
