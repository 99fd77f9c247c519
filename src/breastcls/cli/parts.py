"""The fractions of a split."""

from __future__ import annotations

import click


def part_fractions(val: float, test: float) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the names and fractions of the parts of a split.

    Example:
        >>> part_fractions(0.1, 0.2)
        (('train', 'val', 'test'), (0.7, 0.1, 0.2))
        >>> part_fractions(0.0, 0.25)
        (('train', 'test'), (0.75, 0.25))
    """
    if not (0 <= val < 1 and 0 <= test < 1 and 0 < val + test < 1):
        raise click.UsageError(
            f"--val-fraction {val:g} and --test-fraction {test:g}: expected shares of 0 or more, not both 0, that "
            "leave images for training."
        )
    parts = {"train": round(1 - val - test, 10), "val": val, "test": test}
    kept = {name: share for name, share in parts.items() if share}
    return tuple(kept), tuple(kept.values())
