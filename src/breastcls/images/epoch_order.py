"""The order of images in an epoch, as a pure function of a seed and the number of the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_choice, check_count
from breastcls.text_tables import format_count

Rows = npt.NDArray[np.int64]
Sampling = Literal["class-balanced", "case-balanced"]


@dataclass(frozen=True)
class EpochOrder:
    """The order of `count` images in each epoch.

    An epoch does not depend on the previous ones, so that training can resume at any epoch, nor on the number of
    threads that read the images.

    Attributes:
        count: Number of images.
        batch_size: Images per batch.
        shuffle: Whether to shuffle the images in every epoch.
        seed: Seed of all epochs.
        groups: For balanced sampling, the group (class or case) of each image, int64; groups are sampled equally often.
        shard: (index, number) of this worker: it gets every `number`-th image of the common order.
        drop_remainder: Whether to drop the last batch if it is incomplete. All shards then have equally many batches.

    Example:
        >>> order = EpochOrder(5, batch_size=2, shuffle=True, seed=1)
        >>> sorted(order.rows(0)) == [0, 1, 2, 3, 4], order.batches
        (True, 3)
        >>> (order.rows(3) == order.rows(3)).all(), (order.rows(3) == order.rows(4)).all()
        (np.True_, np.False_)
    """

    count: int
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    groups: Rows | None = None
    shard: tuple[int, int] = (0, 1)
    drop_remainder: bool = False

    def __post_init__(self) -> None:
        check_count("batch_size", self.batch_size, error=ValueError)
        index, number = self.shard
        if not 0 <= index < number:
            raise ValueError(f"shard is {self.shard}; expected (index, number) with 0 <= index < number.")
        check_count("seed", self.seed, 0, error=ValueError)

    @property
    def length(self) -> int:
        """Number of images per epoch of this shard."""
        index, number = self.shard
        if self.drop_remainder:
            return self.count // number // self.batch_size * self.batch_size
        return len(range(index, self.count, number))

    @property
    def batches(self) -> int:
        """Number of batches per epoch of this shard."""
        return -(-self.length // self.batch_size)

    def rows(self, epoch: int) -> Rows:
        """Return the positions of the images in the order of `epoch`, int64 of shape (length,)."""
        generator = np.random.default_rng([self.seed, epoch])
        if self.groups is not None:
            order = _balanced(self.groups, self.count, generator)
        elif self.shuffle:
            order = generator.permutation(self.count)
        else:
            order = np.arange(self.count)
        index, number = self.shard
        return order[index::number][: self.length]

    def batch(self, rows: Rows, number: int) -> Rows:
        """Return the rows of batch `number`."""
        return rows[number * self.batch_size : (number + 1) * self.batch_size]


@dataclass(frozen=True)
class BatchPart:
    """The part of each batch that one of several workers processes in distributed training.

    A batch is padded by repeating its first images until it can be divided evenly among all devices; each worker gets
    consecutive images for its devices. Unlike with `EpochOrder.shard`, the batches are those of a single worker.

    Attributes:
        worker: Index of this worker, from 0.
        workers: Number of workers.
        devices: Number of devices per worker.

    Example:
        >>> part = BatchPart(worker=1, workers=2)
        >>> part.places(5).tolist(), part.own(5)
        ([3, 4, 0], 2)
    """

    worker: int = 0
    workers: int = 1
    devices: int = 1

    def __post_init__(self) -> None:
        if self.devices < 1 or not 0 <= self.worker < self.workers:
            raise ValueError(f"{self}: expected 0 <= worker < workers, and at least one device.")

    def places(self, count: int) -> Rows:
        """Return the positions of the images of this worker in a batch of `count`; repeated images come last."""
        width = self._width(count)
        return np.arange(self.worker * width, (self.worker + 1) * width, dtype=np.int64) % count

    def own(self, count: int) -> int:
        """Return the number of `places` that are not repetitions."""
        width = self._width(count)
        return min(max(count - self.worker * width, 0), width)

    def _width(self, count: int) -> int:
        return -(-count // (self.workers * self.devices)) * self.devices


def sampling_groups(
    sampling: str | None, labels: npt.ArrayLike, cases: Sequence[Any] | None, count: int
) -> Rows | None:
    """Return the group of each image for balanced sampling, or None without sampling.

    Raises:
        ValueError: If `sampling` is unknown, or requires cases that are not given.
    """
    if sampling is None:
        return None
    check_choice("sampling", sampling, (None, *get_args(Sampling)), error=ValueError)
    values = np.asarray(labels) if sampling == "class-balanced" else np.asarray(cases, dtype=object)
    if values.shape != (count,):
        raise ValueError(
            f"sampling={sampling!r} needs one value per image; found {values.shape} for {format_count(count, 'image')}."
        )
    return np.unique(values.astype(str), return_inverse=True)[1].astype(np.int64)


def _balanced(groups: Rows, count: int, generator: np.random.Generator) -> Rows:
    members = [np.flatnonzero(groups == group) for group in range(int(groups.max()) + 1)]
    shares = np.full(len(members), count // len(members))
    # The remainder goes to different groups in different epochs.
    shares[generator.permutation(len(members))[: count - int(shares.sum())]] += 1
    drawn = []
    for rows, share in zip(members, shares, strict=True):
        # Complete permutations ensure that the numbers of repetitions within a group differ by at most one.
        rounds = [generator.permutation(rows) for _ in range(-(-int(share) // len(rows)))]
        if rounds:
            drawn.append(np.concatenate(rounds)[:share])
    return generator.permutation(np.concatenate(drawn))
