"""An augmentation policy as data, and how it is applied to a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from breastcls.augmentation.policy_parameters import PolicyParameters
from breastcls.augmentation.resampling import DRAWS, augment_batch


@dataclass(frozen=True)
class Policy(PolicyParameters):
    """What may happen to an image during training; zero or False everywhere means that nothing does.

    Every number is the end of a range from which each image draws evenly, for itself. All of geometry is one
    resampling of each image and all of colour one multiplication, whatever is asked for, so that nothing is blurred
    or rounded twice.

    Attributes:
        name: What it is registered as.
        summary: What it is for, in one sentence.
        dihedral: Whether to draw one of the eight flips and quarter turns (of four without quarter turns where the
            image is not square). On its own it is exact.
        flip: Whether to flip left-right and top-bottom, each with probability one half.
        rotation: Largest rotation, in degrees either way.
        zoom: Largest change of size: 0.1 is from 0.9 to 1.1.
        shift: Largest shift along each axis, as a share of the side.
        shear: Largest shear along each axis.
        brightness: Largest change of brightness: 0.1 is 25.5 grey levels up or down.
        contrast: Largest change of contrast about the mean of the image: 0.1 is from 0.9 to 1.1.
        saturation: Largest change of saturation: 0.1 is from 0.9 to 1.1.
        hue: Largest turn of the hue, as a share of the full circle.
        stain: Jitter of haematoxylin, eosin and residual in optical density: each is multiplied by a number within 1
            ± this and moved by a number within ± a fifth of this (Tellez et al. 2018, DOI 10.1109/TMI.2018.2820199).
        random_operations: Operations of RandAugment an image (Cubuk et al. 2020, DOI 10.1109/CVPRW50498.2020.00359),
            with the layers of Keras.
        magnitude: Strength of RandAugment, 0 to 1.
        mixup: Alpha of mixup (Zhang et al. 2018, arXiv 1710.09412): images and labels of pairs are averaged.
        cutmix: Alpha of CutMix (Yun et al. 2019, DOI 10.1109/ICCV.2019.00612): a rectangle comes from another image.

    Example:
        >>> Policy("turns", "Quarter turns and flips.", dihedral=True).mixes
        False
    """

    def __call__(
        self,
        images: Any,
        labels: Any,
        key: Any,
        *,
        class_count: int | None = None,
        part: tuple[Any, Any] | None = None,
    ) -> tuple[Any, Any]:
        """Augment a batch, eagerly or while a TensorFlow graph is traced.

        Args:
            images: uint8 tensor of shape (b, height, width, 3).
            labels: int64 tensor of shape (b,).
            key: int64 tensor of shape (2,): a stateless seed; the same key gives the same images.
            class_count: Number of classes, needed where `mixes`.
            part: For a part of a batch, (places, count): the place of each image in the whole batch, int64 (b,), and
                how many images that has. Each image is then changed as within the whole batch. Not where `mixes`.

        Returns:
            uint8 images of the same shape, and labels: as they came, or float32 (b, classes) where `mixes`.
        """
        import tensorflow as tf

        shape = images.shape
        if self.dihedral or self.flip or self.resamples or self.recolours or self.stain:
            places, count = (None, tf.shape(images)[0]) if part is None else part
            draws = tf.random.stateless_uniform((count, DRAWS), key)
            draws = draws if places is None else tf.gather(draws, places)

            def augment(batch: Any, numbers: Any) -> Any:
                return augment_batch(self, batch, numbers)

            # OpenCV resamples eight-bit images several times faster than any operation of TensorFlow on a processor.
            images = tf.numpy_function(augment, [images, draws], tf.uint8, stateful=False)
            images.set_shape(shape)
        if self.random_operations:
            from breastcls.augmentation.random_operations import apply_random_operations

            images = apply_random_operations(images, key, self.random_operations, self.magnitude, part)
        if self.mixes:
            from breastcls.augmentation.mixing import cutmix, mixup

            if class_count is None:
                raise ValueError(f"The policy {self.name!r} mixes labels and needs class_count, the number of classes.")
            mix, alpha = (mixup, self.mixup) if self.mixup else (cutmix, self.cutmix)
            images, labels = mix(images, labels, key, alpha, class_count)
        return images, labels
