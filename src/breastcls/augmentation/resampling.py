"""Geometric, colour and stain changes of a policy, composed to one transformation of each kind per image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.augmentation.policy_parameters import PolicyParameters
from breastcls.images.resize import Pixels, empty_images
from breastcls.stain.optical_density import HAEMATOXYLIN_EOSIN_RESIDUAL, recolour_density

Matrices = npt.NDArray[np.float64]

DRAWS = 20
"""Random numbers per image, independent of the policy: changes of colour do not affect the sampled geometry."""

# Luminance as in ITU-R BT.601, and the two colour axes of YIQ in which hue is an angle.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def augment_batch(policy: PolicyParameters, images: Pixels, draws: npt.NDArray[np.float32]) -> Pixels:
    """Apply the geometric, colour and stain changes of a policy.

    Args:
        policy: The parameters of the policy.
        images: uint8 of shape (b, height, width, 3).
        draws: Uniform random numbers in 0..1, float32 of shape (b, `DRAWS`).

    Returns:
        uint8 of the same shape.
    """
    height, width = images.shape[1:3]
    numbers = draws.astype(np.float64)
    turns = _draw_turns(policy, numbers, square=height == width)
    geometry = compose_geometry(policy, numbers, turns, height, width) if policy.resamples else None
    colours = compose_colours(policy, numbers) if policy.recolours else None
    stains = compose_stains(policy, numbers) if policy.stain else None
    out = empty_images(len(images), (height, width, images.shape[3]))
    for place, image in enumerate(images):
        target = out[place]
        if geometry is not None:
            cv2.warpAffine(
                image,
                geometry[place],
                (width, height),
                dst=target,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
        else:
            _turn(image, turns[place], target)
        if colours is not None:
            linear, lift, contrast = colours[0][place], colours[1][place], colours[2][place]
            mean = np.array(cv2.mean(target)[:3]) @ linear.T
            grey = mean @ _TO_YIQ[0]
            offset = (1 - contrast) * grey + lift
            cv2.transform(target, np.column_stack([contrast * linear, np.full(3, offset)]), dst=target)
        if stains is not None:
            target[...] = recolour_density(target, stains[0][place], stains[1][place])
    return out


def _draw_turns(policy: PolicyParameters, numbers: Matrices, *, square: bool) -> npt.NDArray[np.int64]:
    """Return a code 0..7 per image: bit 0 flips left-right, bit 1 top-bottom, bit 2 swaps the axes."""
    if policy.dihedral:
        codes = (numbers[:, 0] * 8).astype(np.int64)
        return codes if square else codes & 3
    if policy.flip:
        return (numbers[:, 1] * 2).astype(np.int64) + 2 * (numbers[:, 2] * 2).astype(np.int64)
    return np.zeros(len(numbers), np.int64)


def _turn(image: Pixels, code: int, target: Pixels) -> None:
    if code & 4:
        image = cv2.transpose(image)
    if code & 3:
        cv2.flip(image, {1: 1, 2: 0, 3: -1}[int(code & 3)], dst=target)
    else:
        target[...] = image


def compose_geometry(
    policy: PolicyParameters, numbers: Matrices, turns: npt.NDArray[np.int64], height: int, width: int
) -> Matrices:
    """Return the affine matrix of each image, from coordinates of the result to those of the source, (b, 2, 3).

    The order, from the source: flips and turns, rotation, shear, zoom, shift; all relative to the image centre.
    """
    count = len(numbers)
    spread = 2 * numbers - 1
    angle = np.deg2rad(policy.rotation * spread[:, 3])
    zoom = 1 + policy.zoom * spread[:, 4]
    matrix = np.zeros((count, 2, 2))
    matrix[:, 0, 0] = matrix[:, 1, 1] = np.cos(angle)
    matrix[:, 0, 1], matrix[:, 1, 0] = np.sin(angle), -np.sin(angle)
    shear = np.zeros((count, 2, 2))
    shear[:, 0, 0] = shear[:, 1, 1] = 1
    shear[:, 0, 1], shear[:, 1, 0] = policy.shear * spread[:, 5], policy.shear * spread[:, 6]
    turn = np.zeros((count, 2, 2))
    across = np.where(turns & 1, -1.0, 1.0)
    down = np.where(turns & 2, -1.0, 1.0)
    swapped = (turns & 4) > 0
    turn[:, 0, 0] = np.where(swapped, 0, across)
    turn[:, 1, 1] = np.where(swapped, 0, down)
    # The axes are swapped before flips, as in `_turn`: x of the source is then the flipped y of the result.
    turn[:, 0, 1] = np.where(swapped, down, 0)
    turn[:, 1, 0] = np.where(swapped, across, 0)
    linear = turn @ matrix @ shear / zoom[:, None, None]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = policy.shift * spread[:, 7:9] * np.array([width, height])
    offset = middle - np.einsum("bij,bj->bi", linear, middle + shift)
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def compose_colours(policy: PolicyParameters, numbers: Matrices) -> tuple[Matrices, Matrices, Matrices]:
    """Return the changes of colour of each image.

    Returns:
        The matrix of saturation and hue (b, 3, 3), the brightness offset in grey levels (b,), and the contrast (b,).
    """
    spread = 2 * numbers - 1
    saturation = 1 + policy.saturation * spread[:, 9]
    angle = 2 * np.pi * policy.hue * spread[:, 10]
    inner = np.zeros((len(numbers), 3, 3))
    inner[:, 0, 0] = 1
    inner[:, 1, 1] = inner[:, 2, 2] = saturation * np.cos(angle)
    inner[:, 1, 2], inner[:, 2, 1] = -saturation * np.sin(angle), saturation * np.sin(angle)
    linear = _FROM_YIQ @ inner @ _TO_YIQ
    return linear, 255 * policy.brightness * spread[:, 11], 1 + policy.contrast * spread[:, 12]


def compose_stains(policy: PolicyParameters, numbers: Matrices) -> tuple[Matrices, Matrices]:
    """Return the matrix (b, 3, 3) and the offset (b, 3) of the change of optical density of each image."""
    spread = 2 * numbers - 1
    factor = 1 + policy.stain * spread[:, 13:16]
    move = policy.stain / 5 * spread[:, 16:19]
    basis = HAEMATOXYLIN_EOSIN_RESIDUAL
    # density = concentrations @ basis, so that a factor on concentrations is a matrix for densities.
    matrix = np.linalg.inv(basis) @ (factor[:, :, None] * basis)
    return matrix, move @ basis
