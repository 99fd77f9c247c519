"""The style of every figure, and how a figure is saved at the width that a journal requires."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler
from matplotlib.transforms import ScaledTranslation
from PIL import Image

from breastcls.drawing.theme import LIGHT
from breastcls.errors import OutputError
from breastcls.files import atomic_path

MILLIMETRES_PER_INCH = 25.4
ONE_COLUMN = 85.0
TWO_COLUMNS = 174.0

INK = LIGHT["ink"]
MUTED = LIGHT["muted"]
LINE = LIGHT["line"]
MODEL = LIGHT["model"]
BASELINE = LIGHT["baseline"]
# Classes differ in colour and, for print in grey, in the line style.
CLASS_COLOURS = tuple(LIGHT[f"class-{number}"] for number in range(8))
LINE_STYLES = ("-", "--", "-.", ":")

# Any: Matplotlib types the keys one by one, by a name that changes between its versions.
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8.0,
    "text.color": INK,
    "axes.prop_cycle": cycler(color=CLASS_COLOURS),
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    # A curve behind a legend must not make it unreadable.
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.borderpad": 0.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}

# Text stays text, and the same figure gives the same bytes: no random ids, no date.
SVG_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "breastcls"}
_OUTPUT_STYLE: Any = SVG_STYLE | {"pdf.fonttype": 42}
_METADATA: dict[str, dict[str, None]] = {
    ".svg": {"Date": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None},
}
# A figure of two columns is 754 pixels wide, text of 8 points 12 pixels high; drawn larger than that for sharp text.
_NOTEBOOK_DPI = 110
_NOTEBOOK_SCALE = 1.6


class NotebookFigure(Figure):
    """A figure that a notebook shows as a picture, without `pyplot` and its `%matplotlib inline`."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Return the picture as PNG, or as JPEG if it has photographs, and its size in pixels of the page."""
        drawn, target = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=_NOTEBOOK_SCALE * _NOTEBOOK_DPI)
        picture = Image.open(drawn).convert("RGB")
        has_photographs = any(np.asarray(one.get_array()).ndim == 3 for axes in self.axes for one in axes.images)
        if has_photographs:
            picture.save(target, format="JPEG", quality=85)
        else:
            # Lines and text in few colours: a third of the size.
            picture.quantize(128, dither=Image.Dither.NONE).save(target, format="PNG", optimize=True)
        name = "image/jpeg" if has_photographs else "image/png"
        size = {side: round(getattr(picture, side) / _NOTEBOOK_SCALE) for side in ("width", "height")}
        return {name: target.getvalue()}, {name: size}


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw in the style of this package without changing Matplotlib's settings outside the block.

    Everything is drawn in colours that `figure_to_html` replaces by those of the page.

    Example:
        >>> with drawing_style():
        ...     axes = new_axes(None)
        ...     _ = axes.plot([0, 1], [0, 1])
        >>> axes.get_lines()[0].get_color() == CLASS_COLOURS[0]
        True
    """
    with matplotlib.rc_context(_STYLE):
        yield


def new_figure(width: float = ONE_COLUMN, height: float = ONE_COLUMN) -> Figure:
    """Return an empty figure of `width` by `height` millimetres with constrained layout."""
    size = (width / MILLIMETRES_PER_INCH, height / MILLIMETRES_PER_INCH)
    figure = NotebookFigure(figsize=size, layout="constrained")
    # Journals crop at the edge; without padding a title touches it.
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.08)
    return figure


def relative_height(image: np.ndarray) -> float:
    """Return the height of a picture divided by its width, 1/3 to 3: the cell of a long strip in a figure is limited.

    Example:
        >>> relative_height(np.zeros((460, 920, 3))), relative_height(np.zeros((700, 3, 3)))
        (0.5, 3.0)
    """
    return float(np.clip(image.shape[0] / image.shape[1], 1 / 3, 3.0))


def new_axes(axes: Axes | None, *, width: float = ONE_COLUMN, height: float = ONE_COLUMN) -> Axes:
    """Return `axes`, or those of a new figure where none are given.

    Args:
        axes: Where to draw, or None.
        width: Width of the new figure in millimetres, for many journals 85 (one column) or 174 (two).
        height: Its height in millimetres.

    Example:
        >>> new_axes(None, width=85, height=60).figure.get_size_inches().round(2).tolist()
        [3.35, 2.36]
    """
    return new_figure(width, height).add_subplot() if axes is None else axes


def figure_of(axes: Axes) -> Figure:
    """Return the whole figure that `axes` belong to."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes that were removed from their figure"
    return figure


def legend_below(axes: Axes, columns: int) -> None:
    """Add the legend below the name of the horizontal axis, where it covers nothing whatever is drawn."""
    below = ScaledTranslation(0, -30 / 72, figure_of(axes).dpi_scale_trans)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axes.transAxes + below,
        ncols=columns,
        borderaxespad=0.0,
        columnspacing=1.2,
        handlelength=1.8,
    )


def save_figure(figure: Figure, path: str | os.PathLike[str], *, width_mm: float | None = None, dpi: int = 300) -> Path:
    """Save a figure as SVG, PNG or PDF at the width that a journal requires.

    Text in an SVG stays text, and the same figure gives the same bytes on the same machine.

    Args:
        figure: Any Matplotlib figure, such as the one that `Evaluation.plot` returns.
        path: Where to write; the suffix `.svg`, `.png` or `.pdf` chooses the format.
        width_mm: Width in millimetres, for many journals 85 (one column) or 174 (two); the height follows.
            The figure keeps its own size if None.
        dpi: Dots per inch of a PNG.

    Returns:
        The path written.

    Raises:
        OutputError: If the suffix is another one, the width is not positive, or the file cannot be written.

    Example:
        >>> import tempfile, pathlib
        >>> from matplotlib.figure import Figure
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> save_figure(Figure(), folder / "roc.svg", width_mm=85).name
        'roc.svg'
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in _METADATA:
        raise OutputError(
            f"Cannot save a figure as {target.name!r}: the suffix chooses the format. Use .svg, .png or .pdf."
        )
    if width_mm is not None and not width_mm > 0:
        raise OutputError(f"width_mm is {width_mm}; expected a positive number of millimetres, such as 85 or 174.")
    own_width, own_height = figure.get_size_inches()
    width = own_width if width_mm is None else width_mm / MILLIMETRES_PER_INCH
    with matplotlib.rc_context(_OUTPUT_STYLE), atomic_path(target) as temporary:
        figure.set_size_inches(width, own_height * width / own_width)
        try:
            figure.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=_METADATA[suffix])
        finally:
            figure.set_size_inches(own_width, own_height)
    return target


def export_figure(
    figure: Figure, path: str | os.PathLike[str] | None = None, *, width_mm: float | None = None, dpi: int = 300
) -> Figure:
    """Return `figure` and, given a path, save it there; see `save_figure`.

    Raises:
        OutputError: As `save_figure`.
    """
    if path is not None:
        save_figure(figure, path, width_mm=width_mm, dpi=dpi)
    return figure
