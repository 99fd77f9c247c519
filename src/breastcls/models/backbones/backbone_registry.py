"""The registry of backbones, and the table that lists them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import override

from breastcls.models.backbones.backbone import Backbone
from breastcls.models.backbones.cancernet import CANCERNET
from breastcls.models.backbones.cnn4 import CNN4
from breastcls.models.backbones.efficientnet_lite import EFFICIENTNET_LITE
from breastcls.models.backbones.keras_applications import KERAS_APPLICATIONS
from breastcls.models.backbones.keras_cv_backbones import KERAS_CV
from breastcls.models.backbones.squeezenet import SQUEEZENET
from breastcls.models.backbones.transformers.general_transformers import GENERAL_TRANSFORMERS
from breastcls.models.backbones.transformers.pathology_transformers import PATHOLOGY_TRANSFORMERS
from breastcls.models.backbones.transformers.swin_transformer import SwinTransformer
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer
from breastcls.registry import Registry, RegistryTable
from breastcls.text_tables import text_table

BACKBONES: Registry[Backbone] = Registry("backbone")
for _entry in (
    *(CNN4, CANCERNET, SQUEEZENET),
    *KERAS_APPLICATIONS,
    *EFFICIENTNET_LITE,
    *KERAS_CV,
    *GENERAL_TRANSFORMERS,
    *PATHOLOGY_TRANSFORMERS,
):
    BACKBONES.register(_entry.name, _entry)


def register_backbone(
    name: str, factory: Callable[..., Any], *, options: Sequence[str] | None = None, **fields: Any
) -> Backbone:
    """Add a backbone, so that `build_model(name, ...)` builds on it.

    Args:
        name: The name that `build_model` accepts.
        factory: `factory(input_shape, **options)` returns a `keras.Model` without classification layers, with random
            weights, from images of `input_shape` (height, width, 3) to feature maps (n, rows, columns, channels) or to
            features (n, channels). A `VisionTransformer` is such a factory, and sets the fields that follow from it.
        options: Names of the options of `factory`; None reads them from its signature.
        **fields: Other fields of `Backbone`: `image_size`, `scaling`, `stages`, `last_convolution`, `pretrained`,
            `licence`, `origin`, ...

    Returns:
        The entry.

    Raises:
        RegistryError: If the name is taken.
        ModelError: If a field has a wrong type or value.

    Example:
        >>> import keras
        >>> def build_thumbnail(input_shape, width=8):
        ...     inputs = keras.Input(input_shape)
        ...     return keras.Model(inputs, keras.layers.Conv2D(width, 3, strides=4, name="conv")(inputs))
        >>> entry = register_backbone("thumbnail", build_thumbnail, image_size=(64, 64), scaling="0-1")
        >>> entry.options
        ('width',)
    """
    if isinstance(factory, VisionTransformer | SwinTransformer):
        fields = {**factory.fields, **fields}
        options = fields.pop("options", ()) if options is None else options
    if options is None and callable(factory):
        parameters = list(inspect.signature(factory).parameters.values())[1:]
        options = [
            parameter.name
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        ]
    entry = Backbone(name=name, factory=factory, options=tuple(options or ()), **fields)
    return BACKBONES.register(name, entry)


_KERAS = " (as stated by the Keras documentation)"


class BackboneTable(RegistryTable[Backbone]):
    """The result of `list_backbones`: a table that can be printed, and a sequence of the backbones."""

    headers = ("backbone", "size", "scaling", "head", "stages", "options", "ImageNet", "licence of the weights")

    def cells(self, entry: Backbone) -> tuple[str, ...]:
        """Return the cells of a backbone in print."""
        height, width = entry.image_size
        return (
            entry.name,
            f"{height}x{width}",
            entry.scaling_text,
            entry.head,
            str(len(entry.stages)),
            ", ".join(entry.options) or "-",
            "yes" if entry.pretrained is not None else "no",
            entry.licence,
        )

    @override
    def __str__(self) -> str:
        """Return the columns that a line of a terminal has room for; `to_frame` has all."""
        rows = [("backbone", "size", "stages", "ImageNet", "licence of the weights")]
        for entry in self.entries:
            name, size, _, _, stages, _, imagenet, licence = self.cells(entry)
            mark = " †" if entry.restriction else ""
            rows.append(
                (
                    name,
                    size,
                    stages,
                    imagenet,
                    licence.replace(_KERAS, " *").replace("Public License", "licence") + mark,
                )
            )
        note = (
            "* as stated by the Keras documentation; † restricts use, see column restriction\n"
            "All columns: list_backbones().to_frame()"
        )
        return f"{text_table(rows, rule=True)}\n{note}"

    def record(self, entry: Backbone) -> dict[str, Any]:
        """Return all fields of a backbone."""
        return {
            "name": entry.name,
            "height": entry.image_size[0],
            "width": entry.image_size[1],
            "minimum_height": entry.minimum_size[0],
            "minimum_width": entry.minimum_size[1],
            "scaling": entry.scaling_text,
            "head": entry.head,
            "options": ", ".join(entry.options),
            "imagenet": entry.pretrained is not None,
            "last_convolution": entry.last_convolution or "output",
            "stages": len(entry.stages),
            "licence": entry.licence,
            "origin": entry.origin,
            "paper": entry.paper,
            "restriction": entry.restriction,
            "pooling": entry.pooling,
            "obtain": entry.obtain,
            "unverified": entry.unverified,
        }


def list_backbones() -> BackboneTable:
    """Return all registered backbones, with image size, input scaling, licence and more.

    The licences are those stated by the publishers of the weights. All ImageNet weights were trained on images whose
    terms of access allow only non-commercial research and education. It is not settled whether these terms apply to
    the weights too; clarify this before commercial use.

    Returns:
        A `BackboneTable`. `to_frame()` returns it as a DataFrame. Neither Keras nor TensorFlow is imported.

    Example:
        >>> table = list_backbones()
        >>> "resnet50" in table.names
        True
        >>> table.to_frame().loc["vgg16", "scaling"]
        'caffe'
    """
    return BackboneTable(tuple(BACKBONES.values()))
