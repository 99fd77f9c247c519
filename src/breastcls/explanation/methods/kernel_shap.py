"""Kernel SHAP over superpixels: the Shapley value of each region of the image, without gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.methods.baseline_image import make_baseline
from breastcls.explanation.methods.batches_ahead import prepare_ahead
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.methods.superpixels import find_superpixels
from breastcls.explanation.scored_model import ScoredModel


def kernel_shap(
    scored: ScoredModel,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    superpixels: int = 49,
    samples: int = 512,
    baseline: str = "mean",
    seed: int = 0,
) -> Attribution:
    """Estimate the Shapley value of each superpixel; the value of a pixel is that of its superpixel, over its area.

    The players are the superpixels, and a coalition is the image in which all others are replaced by the baseline. The
    score of a coalition is approximated by a sum over its superpixels, by least squares with the weights of the Shapley
    kernel. The values of an image sum to score(image) - score(baseline). If there are at most `samples` coalitions,
    each is computed and the Shapley values are exact; otherwise pairs of a coalition and its complement are drawn.

    Args:
        scored: The model.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.
        superpixels: The approximate number of regions into which an image is divided.
        samples: The largest number of coalitions, with one forward pass each; it should be several times the number of
            superpixels.
        baseline: The image whose pixels replace those of absent superpixels, see `make_baseline`.
        seed: Seed of the coalitions.

    Raises:
        ExplanationError: If there are fewer than two superpixels, or fewer samples than superpixels.

    References:
        Lundberg and Lee 2017, arXiv:1705.07874. Coalitions in pairs: Covert and Lee 2021, arXiv:2012.01536.
    """
    check_count("superpixels", superpixels, 2, error=ExplanationError)
    # Fewer samples than superpixels do not determine the values.
    check_count("samples", samples, superpixels, error=ExplanationError)
    empty = make_baseline(images, baseline)
    whole, nothing = scored.scores(images), scored.scores(empty)
    values = np.zeros(images.shape[:3], dtype=np.float32)
    for number, image in enumerate(images):
        regions = find_superpixels(image, superpixels)
        count = int(regions.max()) + 1
        coalitions, weights = draw_coalitions(np.random.default_rng(seed), count, samples)
        found = np.empty(len(coalitions))
        batches = _covered_batches(image, empty[number], coalitions, regions, scored.batch_size)
        for start, covered in prepare_ahead(batches):
            found[start : start + len(covered)] = scored.scores(covered)[:, targets[number]]
        bounds = float(nothing[number, targets[number]]), float(whole[number, targets[number]])
        shapley = solve_shapley(coalitions, weights, found, *bounds)
        values[number] = (shapley / np.bincount(regions.ravel()))[regions]
    return Attribution(values)


def draw_coalitions(generator: np.random.Generator, players: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return coalitions, bool (k, players), without the empty and the full one, and their weights, float64 (k,).

    Args:
        generator: Source of randomness.
        players: Number of players.
        samples: The largest k. If there are at most k coalitions, each is returned with its Shapley kernel weight.
    """
    sizes = np.arange(1, players)
    # The kernel (M - 1) / (C(M, s) s (M - s)), summed over the coalitions of one size.
    of_size = (players - 1) / (sizes * (players - sizes))
    if players <= 16 and 2**players - 2 <= samples:
        codes = np.arange(1, 2**players - 1)
        coalitions = (codes[:, np.newaxis] >> np.arange(players)) & 1 == 1
        counts = np.bincount(coalitions.sum(axis=1), minlength=players)[1:]
        return coalitions, (of_size / counts)[coalitions.sum(axis=1) - 1]
    drawn = generator.choice(sizes, size=samples // 2, p=of_size / of_size.sum())
    ranks = generator.random((samples // 2, players)).argsort(axis=1)
    first = ranks < drawn[:, np.newaxis]
    coalitions = np.stack([first, ~first], axis=1).reshape(-1, players)
    return coalitions, np.ones(len(coalitions))


def solve_shapley(
    coalitions: np.ndarray, weights: np.ndarray, values: np.ndarray, empty: float, full: float
) -> np.ndarray:
    """Return the Shapley value of each player, float64 (players,), which sum to `full` - `empty`.

    Args:
        coalitions: bool (k, players).
        weights: float64 (k,).
        values: float64 (k,), the value of each coalition.
        empty: The value of the empty coalition.
        full: The value of the coalition of all.

    Example:
        >>> every = np.array([[True, False], [False, True]])
        >>> solve_shapley(every, np.ones(2), np.array([3.0, 5.0]), 1.0, 7.0)
        array([2., 4.])
    """
    present = coalitions.astype(np.float64)
    # The last player follows from the sum.
    matrix = present[:, :-1] - present[:, -1:]
    right = values - empty - present[:, -1] * (full - empty)
    root = np.sqrt(weights)
    solved = np.linalg.lstsq(matrix * root[:, np.newaxis], right * root, rcond=None)[0]
    return np.append(solved, full - empty - solved.sum())


def _covered_batches(
    image: np.ndarray, empty: np.ndarray, coalitions: np.ndarray, regions: np.ndarray, batch_size: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of the first coalition of a batch, and the images of the batch, float32 (k, h, w, 3)."""
    for start in range(0, len(coalitions), batch_size):
        visible = coalitions[start : start + batch_size][:, regions]
        yield start, np.where(visible[..., np.newaxis], image, empty).astype(np.float32, copy=False)


KERNEL_SHAP = Method(
    name="kernel-shap",
    compute=kernel_shap,
    title="Kernel SHAP",
    reference="Lundberg and Lee 2017, arXiv:1705.07874",
    perturbs=True,
    passes="515 forward (`samples`)",
)
