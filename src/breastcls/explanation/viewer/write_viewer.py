"""The viewer as a page of its own: one HTML file that opens without a network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from markupsafe import Markup

from breastcls._version import __version__
from breastcls.argument_checks import check_count
from breastcls.drawing.html_page import hash_script, page_environment, read_style, read_template, theme_script
from breastcls.errors import ExplanationError
from breastcls.explanation.explained_images import ExplainedImages
from breastcls.explanation.viewer.viewer_data import NamedMaps, PictureSizes, image_values, to_script, viewer_values
from breastcls.files import write_text
from breastcls.text_tables import format_count

if TYPE_CHECKING:
    from breastcls.features.similar_images import SimilarImages

PACKAGE = "breastcls.explanation.viewer"
MOST_IMAGES = 200
# One explanation, or several of one model.
Shown: TypeAlias = ExplainedImages | Sequence[ExplainedImages]


def write_viewer(
    explanations: Shown | Mapping[str, Shown],
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    similar: SimilarImages | None = None,
    limit: int = MOST_IMAGES,
    longest: int = 1024,
) -> Path:
    """Write an interactive HTML page with heat-maps: one file that opens without a network connection.

    The page has a slider for the opacity, menus for the method, the class and the model, zoom and position that all
    images share, contour lines, sorting by error, probability, certainty, positive share or case, and keyboard
    shortcuts for all of these. It can be used on a phone and has a dark theme. As in `Explanation.overlay`, heat-maps
    with little positive evidence are drawn with less opacity and nothing is drawn on glass; both can be switched off.

    The file contains the images and the names of their files and cases: before it is shared, replace the names with
    `Explanation.with_pseudonyms`.

    Args:
        explanations: One explanation; a list, of one model with several methods or classes; or a mapping from the
            names of models to explanations or lists of these. Images are matched by their files, or by their order
            where they were passed as arrays.
        path: Where to write.
        title: The heading of the page.
        similar: Similar training images, which are shown beside each image; see `breastcls.features.find_similar`.
            Their names are left out where the explanations have pseudonyms.
        limit: The largest number of images, the first ones; the page states how many there are.
        longest: The largest longer side of an image in the page, in pixels; larger images are reduced.

    Returns:
        The path written. A page of 50 images of 700 by 460 pixels takes about 8 MB.

    Raises:
        ExplanationError: If the explanations are of other images or classes, two are of the same model, method and
            class, or the similar images are of none of the images.
        ImageError: If an image can no longer be read.
        OutputError: If the file cannot be written.

    Example:
        >>> import tempfile, numpy as np, breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32)
        >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        >>> methods = ("smooth-grad", "guided-backpropagation")
        >>> maps = [bc.explain(model, image, method, target_class=1) for method in methods]
        >>> write_viewer(maps, tempfile.mkdtemp() + "/viewer.html").name
        'viewer.html'
    """
    check_count("limit", limit, error=ExplanationError)
    named = _name(explanations)
    rows = _match(named)
    sizes = PictureSizes(image=longest)
    images = []
    for found in rows[:limit]:
        one = image_values(found, len(named), source=None, sizes=sizes)
        if similar is not None:
            first, number = next(iter(found.values()))
            one["similar"] = _show_similar(similar, first.explanation, number)
        images.append(one)
    if similar is not None and all(one["similar"] is None for one in images):
        raise ExplanationError(
            "The similar images are of none of the images of the page. Pass those of the explained images: "
            "find_similar(model, images, train)."
        )
    values = viewer_values(
        named[0].explanation.classes,
        [one.axes for one in named],
        images,
        similar="" if similar is None else similar.describe(),
    )
    methods = sorted({one.axes["method"] for one in named})
    about = f"{format_count(len(images), 'image')}, {', '.join(methods)}"
    if len(images) < len(rows):
        about += f"; the first of {len(rows)} images"
    return write_text(path, render_viewer(title or "Heat-maps", f"{about}.", values))


def render_viewer(title: str, about: str, values: Mapping[str, Any]) -> str:
    """Return the page as text; see `write_viewer`."""
    scripts = [theme_script(), read_template(PACKAGE, "viewer.js")]
    style = read_style(PACKAGE, "page.css") + Markup(read_template(PACKAGE, "viewer.css"))
    return (
        page_environment(PACKAGE)
        .get_template("viewer.html.j2")
        .render(
            title=title,
            about=about,
            version=__version__,
            style=style,
            scripts=[Markup(script) for script in scripts],  # Files of this package, which must not be escaped.
            script_hashes=[hash_script(script) for script in scripts],
            data=to_script(values),
        )
    )


def _name(explanations: Any) -> list[NamedMaps]:
    """Return the explanations with the names of their models; each is of another model, method or class."""
    by_model = explanations if isinstance(explanations, Mapping) else {"": explanations}
    named = [
        NamedMaps(one, str(model))
        for model, given in by_model.items()
        for one in ([given] if isinstance(given, ExplainedImages) else list(given))
    ]
    if not named:
        raise ExplanationError("There are no explanations to show; expected at least one.")
    seen: set[tuple[str, ...]] = set()
    for one in named:
        if one.explanation.classes != named[0].explanation.classes:
            raise ExplanationError(
                f"The explanations have different classes, {named[0].explanation.classes} and "
                f"{one.explanation.classes}; write a page for each."
            )
        key = tuple(one.axes.values())
        if key in seen:
            raise ExplanationError(
                f"Two explanations are by {one.axes['method']} for the {one.axes['target']}. Pass a mapping from the "
                "name of each model to its explanations, or leave one out."
            )
        seen.add(key)
    return named


def _show_similar(similar: SimilarImages, explanation: ExplainedImages, number: int) -> list[dict[str, Any]] | None:
    """Return the similar images of one image; without names where its own name is a pseudonym."""
    if explanation.paths is None:
        return similar.shown(number)
    file = explanation.source.file_of(number)
    return similar.shown(file, named=file == explanation.paths[number])


def _match(named: Sequence[NamedMaps]) -> list[dict[int, tuple[NamedMaps, int]]]:
    """Return for each image the explanations that have it, by their place, with the number of the image in each."""
    rows: dict[Any, dict[int, tuple[NamedMaps, int]]] = {}
    for place, one in enumerate(named):
        files = one.explanation.paths
        for number in range(len(one.explanation)):
            key = number if files is None else files[number]
            rows.setdefault(key, {})[place] = (one, number)
    if any(one.explanation.paths is None for one in named):
        counts = {len(one.explanation) for one in named}
        if len(counts) > 1 or any(one.explanation.paths is not None for one in named):
            raise ExplanationError(
                "Images without files are matched by their order: every explanation must be of the same arrays; found "
                f"{sorted(counts)} images."
            )
    return list(rows.values())
