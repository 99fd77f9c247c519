"""Random numbers that follow from a key, in the form that the layers of KerasCV take."""

from __future__ import annotations

from typing import Any


class KeyedDraws:
    """Random numbers that follow from a key, under the methods of `tf.random.Generator`.

    Args:
        key: Stateless seed, int64 (2,). The first draw, the second draw and so on have keys that are derived from it.
    """

    def __init__(self, key: Any) -> None:
        self._key, self._drawn = key, 0

    def uniform(self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32") -> Any:
        """Return uniformly distributed numbers."""
        import tensorflow as tf

        # Without a largest value, numbers are drawn from 0 to 1.
        bounds = {} if maxval is None else {"minval": minval, "maxval": maxval}
        return tf.random.stateless_uniform(shape, self._next(), dtype=dtype, **bounds)

    def normal(self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = "float32") -> Any:
        """Return normally distributed numbers."""
        import tensorflow as tf

        return tf.random.stateless_normal(shape, self._next(), mean=mean, stddev=stddev, dtype=dtype)

    def gamma(self, shape: Any, alpha: Any) -> Any:
        """Return numbers with a gamma distribution."""
        import tensorflow as tf

        return tf.random.stateless_gamma(shape, self._next(), alpha)

    def split(self) -> KeyedDraws:
        """Return other random numbers, which follow from the next key."""
        return KeyedDraws(self._next())

    def split_at(self, number: Any) -> KeyedDraws:
        """Return other random numbers, which follow from a number, such as the counter of a loop."""
        import tensorflow as tf

        # An offset larger than the number of single draws, so that no key occurs twice.
        return KeyedDraws(tf.random.experimental.stateless_fold_in(self._key, 1_000_000 + number))

    def restart(self) -> None:
        """Let the next draw be the first one again."""
        self._drawn = 0

    def _next(self) -> Any:
        import tensorflow as tf

        self._drawn += 1
        return tf.random.experimental.stateless_fold_in(self._key, self._drawn)
