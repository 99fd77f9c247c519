"""Resolving the arguments of `explain`: image size, resize mode, classes, options of the method."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.method import Method
from breastcls.explanation.target_score import ClassDifference, TargetScore, subtract_classes
from breastcls.images.resize import Resize, check_image_size, check_resize
from breastcls.models.model_card import ModelCard
from breastcls.models.vector_input import vector_size
from breastcls.text_tables import format_count


def check_options(method: Method, options: dict[str, Any]) -> None:
    """Raise an `ExplanationError` if an option is not one of the method."""
    parameters = inspect.signature(method.compute).parameters.values()
    known = [item.name for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ExplanationError(
            f"{method.name!r} has no option {unknown[0]!r}. Its options: {', '.join(known) or 'none'}."
        )


def find_size(model: Any, card: ModelCard | None, image_size: int | Sequence[int] | None) -> tuple[int, int]:
    """Return (height, width) of the model's input: that of the model, else the argument, else that of the card."""
    if vector_size(model) is not None:
        raise ExplanationError(
            "Heat-maps need a model that takes images; this one takes vectors, in which positions of an image are lost."
        )
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4 and shape[1] == 3 and shape[3] != 3:
        raise ExplanationError(
            f"The input of the model is {shape}, with the channels first; expected (None, height, width, 3). Put the "
            "model behind a keras.layers.Permute((3, 1, 2)): keras.Sequential([keras.Input((height, width, 3)), "
            "keras.layers.Permute((3, 1, 2)), model])."
        )
    known = isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:3]
    fixed = (int(shape[1]), int(shape[2])) if known and shape is not None else None
    if image_size is None and fixed is None and card is None:
        raise ExplanationError("The model accepts images of any size; pass image_size=(height, width).")
    asked = None if image_size is None else check_image_size(image_size, ExplanationError)
    if asked is not None and fixed is not None and asked != fixed:
        raise ExplanationError(f"image_size is {asked}; the model takes only images of {fixed}.")
    size = fixed or asked or (card.image_size if card is not None else None)
    assert size is not None, "checked above"
    return int(size[0]), int(size[1])


def find_resize(resize: str | None, card: ModelCard | None) -> Resize:
    """Return the resize mode: the argument, else that of the card, else `"stretch"`."""
    try:
        return check_resize(resize or (card.resize if card is not None else None) or "stretch")
    except ValueError as error:
        raise ExplanationError(str(error)) from error


def find_classes(
    count: int, classes: Sequence[str] | None, card: ModelCard | None, known: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Return one name per output: the argument, else those of the card, of the dataset, or `"0"`, `"1"`, ..."""
    if classes is not None and len(classes) != count:
        raise ExplanationError(
            f"classes has {format_count(len(classes), 'name')}; the model has {format_count(count, 'output')}."
        )
    if classes is not None and len(set(classes)) < len(classes):
        raise ExplanationError(f"classes has a name more than once: {', '.join(map(str, classes))}.")
    for names in (classes, card.classes if card is not None else None, known):
        if names is not None and len(names) == count:
            return tuple(str(name) for name in names)
    return tuple(str(index) for index in range(count))


Target = int | str | Sequence[int | str] | ClassDifference | Callable[[Any], Any]
"""What `target_class` may be."""


def find_target(
    target: Target | None, classes: tuple[str, ...], count: int
) -> tuple[np.ndarray | None, TargetScore | None]:
    """Resolve `target_class`.

    Args:
        target: None for the predicted class, a class, a class for each image, a difference, or a function of scores.
        classes: Class names.
        count: Number of images.

    Returns:
        The class index of each image, int64 (n,), or None for the predicted class; and the target where it is not the
        score of one class.

    Raises:
        ExplanationError: If a class or the number of classes is wrong.
    """
    if target is None:
        return None, None
    if isinstance(target, ClassDifference):
        positive, negative = (find_class(one, classes) for one in (target.positive, target.negative))
        if positive == negative:
            raise ExplanationError(f"{target} is a difference of a class with itself; expected two classes.")
        return np.full(count, positive, np.int64), subtract_classes(positive, negative, classes)
    if callable(target):
        return None, TargetScore(getattr(target, "__name__", type(target).__name__), target)
    if isinstance(target, int | str) or np.ndim(target) == 0:
        return np.full(count, find_class(target, classes), np.int64), None
    each = list(target)
    if len(each) != count:
        raise ExplanationError(
            f"target_class has {format_count(len(each), 'class', 'classes')} for {format_count(count, 'image')}; "
            "expected one class, or one for each image. A difference of two classes is a `ClassDifference`."
        )
    return np.array([find_class(one, classes) for one in each], np.int64), None


def find_class(target: Any, classes: tuple[str, ...]) -> int:
    """Return the index of a class that is given by name or index.

    Raises:
        ExplanationError: If there is no such class.
    """
    if isinstance(target, str):
        if target not in classes:
            raise ExplanationError(
                f"target_class={target!r}: expected one of the classes {', '.join(classes)}, or an index."
            )
        return classes.index(target)
    if not isinstance(target, int | np.integer) or isinstance(target, bool):
        raise ExplanationError(
            f"target_class={target!r}: expected the name or the index of a class, one for each image, a "
            "`ClassDifference`, or a function of the class scores."
        )
    index = int(target)
    if not 0 <= index < len(classes):
        raise ExplanationError(f"target_class is {index}; expected 0 to {len(classes) - 1} ({', '.join(classes)}).")
    return index
