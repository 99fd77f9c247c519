"""The named augmentation policies."""

from __future__ import annotations

from dataclasses import replace
from math import radians, tan

from breastcls.augmentation.policy import Policy
from breastcls.registry import Registry

POLICIES: Registry[Policy] = Registry("augmentation policy")
"""Policies by name, in the order of `list_policies`."""


def register_policy(policy: Policy) -> Policy:
    """Make a policy known by its name, and return it.

    Raises:
        RegistryError: If the name is taken.
    """
    return POLICIES.register(policy.name, policy)


def find_policy(policy: str | Policy | None) -> Policy:
    """Return the policy of that name; a policy itself is returned as it is, and None is the policy `none`.

    Raises:
        RegistryError: If no policy has that name.

    Example:
        >>> find_policy("dihedral").summary
        'The eight flips and quarter turns, exact: tissue has no up and down.'
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
    Policy("none", "Images as they are."),
    Policy("dihedral", "The eight flips and quarter turns, exact: tissue has no up and down.", dihedral=True),
    Policy(
        "classic",
        "Rotation by up to 20 degrees, both flips, zoom and shift by up to a tenth, as in most published code.",
        flip=True,
        rotation=20.0,
        zoom=0.1,
        shift=0.1,
    ),
    Policy(
        "cancernet",
        "What CancerNet was trained with: as classic, but zoom by a twentieth; and a shear too small to be seen.",
        flip=True,
        rotation=20.0,
        zoom=0.05,
        shift=0.1,
        # Its shear_range=0.05 is read by Keras as degrees; here a shear is a share of the side.
        shear=tan(radians(0.05)),
    ),
    replace(
        _GEOMETRY,
        name="standard",
        summary="Quarter turns and flips, small rotation, zoom and shift, mild changes of colour.",
        brightness=0.1,
        contrast=0.1,
        saturation=0.1,
        hue=0.02,
    ),
    replace(_GEOMETRY, name="stain", summary="As standard, with jitter of the stains for that of colour.", stain=0.2),
    Policy(
        "strong",
        "Quarter turns and flips, then RandAugment with two operations of middling strength.",
        dihedral=True,
        random_operations=2,
        magnitude=0.3,
    ),
    replace(_GEOMETRY, name="mixup", summary="The geometry of standard, then mixup.", mixup=0.2),
    replace(_GEOMETRY, name="cutmix", summary="The geometry of standard, then CutMix.", cutmix=1.0),
):
    register_policy(_policy)
