"""What is known about one backbone: how to make it, how it wants its input, where its weights come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from breastcls.errors import ModelError
from breastcls.images.resize import check_image_size

SCALINGS = ("tf", "torch", "caffe", "unit", "none")
"""Input scalings: -1..1; ImageNet mean and deviation; BGR less the ImageNet mean; 0..1; the backbone does it itself."""

HEADS = ("linear", "mlp", "flatten-mlp")
"""Classification heads that `build_model` can put on a backbone."""

NORM_MOMENTUM = 0.9
"""How slowly the statistics of batch normalisation follow in networks trained from scratch.

With the 0.99 of Keras they need some five hundred steps to arrive; a few hundred images make seven steps an epoch, and
until then the network decides by chance on validation images while it has long learnt the training ones."""


@dataclass(frozen=True)
class WeightsFile:
    """A file of pretrained weights that somebody publishes.

    Attributes:
        name: Name of the file in the folder `models` of the Keras cache.
        url: Where it is published.
        digest: MD5 or SHA-256 of its bytes in hexadecimal, or None where the publisher gives none.
    """

    name: str
    url: str
    digest: str | None = None


@dataclass(frozen=True)
class Backbone:
    """One entry of the registry of backbones.

    Attributes:
        name: The name that `build_model` takes.
        factory: `factory(input_shape, **options)` returns a `keras.Model` from images of `input_shape` (height, width,
            3) to feature maps (n, rows, columns, channels), or to features (n, channels), with random weights and
            without a classification layer.
        image_size: (height, width) used when the caller names none.
        minimum_size: The smallest (height, width) that the architecture can take.
        scaling: What happens to RGB 0..255 before the backbone, one of `SCALINGS`. It becomes part of the model.
        options: Names of the options of `factory`, for example `("alpha",)`.
        head: The head that is built when the caller names none, one of `HEADS`.
        last_convolution: Name of the layer in the backbone whose output (n, rows, columns, channels) class activation
            maps are made of. None stands for the output of the backbone.
        stages: Where the stages of the backbone begin, from the output down: for each stage the name, or the start of
            the name, of its first layer. Fine-tuning unfreezes them in this order.
        pretrained: `pretrained(image_size, options)` returns the ImageNet weights that fit, or raises `WeightsError`;
            None where nobody publishes any.
        after_loading: Called with the backbone after weights were loaded into it, for architectures whose files need
            more than that.
        licence: Licence of the published weights as their publisher states it.
        origin: Who trained the published weights, with an address.
        paper: DOI or address of the paper that describes the architecture.
    """

    name: str
    factory: Callable[..., Any]
    image_size: tuple[int, int] = (224, 224)
    minimum_size: tuple[int, int] = (32, 32)
    scaling: str = "none"
    options: tuple[str, ...] = ()
    head: str = "linear"
    last_convolution: str | None = None
    stages: tuple[str, ...] = ()
    pretrained: Callable[[tuple[int, int], Mapping[str, Any]], WeightsFile] | None = None
    after_loading: Callable[[Any], None] | None = None
    licence: str = "not stated"
    origin: str = "not stated"
    paper: str = ""

    def __post_init__(self) -> None:
        """Refuse an entry that could only fail later, in the hands of someone else."""
        if not isinstance(self.name, str) or not self.name:
            raise ModelError(f"A backbone needs a name; found {self.name!r}.")
        if not callable(self.factory):
            raise ModelError(f"The factory of the backbone {self.name!r} cannot be called: {self.factory!r}.")
        if self.scaling not in SCALINGS:
            raise ModelError(
                f"The backbone {self.name!r} asks for the scaling {self.scaling!r}. Known: {', '.join(SCALINGS)}."
            )
        if self.head not in HEADS:
            raise ModelError(f"The backbone {self.name!r} asks for the head {self.head!r}. Known: {', '.join(HEADS)}.")
        for field in ("image_size", "minimum_size"):
            object.__setattr__(self, field, check_image_size(getattr(self, field), ModelError))
        for field in ("options", "stages"):
            value = getattr(self, field)
            if isinstance(value, str) or not all(isinstance(item, str) for item in value):
                raise ModelError(f"{field} of the backbone {self.name!r} must be a tuple of names; found {value!r}.")
            object.__setattr__(self, field, tuple(value))
