"""`explain`: heat-maps of the evidence for a class in images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.errors import ExplanationWarning
from breastcls.explanation.explain_arguments import Target
from breastcls.explanation.explainer import ExplainedBatch, Explainer, open_explainer
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.heatmap import FLAGS
from breastcls.explanation.image_input import ImageInput
from breastcls.explanation.model_reference import ModelReference
from breastcls.text_tables import format_count


def explain(
    model: Any,
    images: Any,
    method: str = "grad-cam",
    *,
    target_class: Target | None = None,
    batch_size: int = 8,
    classes: Sequence[str] | None = None,
    image_size: int | Sequence[int] | None = None,
    resize: str | None = None,
    engine: str | None = None,
    **options: Any,
) -> Explanation:
    """Compute heat-maps of the evidence for a class in each image.

    The model may be one of `build_model` or any other Keras model with one image input and one output (n, classes):
    functional, Sequential, subclassed, nested at any depth. It is not changed. All layers are in inference mode, and
    equal calls give equal heat-maps.

    The stain normalizer of the model's card, if it has one, is applied to the images first. For an ensemble, methods
    that need a feature map explain each member and return the mean of the heat-maps, each scaled to 0..1, with the
    weights of the ensemble; the other methods explain the ensemble as one model.

    The explained value is the score of the class before softmax or sigmoid; for a model whose outputs are probabilities
    of another last layer it is the log-probability. A heat-map shows evidence *for* the target class. An image without
    such evidence has a blank heat-map and a flag, and a warning is issued.

    Args:
        model: A Keras model that takes RGB images with values 0..255. A `RuntimeModel` for methods that need neither
            gradients nor feature maps, such as `"occlusion"`.
        images: A `Dataset`, or images of any size in one of the forms that `breastcls.predict` takes: a path, a folder,
            bytes, an image of Pillow, an array uint8 (h, w, 3) or (n, h, w, 3), or a list or an iterator of these. All
            of them are kept in memory at the model's input size, with their heat-maps; `explain_to_folder` keeps one
            batch.
        method: A name of `breastcls.explanation.list_methods()`: `"grad-cam"`, `"layer-cam"`,
            `"integrated-gradients"`, `"occlusion"` and others, or one that was registered with
            `breastcls.explanation.register_method`.
        target_class: Index or name of the class to explain, or a sequence of one for each image. None explains the
            predicted class of each image. `breastcls.explanation.ClassDifference("ductal", "lobular")` explains the
            evidence for one class and against another. A function that takes the class scores, a tensor float32
            (n, classes), and returns one value per image, a tensor (n,), is explained like a score:
            `lambda s: s[:, 1] + s[:, 2]`.
        batch_size: Number of images in one forward pass.
        classes: Class names. None takes them from the model's card, else from the dataset, else `"0"`, `"1"`, ...
        image_size: (height, width) of the model's input in pixels, or one number for a square. None takes it from the
            model.
        resize: `"stretch"`, `"crop"` or `"pad"`. None takes it from the model's card, else `"stretch"`.
        engine: For methods that run the model on many perturbed images (occlusion, RISE, Kernel SHAP, Score-CAM): what
            runs a Keras model, as in `predict`.
        **options: Options of the method, such as `layer="conv5"` or `steps=64`.

    Returns:
        The heat-maps, the predicted classes and the images.

    Raises:
        RegistryError: If there is no such method.
        ExplanationError: If the model or an image cannot be explained, or an argument is wrong.
        ImageError: If a file cannot be read.

    Example:
        >>> import keras
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((8, 8, 3)),
        ...         keras.layers.Conv2D(2, 3, activation="relu", kernel_initializer="ones", name="conv"),
        ...         keras.layers.GlobalAveragePooling2D(),
        ...         keras.layers.Dense(2, activation="softmax", kernel_initializer="identity"),
        ...     ]
        ... )
        >>> image = np.full((8, 8, 3), 128, np.uint8)
        >>> explanation = explain(model, image, target_class="malignant", classes=("benign", "malignant"))
        >>> explanation.heatmaps.shape, explanation.layer
        ((1, 8, 8), 'conv')
    """
    opened = open_explainer(
        model,
        images,
        method,
        target_class=target_class,
        batch_size=batch_size,
        classes=classes,
        image_size=image_size,
        resize=resize,
        engine=engine,
        options=options,
    )
    parts = list(opened.batches())
    warn_of_flags(method, [flag for part in parts for flag in part.heatmaps.flags])
    opened.warn_of_fallbacks()
    return join_batches(opened, parts, opened.source, model)


def join_batches(opened: Explainer, parts: Sequence[ExplainedBatch], source: ImageInput, model: Any) -> Explanation:
    """Return the explanation of some batches.

    Args:
        opened: What explained them.
        parts: The batches, at least one.
        source: Their images.
        model: The model.
    """
    return Explanation(
        method=opened.method.name,
        heatmaps=np.concatenate([part.heatmaps.values for part in parts]),
        images=np.concatenate([part.images for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        predicted=np.concatenate([part.predicted for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        classes=opened.classes,
        positive_share=np.concatenate([part.heatmaps.positive_share for part in parts]),
        flags=tuple(flag for part in parts for flag in part.heatmaps.flags),
        sizes=np.concatenate([part.sizes for part in parts]),
        resize=opened.resize,
        score=opened.scored.score_kind,
        layer=opened.layer,
        options=dict(opened.options),
        source=source,
        engine=opened.scored.engine,
        reference=ModelReference(model, opened.target),
        target_score="" if opened.target is None else opened.target.text,
    )


def warn_of_flags(method: str, flags: Sequence[str]) -> None:
    """Issue a warning for heat-maps that must not be interpreted as they are; see `Explanation.flags`."""
    for flag, meaning in FLAGS.items():
        count = flags.count(flag)
        if count:
            warnings.warn(
                f"{count} of {format_count(len(flags), 'heat-map')} by {method!r} are flagged {flag!r}: {meaning}.",
                ExplanationWarning,
                stacklevel=3,
            )
