"""Augmentation policies, and their application to batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from breastcls.augmentation.policy_parameters import PolicyParameters
from breastcls.augmentation.resampling import DRAWS, augment_batch
from breastcls.result import ShownInNotebook


@dataclass(frozen=True)
class Policy(ShownInNotebook, PolicyParameters):
    """Random changes of training images; zero or False for all parameters leaves images unchanged.

    Each number is the limit of a uniform distribution, sampled independently for each image. All geometric changes are
    one interpolation and all changes of colour one matrix multiplication, so that images are blurred and rounded once.

    Attributes:
        name: The name under which the policy is registered.
        summary: A description in one sentence.
        dihedral: Whether to apply one of the eight flips and quarter turns (one of four without quarter turns if the
            image is not square). Without other changes, no pixels are interpolated.
        flip: Whether to flip horizontally and vertically, each with probability 0.5.
        rotation: Largest rotation in degrees, in both directions.
        zoom: Largest change of scale: 0.1 is from 0.9 to 1.1.
        shift: Largest shift along each axis, as a fraction of height or width.
        shear: Largest shear along each axis.
        brightness: Largest change of brightness: 0.1 is 25.5 grey levels in both directions.
        contrast: Largest change of contrast about the mean of the image: 0.1 is from 0.9 to 1.1.
        saturation: Largest change of saturation: 0.1 is from 0.9 to 1.1.
        hue: Largest rotation of the hue, as a fraction of the full circle.
        stain: Jitter of haematoxylin, eosin and residual in optical density: each is multiplied by a factor of 1 ±
            `stain` and shifted by ± `stain` / 5 (Tellez et al. 2018, DOI 10.1109/TMI.2018.2820199).
        random_operations: Number of operations of RandAugment per image (Cubuk et al. 2020, DOI
            10.1109/CVPRW50498.2020.00359), with the layers of Keras.
        magnitude: Strength of RandAugment, 0 to 1.
        mixup: Alpha of mixup (Zhang et al. 2018, arXiv 1710.09412): weighted means of two images and their labels.
        cutmix: Alpha of CutMix (Yun et al. 2019, DOI 10.1109/ICCV.2019.00612): a rectangle is from another image.
        grid_mask: GridMask (Chen et al. 2020, DOI 10.48550/arXiv.2001.04086): squares of a grid are set to black; the
            largest ratio of their side to their distance, 0 to 1. This and the following are operations of KerasCV.
        channel_shuffle: Probability that red, green and blue are put into random order.
        rand_augment: Magnitude, 0 to 1, of RandAugment with the operations of KerasCV, two per image; unlike those of
            `random_operations`, they include solarisation.
        aug_mix: Severity, 0 to 1, of AugMix (Hendrycks et al. 2020, DOI 10.48550/arXiv.1912.02781): the mean of an
            image and three chains of operations.
        fourier_mix: Alpha of FMix (Harris et al. 2020, DOI 10.48550/arXiv.2002.12047): a region of random shape is from
            another image.

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
        """Augment a batch, eagerly or in a TensorFlow graph.

        Args:
            images: uint8 tensor of shape (b, height, width, 3).
            labels: int64 tensor of shape (b,).
            key: int64 tensor of shape (2,): a stateless seed; the same key gives the same images.
            class_count: Number of classes, required if `mixes`.
            part: For a part of a batch, (places, count): the position of each image in the whole batch, int64 (b,),
                and the size of that batch. Each image is then changed as within the whole batch. Not if `mixes`.

        Returns:
            uint8 images of the same shape, and the labels: unchanged, or float32 (b, classes) if `mixes`.
        """
        import tensorflow as tf

        shape = images.shape
        if self.dihedral or self.flip or self.resamples or self.recolours or self.stain:
            places, count = (None, tf.shape(images)[0]) if part is None else part
            draws = tf.random.stateless_uniform((count, DRAWS), key)
            draws = draws if places is None else tf.gather(draws, places)

            def augment(batch: Any, numbers: Any) -> Any:
                return augment_batch(self, batch, numbers)

            # On a CPU, OpenCV transforms 8-bit images several times faster than TensorFlow.
            images = tf.numpy_function(augment, [images, draws], tf.uint8, stateful=False)
            images.set_shape(shape)
        if self.random_operations:
            from breastcls.augmentation.random_operations import apply_random_operations

            images = apply_random_operations(images, key, self.random_operations, self.magnitude, part)
        if self.uses_keras_cv:
            from breastcls.augmentation.keras_cv_operations import apply_keras_cv

            images = apply_keras_cv(images, key, self, part)
        if self.mixes:
            from breastcls.augmentation.mixing import cutmix, fourier_mix, mixup

            if class_count is None:
                raise ValueError(f"The policy {self.name!r} mixes labels and needs class_count, the number of classes.")
            for mix, alpha in ((mixup, self.mixup), (cutmix, self.cutmix), (fourier_mix, self.fourier_mix)):
                if alpha:
                    images, labels = mix(images, labels, key, alpha, class_count)
        return images, labels
