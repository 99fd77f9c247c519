"""Heat-maps of several methods, classes or models side by side, on one figure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.explain import explain
from breastcls.explanation.explained_images import ExplainedImages
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.explanation.overlay import OverlayStyle


def plot_methods(
    model: Any,
    images: Any,
    methods: str | Sequence[str] = ("grad-cam", "layer-cam", "occlusion"),
    path: str | os.PathLike[str] | None = None,
    *,
    target_class: Any = None,
    limit: int = 6,
    style: OverlayStyle | None = None,
    **options: Any,
) -> Any:
    """Draw the heat-maps of several methods side by side.

    Args:
        model: See `breastcls.explain`.
        images: The images, such as `test[:4]`.
        methods: One or more names of `list_methods()`.
        path: Where to save the figure, or None; the suffix `.svg`, `.png` or `.pdf` chooses the format.
        target_class: The class, as in `explain`; None for the predicted one of each image.
        limit: The largest number of images to draw, the first ones.
        style: Opacity, colours, contour lines; see `OverlayStyle`.
        **options: Further arguments of `explain` that all methods take, such as `batch_size`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ExplanationError: If there is no method, or the model or an image cannot be explained.

    Example:
        >>> import breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32)
        >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        >>> figure = plot_methods(model, image, ["smooth-grad", "occlusion"], target_class="malignant")
        >>> [axes.get_title(loc="left") for axes in figure.axes[1:3]]
        ['SmoothGrad', 'Occlusion']
    """
    methods = [methods] if isinstance(methods, str) else methods
    made = {METHODS[name].title: explain(model, images, name, target_class=target_class, **options) for name in methods}
    return plot_explanations(made, path, limit=limit, style=style)


def plot_classes(
    model: Any,
    images: Any,
    method: str = "grad-cam",
    path: str | os.PathLike[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
    limit: int = 6,
    style: OverlayStyle | None = None,
    **options: Any,
) -> Any:
    """Draw the heat-maps of several classes side by side.

    Args:
        model: See `breastcls.explain`.
        images: The images, such as `test[:4]`.
        method: A name of `list_methods()`.
        path: Where to save the figure, or None; the suffix `.svg`, `.png` or `.pdf` chooses the format.
        classes: The names of the classes to explain; None for all.
        limit: The largest number of images to draw, the first ones.
        style: Opacity, colours, contour lines; see `OverlayStyle`.
        **options: Further arguments of `explain`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ExplanationError: If the model or an image cannot be explained, or a class is unknown.

    Example:
        >>> import breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32)
        >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        >>> figure = plot_classes(model, image, "smooth-grad", samples=2)
        >>> [axes.get_title(loc="left") for axes in figure.axes[1:3]]
        ['benign', 'malignant']
    """
    first = explain(model, images, method, target_class=0 if classes is None else classes[0], **options)
    names = first.classes if classes is None else tuple(classes)
    made = {names[0]: first}
    made |= {name: explain(model, images, method, target_class=name, **options) for name in names[1:]}
    return plot_explanations(made, path, limit=limit, style=style)


def plot_models(
    models: Mapping[str, Any],
    images: Any,
    method: str = "grad-cam",
    path: str | os.PathLike[str] | None = None,
    *,
    target_class: Any = None,
    limit: int = 6,
    style: OverlayStyle | None = None,
    **options: Any,
) -> Any:
    """Draw the heat-maps of several models side by side.

    Args:
        models: The models by the names that the figure shows.
        images: The images, such as `test[:4]`.
        method: A name of `list_methods()`.
        path: Where to save the figure, or None; the suffix `.svg`, `.png` or `.pdf` chooses the format.
        target_class: The class, as in `explain`; None for the class that each model predicts.
        limit: The largest number of images to draw, the first ones.
        style: Opacity, colours, contour lines; see `OverlayStyle`.
        **options: Further arguments of `explain`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ExplanationError: If there is no model, or a model or an image cannot be explained.

    Example:
        >>> import breastcls as bc
        >>> models = {
        ...     f"seed {seed}": bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=seed)
        ...     for seed in (1, 2)
        ... }
        >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        >>> figure = plot_models(models, image, "smooth-grad", samples=2, target_class="malignant")
        >>> [axes.get_title(loc="left") for axes in figure.axes[1:3]]
        ['seed 1', 'seed 2']
    """
    made = {
        name: explain(model, images, method, target_class=target_class, **options) for name, model in models.items()
    }
    return plot_explanations(made, path, limit=limit, style=style)


def plot_explanations(
    explanations: Mapping[str, ExplainedImages],
    path: str | os.PathLike[str] | None = None,
    *,
    limit: int = 6,
    style: OverlayStyle | None = None,
) -> Any:
    """Draw explanations of the same images side by side: one row per image, one column per explanation.

    Args:
        explanations: The results of `explain`, by the title of the column.
        path: Where to save the figure, or None; the suffix `.svg`, `.png` or `.pdf` chooses the format.
        limit: The largest number of images to draw, the first ones.
        style: Opacity, colours, contour lines; see `OverlayStyle`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ExplanationError: If there are no explanations, they are of different images, or `limit` is less than 1.
        ImageError: If an image can no longer be read.

    Example:
        >>> import breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32)
        >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        >>> made = {
        ...     f"{samples} samples": explain(model, image, "smooth-grad", samples=samples) for samples in (2, 4)
        ... }
        >>> [axes.get_title(loc="left") for axes in plot_explanations(made).axes[1:3]]
        ['2 samples', '4 samples']
    """
    # Not at the top of the file: `explain` needs no Matplotlib.
    from breastcls.drawing.figures import export_figure
    from breastcls.explanation.explanation_panel import GridRow, draw_grid

    if not explanations:
        raise ExplanationError("There are no explanations to draw; expected at least one.")
    check_count("limit", limit, error=ExplanationError)
    style = style or OverlayStyle()
    first = next(iter(explanations.values()))
    for title, one in explanations.items():
        if len(one) != len(first) or one.paths != first.paths:
            raise ExplanationError(f"The explanation {title!r} is of other images than the first one.")
    rows = []
    for number in range(min(limit, len(first))):
        image = first.image(number)
        row = GridRow(
            image=image,
            caption=f"true: {first.labels[number]}" if first.labels else "",
            name=Path(first.paths[number]).stem if first.paths else "",
            overlays=[one.draw(number, image, style) for one in explanations.values()],
            notes=[_note(one, number) for one in explanations.values()],
        )
        rows.append(row)
    figure = draw_grid(rows, list(explanations), total=len(first), colour_map=style.colour_map)
    return export_figure(figure, path, dpi=150)


def _note(explanation: ExplainedImages, number: int) -> str:
    return f"{_predicted(explanation, number)}\n{explanation.evidence(number).replace(', ', chr(10))}"


def _predicted(explanation: ExplainedImages, number: int) -> str:
    predicted = int(explanation.predicted[number])
    text = f"{explanation.classes[predicted]} {np.float64(explanation.probabilities[number, predicted]):.2f}"
    target = explanation.target_name(number)
    return text if target == explanation.classes[predicted] else f"{text}, explained: {target}"
