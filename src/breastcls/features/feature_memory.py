"""The memory that features need and may use: while a head is trained they are one array in memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import keras

from breastcls.models.model_parts import split_model

# The rest is for the network, the images, and the copy that is made if an image occurs twice.
_SHARE = 4
_ASSUMED_MEMORY = 8 * 2**30


def max_feature_bytes() -> int:
    """Return how many bytes the features of a training may use: a quarter of the memory of this machine.

    Of the installed, not of the free memory: the input mode of a training must not depend on other processes. If this
    process has a lower limit, as in a container or a Slurm job, it is a quarter of that.
    """
    return min((_installed_memory(), *_allowed_memory())) // _SHARE


def count_feature_bytes(model: keras.Model, images: int) -> int:
    """Return how many bytes the float32 features of some images need.

    Args:
        model: A model with a nested backbone.
        images: Number of images, each version counted.

    Raises:
        ModelError: If the model cannot be split after its backbone.
    """
    frozen, _ = split_model(model)
    return int(4 * images * math.prod(size or 1 for size in frozen.output_shape[1:]))


def _installed_memory() -> int:
    try:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        # Windows has no such call.
        return _ASSUMED_MEMORY


def _allowed_memory(own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """Yield the limits of the control groups that this process is in, and of those above them."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # The second version of control groups names no controllers, and has one tree for all.
        top, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        folder = top / path.lstrip("/")
        for place in (folder, *folder.parents):
            # The file may be missing, or contain "max".
            with suppress(OSError, ValueError):
                yield int((place / name).read_text(encoding="utf-8"))
            if place == top:
                break
