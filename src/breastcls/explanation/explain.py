"""`explain`: what in an image speaks for a class."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.ensemble_heatmaps import explain_members, open_members
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.heatmap import FLAGS, make_heatmaps
from breastcls.explanation.image_input import open_images
from breastcls.explanation.methods.method import Method
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.explanation.scored_model import ScoredModel
from breastcls.images.resize import Resize, check_image_size, check_resize, resize_image
from breastcls.models import probability_rule
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.model_card import ModelCard, get_card


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
    **options: Any,
) -> Explanation:
    """Draw heat-maps of what in each image speaks for a class.

    Works on models of `build_model`, saved and loaded or not, and on any other Keras model with one image
    input and one output (n, classes): functional, Sequential, nested at any depth. Models are only read.
    Everything runs in inference mode, and the same call gives the same heat-maps.

    Images go through the stain normalizer of the model's card first, if it has one. Of an ensemble, methods that
    need a feature map explain each member for itself and average the heat-maps, each scaled to 0..1, by the members'
    weights; the other methods explain the ensemble as a whole.

    What is explained is the score before softmax or sigmoid (see `ClassScore`). A heat-map shows the evidence
    *for* the target class; an image with none of it gets a blank heat-map, a flag and a warning.

    Args:
        model: A Keras model that takes RGB images with values 0..255.
        images: A `Dataset`, a uint8 array (n, h, w, 3), or a list of arrays (of any sizes) or of paths.
        method: A name of `breastcls.explanation.list_methods()`: `"grad-cam"`, `"grad-cam++"`, `"hires-cam"`,
            `"layer-cam"`, `"score-cam"`, `"integrated-gradients"`, `"smooth-grad"`, `"occlusion"`, or one that was
            registered with `breastcls.explanation.register_method`.
        target_class: Index or name of the class to explain; None explains for each image the class predicted.
        batch_size: Images in one pass of the model.
        classes: Class names; by default the model's own, then the dataset's, then `"0"`, `"1"`, ...
        image_size: (height, width) of the model's input, or one number for a square; by default the model's own.
        resize: `"stretch"`, `"crop"` or `"pad"`; by default the model's own, else `"stretch"`.
        **options: Options of the method, such as `layer="conv5"` or `steps=64`; see the method's function.

    Returns:
        The heat-maps, with what is needed to read, draw and save them.

    Raises:
        RegistryError: If there is no such method.
        ExplanationError: If the model, an image, the class or an option cannot be used.
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
    entry = METHODS[method]
    _check_options(entry, options)
    source = open_images(images)
    card = get_card(model)
    size = _find_size(model, card, image_size)
    way = _find_resize(resize, card)
    normalizer = find_normalizer(card)

    def read(number: int) -> tuple[np.ndarray, tuple[int, int]]:
        picture = source.read(number)
        seen = picture if normalizer is None else normalizer.transform(np.ascontiguousarray(picture))
        return np.asarray(resize_image(seen, size, resize=way)), (picture.shape[0], picture.shape[1])

    first = read(0)[0][np.newaxis]
    scored = ScoredModel(model, first, batch_size)
    names = _find_classes(scored.class_count, classes, card, source.classes)
    fixed = _find_target(target_class, names)
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
        resize=way,
        score=scored.score_kind,
        layer=layer,
        options=dict(options),
        source=source,
    )


def _check_options(method: Method, options: dict[str, Any]) -> None:
    parameters = inspect.signature(method.compute).parameters.values()
    known = [item.name for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ExplanationError(
            f"{method.name!r} has no option {unknown[0]!r}. Its options: {', '.join(known) or 'none'}."
        )


def _find_size(model: Any, card: ModelCard | None, asked: int | Sequence[int] | None) -> tuple[int, int]:
    """Return (height, width) of the input: the model's own, else what was asked for, else its card's."""
    shape = getattr(model, "input_shape", None)
    known = isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:3]
    fixed = (int(shape[1]), int(shape[2])) if known and shape is not None else None
    if asked is None and fixed is None and card is None:
        raise ExplanationError("The model takes images of any size: pass image_size=(height, width).")
    wanted = None if asked is None else check_image_size(asked, ExplanationError)
    if wanted is not None and fixed is not None and wanted != fixed:
        raise ExplanationError(f"image_size is {wanted}, but the model takes images of {fixed} only.")
    size = fixed or wanted or (card.image_size if card is not None else None)
    assert size is not None, "checked above"
    return int(size[0]), int(size[1])


def _find_resize(asked: str | None, card: ModelCard | None) -> Resize:
    try:
        return check_resize(asked or (card.resize if card is not None else None) or "stretch")
    except ValueError as error:
        raise ExplanationError(str(error)) from error


def _find_classes(
    count: int, asked: Sequence[str] | None, card: ModelCard | None, known: tuple[str, ...] | None
) -> tuple[str, ...]:
    if asked is not None and len(asked) != count:
        raise ExplanationError(f"classes names {len(asked)} classes, but the model has {count} outputs.")
    for names in (asked, card.classes if card is not None else None, known):
        if names is not None and len(names) == count:
            return tuple(str(name) for name in names)
    return tuple(str(index) for index in range(count))


def _find_target(target: int | str | None, classes: tuple[str, ...]) -> int | None:
    if target is None:
        return None
    if isinstance(target, str):
        if target not in classes:
            raise ExplanationError(f"No class is named {target!r}. The model's classes: {', '.join(classes)}.")
        return classes.index(target)
    index = int(target)
    if not 0 <= index < len(classes):
        raise ExplanationError(f"target_class is {index}; expected 0 to {len(classes) - 1} ({', '.join(classes)}).")
    return index


def _warn(method: str, flags: list[str]) -> None:
    for flag, meaning in FLAGS.items():
        count = flags.count(flag)
        if count:
            warnings.warn(
                f"{count} of {len(flags)} heat-maps by {method!r} are flagged {flag!r}: {meaning}.",
                ExplanationWarning,
                stacklevel=3,
            )
