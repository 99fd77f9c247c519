"""RISE: the mean probability of the class over randomly masked images in which a pixel is visible."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.methods.baseline_image import blend, make_baseline
from breastcls.explanation.methods.batches_ahead import prepare_ahead
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def rise(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    masks: int = 512,
    cells: int = 7,
    keep: float = 0.5,
    baseline: str = "mean",
    seed: int = 0,
) -> Attribution:
    """Mask the image at random many times; the value of a pixel is the mean probability where the pixel is visible.

    The mean probability over all masks is subtracted, so that a value is positive where a visible pixel increases the
    probability. The means are weighted by the masks and divided by the sum of the masks at the pixel, not by its
    expectation as in the paper: the values of a model that ignores the image are then exactly zero, and the order of
    the pixels estimates the same quantity. The masks are the same for every image, so that its map does not depend on
    the others.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        masks: Number of masks, with one forward pass each per image. The noise of the map decreases with its square
            root. The paper uses 4000 to 8000.
        cells: A mask is a random binary grid of cells x cells, enlarged by bilinear interpolation and shifted at random
            by less than one cell.
        keep: The probability that a cell is visible.
        baseline: The image where the mask is 0, see `make_baseline`.
        seed: Seed of the masks.

    Raises:
        ExplanationError: If `masks` or `cells` is less than one, or `keep` is not between 0 and 1.

    References:
        Petsiuk, Das and Saenko 2018, arXiv:1806.07421.
    """
    check_count("masks", masks, error=ExplanationError)
    check_count("cells", cells, error=ExplanationError)
    if not 0.0 < keep < 1.0:
        raise ExplanationError(f"keep is {keep}; expected a number between 0 and 1.")
    count, height, width = images.shape[:3]
    empty = make_baseline(images, baseline)
    drawn = draw_masks(np.random.default_rng(seed), masks, cells, keep, (height, width))
    weighted = np.zeros((count, height * width))
    visible = np.zeros(height * width)
    total = np.zeros(count)
    for number, part, masked in prepare_ahead(_masked_batches(images, empty, drawn, scored.batch_size)):
        found = scored.probabilities(masked)[:, targets[number]].astype(np.float64)
        # Not `found @ part`: the threads of the BLAS library keep a core busy after it, while the model runs.
        weighted[number] += np.einsum("k,kp->p", found, part)
        total[number] += found.sum()
        if number == 0:
            visible += part.sum(axis=0)
    mean = total[:, np.newaxis] / masks
    # A pixel that no mask shows has no estimate: it gets the mean, a value of zero.
    values = np.divide(weighted, visible, out=np.repeat(mean, height * width, axis=1), where=visible > 0.0) - mean
    return Attribution(values.reshape(count, height, width).astype(np.float32))


def draw_masks(
    generator: np.random.Generator, count: int, cells: int, keep: float, size: tuple[int, int]
) -> Iterator[np.ndarray]:
    """Yield random masks, float32 (height, width) with values 0..1, one after the other.

    Args:
        generator: Source of randomness.
        count: Number of masks.
        cells: Cells along each side of the binary grid.
        keep: The probability that a cell is visible.
        size: (height, width) in pixels.
    """
    height, width = size
    step_y, step_x = -(-height // cells), -(-width // cells)
    large = ((cells + 1) * step_x, (cells + 1) * step_y)
    for _ in range(count):
        grid = (generator.random((cells, cells)) < keep).astype(np.float32)
        top, left = int(generator.integers(0, step_y)), int(generator.integers(0, step_x))
        enlarged = cv2.resize(grid, large, interpolation=cv2.INTER_LINEAR)
        yield np.asarray(enlarged[top : top + height, left : left + width])


def _masked_batches(
    images: np.ndarray, empty: np.ndarray, drawn: Iterator[np.ndarray], batch_size: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the number of an image, masks, float64 (k, h * w), and the image masked with each, float32 (k, h, w, 3)."""
    while part := list(itertools.islice(drawn, batch_size)):
        masks = np.stack(part)
        flat = masks.reshape(len(part), -1).astype(np.float64)
        for number, image in enumerate(images):
            yield number, flat, blend(masks, image, empty[number])


RISE = Method(
    name="rise",
    compute=rise,
    title="RISE",
    reference="Petsiuk et al. 2018, arXiv:1806.07421",
    perturbs=True,
    passes="513 forward (`masks`)",
)
