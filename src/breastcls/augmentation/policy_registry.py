"""The registry of augmentation policies, and the built-in policies."""

from __future__ import annotations

from dataclasses import replace
from math import radians, tan

from breastcls.augmentation.policy import Policy
from breastcls.registry import Registry

POLICIES: Registry[Policy] = Registry("augmentation policy")
"""Policies by name, in the order of `list_policies`."""


def register_policy(policy: Policy) -> Policy:
    """Register a policy under its `name`, and return it.

    Args:
        policy: The policy; its `name` is the name under which `fit` and `find_policy` find it.

    Raises:
        RegistryError: If the name is taken.

    Example:
        >>> register_policy(Policy("flips-only", "Flips and quarter turns.", dihedral=True)).name  # doctest: +SKIP
        'flips-only'
    """
    return POLICIES.register(policy.name, policy)


def find_policy(policy: str | Policy | None) -> Policy:
    """Return the policy with a name; a `Policy` is returned unchanged, and None is the policy `none`.

    Args:
        policy: Name of a policy, a `Policy`, or None.

    Raises:
        RegistryError: If no policy has that name.

    Example:
        >>> find_policy("dihedral").summary
        'The eight flips and quarter turns, without interpolation.'
    """
    if isinstance(policy, Policy):
        return policy
    return POLICIES["none" if policy is None else policy]


def list_policies() -> tuple[str, ...]:
    """Return the names of all policies.

    Example:
        >>> list_policies()[:3]
        ('none', 'dihedral', 'classic')
    """
    return tuple(POLICIES)


_GEOMETRY = Policy(
    "geometry",
    "Quarter turns and flips, small rotation, zoom and shift.",
    dihedral=True,
    rotation=15.0,
    zoom=0.1,
    shift=0.05,
)

for _policy in (
    Policy("none", "No augmentation."),
    Policy("dihedral", "The eight flips and quarter turns, without interpolation.", dihedral=True),
    Policy(
        "classic",
        "Rotation by up to 20 degrees, both flips, zoom and shift by up to 10%, as in most published code.",
        flip=True,
        rotation=20.0,
        zoom=0.1,
        shift=0.1,
    ),
    Policy(
        "cancernet",
        "The augmentation of CancerNet: as classic, but zoom by up to 5%, and a negligible shear.",
        flip=True,
        rotation=20.0,
        zoom=0.05,
        shift=0.1,
        # Keras interprets its shear_range=0.05 as degrees; here, shear is the tangent of the angle.
        shear=tan(radians(0.05)),
    ),
    replace(
        _GEOMETRY,
        name="standard",
        summary="Quarter turns and flips, small rotation, zoom and shift, small changes of colour.",
        brightness=0.1,
        contrast=0.1,
        saturation=0.1,
        hue=0.02,
    ),
    replace(_GEOMETRY, name="stain", summary="As standard, with stain jitter instead of changes of colour.", stain=0.2),
    Policy(
        "strong",
        "Quarter turns and flips, then RandAugment with two operations of medium strength.",
        dihedral=True,
        random_operations=2,
        magnitude=0.3,
    ),
    replace(_GEOMETRY, name="mixup", summary="The geometric changes of standard, then mixup.", mixup=0.2),
    replace(_GEOMETRY, name="cutmix", summary="The geometric changes of standard, then CutMix.", cutmix=1.0),
    replace(_GEOMETRY, name="fmix", summary="The geometric changes of standard, then FMix (KerasCV).", fourier_mix=1.0),
    Policy(
        "randaugment",
        "Quarter turns and flips, then RandAugment of KerasCV with two operations of medium strength.",
        dihedral=True,
        rand_augment=0.3,
    ),
    Policy("augmix", "Quarter turns and flips, then AugMix of KerasCV.", dihedral=True, aug_mix=0.3),
    Policy("gridmask", "Quarter turns and flips, then GridMask of KerasCV.", dihedral=True, grid_mask=0.5),
    Policy(
        "channel-shuffle",
        "Quarter turns and flips, and red, green and blue in random order in half of the images, by KerasCV.",
        dihedral=True,
        channel_shuffle=0.5,
    ),
):
    register_policy(_policy)
