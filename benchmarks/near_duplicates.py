"""How often the search for near duplicates reports different tissue, and how often it finds changed copies.

False alarms: all pairs of images of different cases, in each of the real sets. Detection: copies of 200 images of each
set, changed in the ways in which copies occur in public data sets.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness import find_real_data, write_result

import breastcls as bc
from breastcls.datasets.near_duplicates import HASH_DISTANCE, LEAST_CORRELATION, correlate
from breastcls.images import read_image
from breastcls.images.perceptual_hash import (
    ORIENTATIONS,
    find_near_pairs,
    grey_thumbnail,
    orientations,
    oriented_hashes,
)

SETS = {
    "BreaKHis_200X_224": bc.load_breakhis,
    "BreaKHis_100X_224": bc.load_breakhis,
    "IDC_regular_ps50_idx5": bc.load_idc,
    "IDC_sampled": bc.load_idc,
}


def _recompress(image: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)


def _halve(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, tuple(max(1, size // 2) for size in image.shape[1::-1]), interpolation=cv2.INTER_AREA)


def _crop(image: np.ndarray, share: float) -> np.ndarray:
    rows, columns = (round(size * share) for size in image.shape[:2])
    return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]


def _add_noise(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 8, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG, quality 50": _recompress,
    "half the size": _halve,
    "contrast 0.85, brightness +20": lambda image: np.clip(image * 0.85 + 20, 0, 255).astype(np.uint8),
    "gamma 0.8 of red, 1.2 of green": lambda image: (255 * (image / 255) ** np.array([0.8, 1.2, 1])).astype(np.uint8),
    "Gaussian noise, sd 8": _add_noise,
    "turned by 90 degrees": lambda image: np.rot90(image),
    "mirrored": lambda image: image[:, ::-1],
    "turned, mirrored, half the size, JPEG": lambda image: _recompress(_halve(np.rot90(image)[:, ::-1])),
    "1% cut off at each edge": lambda image: _crop(image, 0.01),
    "2% cut off at each edge": lambda image: _crop(image, 0.02),
}


def measure(data: bc.Dataset, copies: int) -> dict[str, Any]:
    """Return false alarms over all pairs of different cases, and the detection rate of each change."""
    images = [read_image(path) for path in data.paths]
    thumbnails = [grey_thumbnail(image) for image in images]
    varied = np.array([thumbnail.std() >= 4.0 for thumbnail in thumbnails])
    hashes = np.stack([oriented_hashes(image) for image in images])
    began = time.perf_counter()
    rows = np.flatnonzero(varied)
    pairs = find_near_pairs(hashes[rows, 0], HASH_DISTANCE, hashes[rows].ravel())
    seconds = time.perf_counter() - began
    candidates, alarms, highest = 0, 0, 0.0
    for first, position in pairs.tolist():
        second, orientation = divmod(position, ORIENTATIONS)
        first, second = rows[first], rows[second]
        if first < second and data.cases[first] != data.cases[second]:
            candidates += 1
            correlation = correlate(thumbnails[first], orientations(thumbnails[second])[orientation])
            highest = max(highest, correlation)
            alarms += correlation >= LEAST_CORRELATION
    codes = np.unique(data.cases[rows].astype(str), return_counts=True)[1]
    compared = (len(rows) * (len(rows) - 1) - (codes * (codes - 1)).sum()) // 2
    chosen = np.random.default_rng(0).choice(rows, min(copies, len(rows)), replace=False)
    found = {}
    for name, change in CHANGES.items():
        if np.array_equal(change(images[chosen[0]]), images[chosen[0]]):
            continue  # 1% of a patch of 50 pixels is none
        hits = 0
        for row in chosen:
            copy = np.ascontiguousarray(change(images[row]))
            bits = np.bitwise_count(hashes[row, 0] ^ oriented_hashes(copy))
            best = int(np.argmin(bits))
            near = bits[best] <= HASH_DISTANCE
            turned = orientations(grey_thumbnail(copy))[best]
            hits += bool(near and correlate(thumbnails[row], turned) >= LEAST_CORRELATION)
        found[name] = hits / len(chosen)
    return {
        "images": len(data),
        "almost_constant": int((~varied).sum()),
        "pairs_of_different_cases": int(compared),
        "candidates_by_hash": candidates,
        "highest_correlation_of_a_candidate": round(highest, 3),
        "false_alarms": int(alarms),
        "seconds_of_the_search": round(seconds, 2),
        "found": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    folder = find_real_data()
    result: dict[str, Any] = {
        "what": "near duplicates between cases of real tissue",
        "hash_distance": HASH_DISTANCE,
        "least_correlation": LEAST_CORRELATION,
        "sets": {},
    }
    for name, load in SETS.items():
        result["sets"][name] = measure(load(folder / name), arguments.copies)
        print(name, result["sets"][name], flush=True)
    write_result("near_duplicates", result, arguments.output)


if __name__ == "__main__":
    main()
