"""Macenko's and Reinhard's stain normalisation of 224 x 224 images, beside the NumPy backend of torchstain.

`python benchmarks/images_stain.py`
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import find_real_data, ratio, run_in_turns, write_result
from threadpoolctl import threadpool_limits
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer, NumpyReinhardNormalizer

from breastcls.images.pipeline import read_batch
from breastcls.stain.fitting import fit_normalizer
from breastcls.stain.normalizer_registry import list_normalizers

TARGET, TOLERANCE = 3.0, 2


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    paths = sorted(str(path) for path in (find_real_data() / "BreaKHis_v1").rglob("*.png"))
    images = read_batch(paths, image_size=224, cache=False)
    reference = images[5]
    macenko, reinhard = NumpyMacenkoNormalizer(), NumpyReinhardNormalizer()
    macenko.fit(reference)
    reinhard.fit(reference)
    peers: dict[str, Any] = {
        "macenko": lambda image: macenko.normalize(image, stains=False)[0],
        "reinhard": reinhard.normalize,
    }
    results = {}
    cv2.setNumThreads(1)
    for name in list_normalizers():
        normalizer = fit_normalizer(reference, name)
        work: dict[str, Any] = {"breastcls": normalizer.transform}
        if name in peers:
            work["torchstain"] = peers[name]

        def run(transform: Any) -> Any:
            return lambda: sum(transform(image) is not None for image in images)

        # Images are prepared in one thread each, so one thread each is measured: NumPy would give the peer all cores.
        with threadpool_limits(1):
            result = run_in_turns({side: run(transform) for side, transform in work.items()}, arguments.rounds)
        entry: dict[str, Any] = {"sides": result, "left_as_they_are": normalizer.fallbacks.total}
        if name in peers:
            differences = [
                int(np.abs(normalizer.transform(image).astype(int) - peers[name](image)).max()) for image in images
            ]
            entry |= {"ratio": ratio(result, "breastcls", "torchstain"), "largest_difference": max(differences)}
            entry |= {"target": TARGET, "met": entry["ratio"] >= TARGET and max(differences) <= TOLERANCE}
        results[name] = entry
        speeds = {side: round(value["images_per_second"]) for side, value in result.items()}
        print(name, speeds, {key: entry[key] for key in ("ratio", "largest_difference") if key in entry})
    write_result(
        "images_stain", {"what": f"{len(images)} images at 224 x 224, one thread each", **results}, arguments.output
    )


if __name__ == "__main__":
    main()
