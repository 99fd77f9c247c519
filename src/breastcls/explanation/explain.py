"""`explain`: heat-maps of the evidence for a class in images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.ensemble_heatmaps import explain_members, open_members
from breastcls.explanation.explain_arguments import check_options, find_classes, find_resize, find_size, find_target
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.forward_model import open_scores
from breastcls.explanation.heatmap import FLAGS, make_heatmaps
from breastcls.explanation.image_input import open_images
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.images.resize import resize_image
from breastcls.models import probability_rule
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.engines.choose_engine import KERAS
from breastcls.models.forked_process import check_process
from breastcls.models.model_card import get_card
from breastcls.text_tables import format_count


def explain(
    model: Any,
    images: Any,
    method: str = "grad-cam",
    *,
    target_class: int | str | None = None,
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

    The stain normalizer of the model's card, if it has one, is applied to the images first. Of an ensemble, methods
    that need a feature map explain each member and return the mean of the heat-maps, each scaled to 0..1, with the
    weights of the ensemble; the other methods explain the ensemble as one model.

    The explained value is the score of the class before softmax or sigmoid; for a model without such a last layer it is
    the log-probability. A heat-map shows evidence *for* the target class. An image without such evidence has a blank
    heat-map and a flag, and a warning is issued.

    Args:
        model: A Keras model that takes RGB images with values 0..255. A `RuntimeModel` for methods that need neither
            gradients nor feature maps, such as `"occlusion"`.
        images: A `Dataset`, or images of any size in one of the forms that `breastcls.predict` takes: a path, a folder,
            bytes, an image of Pillow, an array uint8 (h, w, 3) or (n, h, w, 3), or a list or an iterator of these. All
            of them are kept in memory.
        method: A name of `breastcls.explanation.list_methods()`: `"grad-cam"`, `"grad-cam++"`, `"hires-cam"`,
            `"layer-cam"`, `"score-cam"`, `"integrated-gradients"`, `"smooth-grad"`, `"occlusion"`, or one that was
            registered with `breastcls.explanation.register_method`.
        target_class: Index or name of the class to explain. None explains the predicted class of each image.
        batch_size: Number of images in one forward pass.
        classes: Class names. None takes them from the model's card, else from the dataset, else `"0"`, `"1"`, ...
        image_size: (height, width) of the model's input in pixels, or one number for a square. None takes it from the
            model.
        resize: `"stretch"`, `"crop"` or `"pad"`. None takes it from the model's card, else `"stretch"`.
        engine: For occlusion and Score-CAM, which run the model on many perturbed images: what runs a Keras model, as
            in `predict`.
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
    check_process()
    entry = METHODS[method]
    check_options(entry, options)
    if engine not in (None, KERAS) and not entry.perturbs:
        raise ExplanationError(
            f"engine={engine!r}: the method {method!r} needs the gradients or feature maps of Keras. Omit `engine`, or "
            "use a method that runs the model on perturbed images, such as 'occlusion'."
        )
    source = open_images(images)
    card = get_card(model)
    size = find_size(model, card, image_size)
    resize_mode = find_resize(resize, card)
    normalizer = find_normalizer(card)

    def read(number: int) -> tuple[np.ndarray, tuple[int, int]]:
        image = source.read(number)
        normalised = image if normalizer is None else normalizer.transform(np.ascontiguousarray(image))
        return np.asarray(resize_image(normalised, size, resize=resize_mode)), (image.shape[0], image.shape[1])

    first = read(0)[0][np.newaxis]
    scored = open_scores(model, first, batch_size, method, needs_more=entry.needs_feature_map, engine=engine)
    names = find_classes(scored.class_count, classes, card, source.classes)
    fixed = find_target(target_class, names)
    members = open_members(model, first, batch_size, options.get("layer")) if entry.needs_feature_map else ()
    layer = ", ".join(member.layer for member in members) or None
    if entry.needs_feature_map and not members:
        layer = scored.feature_map(options.get("layer")).path

    opened = [read(number) for number in range(len(source))]
    resized = np.stack([image for image, _ in opened])
    classified = probability_rule.classify_outputs([scored.outputs(resized)], card)
    targets = classified.predicted if fixed is None else np.full(len(resized), fixed, dtype=np.int64)

    heatmaps, shares = [], []
    flags: list[str] = []
    for start in range(0, len(source), batch_size):
        pixels = resized[start : start + batch_size].astype(np.float32)
        batch_targets = targets[start : start + batch_size]
        if members:
            made = explain_members(members, entry, pixels, batch_targets, options)
        else:
            attribution = entry.compute(scored, pixels, batch_targets, **options)
            made = make_heatmaps(attribution, size, entry.upper_percentile, entry.smoothing)
        heatmaps.append(made.values)
        shares.append(made.positive_share)
        flags += made.flags
    _warn(method, flags)
    if normalizer is not None and normalizer.fallbacks.total:
        warnings.warn(f"Stain normalizer {normalizer.name}: {normalizer.fallbacks}.", ExplanationWarning, stacklevel=2)
    return Explanation(
        method=method,
        heatmaps=np.concatenate(heatmaps),
        images=resized,
        probabilities=classified.probabilities,
        predicted=classified.predicted,
        targets=targets,
        classes=names,
        positive_share=np.concatenate(shares),
        flags=tuple(flags),
        sizes=np.array([own for _, own in opened], dtype=np.int64),
        resize=resize_mode,
        score=scored.score_kind,
        layer=layer,
        options=dict(options),
        source=source,
        engine=scored.engine,
    )


def _warn(method: str, flags: list[str]) -> None:
    for flag, meaning in FLAGS.items():
        count = flags.count(flag)
        if count:
            warnings.warn(
                f"{count} of {format_count(len(flags), 'heat-map')} by {method!r} are flagged {flag!r}: {meaning}.",
                ExplanationWarning,
                stacklevel=3,
            )
