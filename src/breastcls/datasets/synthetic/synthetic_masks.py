"""Masks of what synthetic images show: nuclei, glands and tumour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from breastcls.argument_checks import check_choice
from breastcls.datasets.synthetic.scene import Region, Scene
from breastcls.datasets.synthetic.synthetic_slides import image_seed, open_slide, parse_synthetic_name
from breastcls.datasets.synthetic.tissue import generate_scene
from breastcls.errors import DatasetError
from breastcls.images.decode import read_image

KINDS = ("nuclei", "glands", "tumour")
_REGIONS = {"glands": (Region.EPITHELIUM, Region.LUMEN, Region.SECRETION), "tumour": (Region.TUMOUR,)}


def make_masks(data: Any, kind: str = "nuclei", *, seed: int = 0) -> list[NDArray[np.bool_]]:
    """Return a mask of nuclei, glands or tumour for each image of `make_breakhis`.

    The images are generated again and compared with the files, so that a mask is that of its image.

    Args:
        data: A `Dataset` of images of `make_breakhis`, or a sequence of their paths.
        kind: `"nuclei"`: pixels of which a nucleus covers more than half; `"glands"`: epithelium, lumen and secretion;
            `"tumour"`: tumour cells with their cytoplasm. An image without any has an empty mask.
        seed: The seed that was given to `make_breakhis`.

    Returns:
        For each image bool (height, width), at its own size.

    Raises:
        DatasetError: If there is no such kind, or an image is none of `make_breakhis` with this seed.
        ImageError: If a file cannot be read.

    Example:
        >>> import tempfile
        >>> from breastcls.datasets import make_breakhis
        >>> with tempfile.TemporaryDirectory() as root:
        ...     tree = make_breakhis(root, slides_per_subtype=1, images_per_slide=1, magnifications=[40],
        ...                          image_size=(46, 70))
        ...     masks = make_masks(sorted(tree.rglob("*.png")))
        >>> len(masks), masks[0].shape
        (8, (46, 70))
    """
    check_choice("kind", kind, KINDS, error=DatasetError)
    paths = data.paths if hasattr(data, "paths") else data
    return [_mask(_find_scene(str(path), seed), kind) for path in paths]


def _find_scene(path: str, seed: int) -> Scene:
    name = Path(path).name
    parsed = parse_synthetic_name(name)
    if parsed is None:
        raise DatasetError(f"{name} is no image of make_breakhis; only synthetic images have masks.")
    subtype, slide_index, magnification, number = parsed
    image = np.asarray(read_image(path))
    slide, _, key = open_slide(subtype, slide_index, seed)
    size = (image.shape[0], image.shape[1])
    made, scene = generate_scene(slide, magnification, size, image_seed(key, magnification, number, seed))
    if not np.array_equal(made, image):
        raise DatasetError(f"{name} was not made by make_breakhis with seed={seed}; pass the seed it was made with.")
    return scene


def _mask(scene: Scene, kind: str) -> NDArray[np.bool_]:
    if kind == "nuclei":
        if scene.nuclear_cover is None:
            return np.zeros(scene.shape, np.bool_)
        return np.asarray(scene.nuclear_cover > 0.5, np.bool_)
    return np.asarray(scene.is_in(*_REGIONS[kind]), np.bool_)
