"""Only regular files are read; links, folders, pipes, devices and a lack of descriptors are named."""

import os
import socket

import numpy as np
import pytest
from PIL import Image

from breastcls.errors import ImageError
from breastcls.images.decode import read_image
from breastcls.images.image_files import missing_file_error
from breastcls.images.image_source import file_state
from breastcls.images.integrity import check_images
from support.platforms import POSIX

pytestmark = POSIX


def test_missing_files_folders_and_permissions(tmp_path, monkeypatch):
    with pytest.raises(ImageError, match=r"gone\.png: the file does not exist"):
        read_image(tmp_path / "gone.png")
    (tmp_path / "x.png").mkdir()
    with pytest.raises(ImageError, match="folder, not an image"):
        read_image(tmp_path / "x.png")
    assert "no permission" in str(missing_file_error("a.png", PermissionError(13, "Permission denied")))
    assert "Stale" in str(missing_file_error("a.png", OSError(116, "Stale file handle")))


@POSIX
def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match=r"pipe\.png: this is a named pipe"):
        read_image(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.png"))
        with pytest.raises(ImageError, match="this is a socket"):
            read_image(tmp_path / "socket.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(ImageError, match="this is a device"):
        read_image(tmp_path / "zero.png")
    with pytest.raises(ImageError, match="this is a named pipe"):
        file_state(str(tmp_path / "pipe.png"))


@POSIX
def test_links(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "whole.png")
    (tmp_path / "link.png").symlink_to("whole.png")
    np.testing.assert_array_equal(read_image(tmp_path / "link.png"), picture)
    (tmp_path / "dead.png").symlink_to("nowhere.png")
    with pytest.raises(ImageError, match=r"dead\.png: the link leads to nowhere\.png, which does not exist"):
        read_image(tmp_path / "dead.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises(ImageError, match=r"loop\.png: the link leads to itself"):
        read_image(tmp_path / "loop.png")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted in /proc/self/fd")
def test_too_many_open_files_are_not_damage(tmp_path, picture):

    path = tmp_path / "a.png"
    Image.fromarray(picture).save(path)
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many"):
            opened.extend(os.open(path, os.O_RDONLY) for _ in range(100))
        with pytest.raises(ImageError, match="too many files are open; the file is not damaged"):
            read_image(path)
        # It is not reported as a missing image, which would be left out.
        with pytest.raises(ImageError, match="too many files are open"):
            check_images([str(path)], workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in opened:
            os.close(descriptor)
