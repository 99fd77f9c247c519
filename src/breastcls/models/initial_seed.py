"""The seed of initial weights."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seed_layers(seed: int | None) -> Iterator[None]:
    """Give layers that are created in the block a seed, without changing the state of `random` outside of it."""
    # Keras draws the seed of every initializer and of every dropout layer from `random` when it creates them.
    if seed is None:
        yield
        return
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
