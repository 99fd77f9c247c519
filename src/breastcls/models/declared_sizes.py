"""What a model file declares to unpack to, checked before Keras allocates it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import h5py

from breastcls.errors import ModelError
from breastcls.size_limits import MIB, SizeError, check_archive, check_member

# The configuration of the largest networks of Keras Applications has 2 MiB.
_LARGEST_CONFIG = 64 * MIB
# Keras stores weights uncompressed.
_LARGEST_EXPANSION = 16
_SMALL_WEIGHTS = 64 * MIB
_WIDTH = re.compile(r'"(?:units|filters|input_dim|output_dim|depth_multiplier)": ?(\d+)')


def check_keras_archive(file: Path, archive: zipfile.ZipFile) -> None:
    """Check the parts of an open `.keras` file.

    Raises:
        ModelError: If a part, a layer or an array of weights declares far more than the file stores.
    """
    weights = [part for part in archive.infolist() if part.filename.startswith("model.weights.")]
    try:
        check_archive(archive)
        for name in ("config.json", "metadata.json"):
            check_member(archive, name, _LARGEST_CONFIG)
        _check_widths(archive.read("config.json").decode(), sum(part.file_size for part in weights))
        if "model.weights.h5" in archive.namelist():
            with archive.open("model.weights.h5") as stream, h5py.File(stream, "r") as arrays:
                arrays.visititems(_check_array)
    except SizeError as error:
        raise ModelError(f"{file} is not loaded: {error}. Do not use this file.") from error


def check_h5(file: Path, archive: Any, config: str) -> None:
    """Check an open `.h5` file.

    Raises:
        ModelError: If a layer or an array of weights declares far more than the file stores.
    """
    try:
        _check_widths(config, file.stat().st_size)
        archive.visititems(_check_array)
    except SizeError as error:
        raise ModelError(f"{file} is not loaded: {error}. Do not use this file.") from error


def _check_widths(config: str, weights: int) -> None:
    """Check that no layer is wider than the weights have bytes; Keras allocates it before it reads them."""
    for width in _WIDTH.findall(config):
        # More digits than any size has are not converted.
        if len(width) > 18 or int(width) > weights:
            raise SizeError(f"it declares a layer of {width:.18} units, and all its weights have {weights:,} bytes")


def _check_array(name: str, found: Any) -> None:
    if isinstance(found, h5py.Dataset) and found.nbytes > _SMALL_WEIGHTS:
        stored = found.id.get_storage_size()
        if found.nbytes > _LARGEST_EXPANSION * stored:
            raise SizeError(
                f"its weights {name!r:.80} declare {found.nbytes / MIB:,.0f} MiB and store {stored / MIB:,.1f} MiB"
            )
