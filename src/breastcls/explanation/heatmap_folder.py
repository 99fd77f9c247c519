"""`explain_to_folder`: heat-maps of any number of images, written as they are computed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from breastcls.explanation.explain import join_batches, warn_of_flags
from breastcls.explanation.explain_arguments import Target
from breastcls.explanation.explainer import open_explainer
from breastcls.explanation.explanation import Explanation
from breastcls.explanation.overlay import OverlayStyle
from breastcls.explanation.save_heatmaps import save_heatmaps


def explain_to_folder(
    model: Any,
    images: Any,
    folder: str | os.PathLike[str],
    method: str = "grad-cam",
    *,
    overwrite: bool = False,
    raw: str | Sequence[str] = (),
    style: OverlayStyle | None = None,
    target_class: Target | None = None,
    batch_size: int = 8,
    classes: Sequence[str] | None = None,
    image_size: int | Sequence[int] | None = None,
    resize: str | None = None,
    engine: str | None = None,
    **options: Any,
) -> Path:
    """Write the heat-maps of any number of images to a folder; only one batch is in memory at a time.

    The folder contains the same files as that of `explain(...).save(folder)`: an overlay for each image, `heatmaps.npz`
    and `index.csv`, which is written last.

    Args:
        model: See `breastcls.explain`.
        images: See `breastcls.explain`. Files are read batch after batch, and once more for their overlays; images
            that are passed as arrays or bytes, also by an iterator, are in memory as a whole.
        folder: Created if it does not exist.
        method: See `breastcls.explain`.
        overwrite: Whether to replace files of the same names. If False and such files exist, nothing is written.
        raw: `"tiff"`, `"npy"` or both: each heat-map also as a file of its own; see `Explanation.save`.
        style: How overlays are drawn, by default as `Explanation.save` draws them.
        target_class: See `breastcls.explain`.
        batch_size: Number of images in one forward pass.
        classes: See `breastcls.explain`.
        image_size: See `breastcls.explain`.
        resize: See `breastcls.explain`.
        engine: See `breastcls.explain`.
        **options: Options of the method.

    Returns:
        The folder.

    Raises:
        RegistryError: If there is no such method.
        ExplanationError: If the model or an image cannot be explained, or an argument is wrong.
        ImageError: If a file cannot be read. Overlays that were written before remain, without an index.
        OutputError: If files of the same names exist and `overwrite` is False, or the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> images = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = explain_to_folder(model, images, folder, "layer-cam", target_class="malignant", batch_size=2)
        ...     sorted(path.name for path in written.iterdir())
        ['0000.png', '0001.png', '0002.png', 'heatmaps.npz', 'index.csv']
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
    files = opened.source.relative_paths or ("",) * len(opened.source)
    flags: list[str] = []

    def explained() -> Iterator[Explanation]:
        start = 0
        for batch in opened.batches():
            stop = start + len(batch.images)
            flags.extend(batch.heatmaps.flags)
            yield join_batches(opened, [batch], opened.source.part(start, stop), model)
            start = stop

    written = save_heatmaps(
        Path(folder), explained(), files, OverlayStyle() if style is None else style, raw=raw, overwrite=overwrite
    )
    warn_of_flags(method, flags)
    opened.warn_of_fallbacks()
    return written
