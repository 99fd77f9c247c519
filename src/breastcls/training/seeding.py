"""One seed for everything random in a model and its training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from breastcls.models.keras_internals import find_seed_generators


@contextmanager
def seeded(model: keras.Model, seed: int) -> Iterator[None]:
    """Within the block every random draw follows from `seed`; Python and NumPy states are restored after it.

    Layers such as Dropout and RandomFlip carry generators of their own, seeded when they were made. They are set too,
    since a model built without a seed would otherwise train differently each time.

    Args:
        model: The model that will be trained.
        seed: A whole number of at least 0.
    """
    # Keras' own layers and third-party callbacks draw from the global NumPy state.
    python_state, numpy_state = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    for number, generator in enumerate(find_seed_generators(model)):
        generator.state.assign(np.array([seed, number], dtype="uint32"))
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
