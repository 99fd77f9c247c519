"""The interface of an augmentation policy, as the pipeline uses it."""

from __future__ import annotations

from typing import Any, Protocol


class BatchAugmentation(Protocol):
    """Random changes of the images of a batch, such as a `breastcls.augmentation.Policy`."""

    @property
    def name(self) -> str:
        """The name, for messages."""
        ...

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed, and their labels with them."""
        ...

    def __call__(
        self,
        images: Any,
        labels: Any,
        key: Any,
        *,
        class_count: int | None = None,
        part: tuple[Any, Any] | None = None,
    ) -> tuple[Any, Any]:
        """Return the changed images and their labels, as `Policy.__call__` does."""
        ...


def check_augmentation(augment: BatchAugmentation | None, class_count: int | None) -> None:
    """Check that a policy that mixes labels is given the number of classes.

    Raises:
        ValueError: If it is not.
    """
    if augment is not None and augment.mixes and class_count is None:
        raise ValueError(f"The policy {augment.name!r} mixes labels and needs class_count, the number of classes.")
