"""Folders of synthetic images in the layout and with the file names of BreakHis and of the IDC patches."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from breastcls.datasets.synthetic.arguments import (
    as_count,
    check_frame_size,
    check_magnifications,
    check_threads,
)
from breastcls.datasets.synthetic.synthetic_slides import SYNTHETIC_NAME, image_seed, open_slide
from breastcls.datasets.synthetic.tissue import MALIGNANT, SUBTYPES, Slide, generate_image
from breastcls.datasets.synthetic.tree_writer import atomic_tree, run_jobs
from breastcls.datasets.synthetic.whole_mount import PATCH, generate_mosaic
from breastcls.images.encode import write_image

_FOLDERS = {
    "A": "adenosis",
    "F": "fibroadenoma",
    "PT": "phyllodes_tumor",
    "TA": "tubular_adenoma",
    "DC": "ductal_carcinoma",
    "LC": "lobular_carcinoma",
    "MC": "mucinous_carcinoma",
    "PC": "papillary_carcinoma",
}
# No real patient has these numbers, so that synthetic images cannot be confused with real ones.
_FIRST_PATIENT = 90_000
_IDC_NAME = re.compile(r"9\d{4}_idx5_x\d+_y\d+_class[01]\.png")
_MOST = 999


def make_breakhis(
    root: str | os.PathLike[str],
    *,
    slides_per_subtype: int = 4,
    images_per_slide: int = 2,
    magnifications: Sequence[int] = (40, 100, 200, 400),
    image_size: tuple[int, int] = (460, 700),
    seed: int = 0,
    overwrite: bool = False,
    threads: int | None = None,
) -> Path:
    """Generate synthetic H&E-like images in the folder layout of BreakHis.

    The eight subtypes differ in tissue architecture, and slightly in size and pleomorphism of the nuclei. Stain and
    texture differ between cases. The stain does not depend on the class, so that colour alone does not predict the
    class of another case, while a split over images is inflated because each case has its own colour. About one image
    in eight shows normal tissue outside the lesion. The images are for demonstrations and tests; they carry no
    information about real tumours.

    Of every four slides of a subtype, two are blocks of one case (`14-900002AB` and `14-900002CD`): the default four
    slides are three cases. An image depends only on `seed`, `image_size`, its slide, magnification and number:
    requesting more slides, images or magnifications does not change the others.

    Args:
        root: Folder in which the folder `BreaKHis_v1` is created.
        slides_per_subtype: Number of slides of each of the eight subtypes, 1 to 999.
        images_per_slide: Number of images of each slide at each magnification, 1 to 999.
        magnifications: One or more of 40, 100, 200, 400.
        image_size: (height, width) in pixels, each 32 to 4096. A smaller image shows the same field of view with fewer
            pixels.
        seed: The same seed gives the same files, byte for byte, on one machine. `make_masks` with this seed returns
            masks of the nuclei, glands and tumour of the images.
        overwrite: Whether to replace an existing folder of synthetic images.
        threads: Number of images that are generated at the same time; by default one per processor, at most eight.

    Returns:
        The folder `root/BreaKHis_v1`, as `load_breakhis` takes it.

    Raises:
        DatasetError: If an argument is out of its range.
        OutputError: If the folder already contains images and `overwrite` is False, if it contains files other than
            synthetic images, or if it cannot be written to.

    References:
        Layout and names: Spanhol et al. 2016, DOI 10.1109/TBME.2015.2496264.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     tree = make_breakhis(root, slides_per_subtype=1, images_per_slide=1, magnifications=[40],
        ...                          image_size=(46, 70))
        ...     len(list(tree.rglob("*.png")))
        8
    """
    slides_per_subtype = as_count("slides_per_subtype", slides_per_subtype, 1, _MOST)
    images_per_slide = as_count("images_per_slide", images_per_slide, 1, _MOST)
    seed = as_count("seed", seed, 0)
    workers = check_threads(threads)
    size = check_frame_size(image_size)
    wanted = check_magnifications(magnifications)
    with atomic_tree(Path(root) / "BreaKHis_v1", SYNTHETIC_NAME, overwrite) as tree:
        jobs: list[Callable[[], None]] = []
        for subtype in SUBTYPES:
            for slide_index in range(slides_per_subtype):
                jobs.extend(_slide_jobs(tree, subtype, slide_index, images_per_slide, wanted, size, seed))
        run_jobs(jobs, workers)
    return Path(root) / "BreaKHis_v1"


def _slide_jobs(
    tree: Path,
    subtype: str,
    slide_index: int,
    images: int,
    magnifications: Sequence[int],
    size: tuple[int, int],
    seed: int,
) -> Iterator[Callable[[], None]]:
    """Yield one job per image of a slide."""
    slide, number, key = open_slide(subtype, slide_index, seed)
    letter, group = ("M", "malignant") if subtype in MALIGNANT else ("B", "benign")
    folder = tree / "histology_slides" / "breast" / group / "SOB" / _FOLDERS[subtype]
    folder = folder / f"SOB_{letter}_{subtype}_{number}"
    for magnification in magnifications:
        for image in range(1, images + 1):
            target = folder / f"{magnification}X" / f"SOB_{letter}_{subtype}-{number}-{magnification}-{image:03d}.png"
            yield partial(_write_image, target, slide, magnification, size, image_seed(key, magnification, image, seed))


def _write_image(
    target: Path, slide: Slide, magnification: int, size: tuple[int, int], seed: np.random.SeedSequence
) -> None:
    """Generate one image and write it."""
    write_image(target, generate_image(slide, magnification, size, seed))


def make_idc(
    root: str | os.PathLike[str],
    *,
    patients: int = 12,
    patches_per_patient: int = 60,
    seed: int = 0,
    overwrite: bool = False,
    threads: int | None = None,
) -> Path:
    """Generate synthetic whole-mount slides in the folder layout of the IDC patches of 50x50 pixels.

    The patches of a patient tile one contiguous area of tissue. Patches of which more than half is tumour are of class
    1; they are adjacent. Every patient has patches of both classes. The stain differs between patients and does not
    depend on the class, but tumour has more nuclei and is therefore darker, as in the real data set.

    Args:
        root: Folder in which the folder `IDC_regular_ps50_idx5` is created.
        patients: Number of patients, 1 to 999.
        patches_per_patient: Number of patches of each patient, 2 to 5000. It changes the generated tissue.
        seed: The same seed gives the same files, byte for byte, on one machine. More patients do not change the others.
        overwrite: Whether to replace an existing folder of synthetic patches.
        threads: Number of patients that are generated at the same time; by default one per processor, at most eight.

    Returns:
        The folder `root/IDC_regular_ps50_idx5`, as `load_idc` takes it.

    Raises:
        DatasetError: If an argument is out of its range.
        OutputError: If the folder already contains patches and `overwrite` is False, if it contains files other than
            synthetic patches, or if it cannot be written to.

    References:
        Layout and names: Janowczyk and Madabhushi 2016, DOI 10.4103/2153-3539.186902.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     tree = make_idc(root, patients=2, patches_per_patient=4)
        ...     len(list(tree.rglob("*.png")))
        8
    """
    patients = as_count("patients", patients, 1, _MOST)
    patches = as_count("patches_per_patient", patches_per_patient, 2, 5000)
    seed = as_count("seed", seed, 0)
    workers = check_threads(threads)
    with atomic_tree(Path(root) / "IDC_regular_ps50_idx5", _IDC_NAME, overwrite) as tree:
        run_jobs([partial(_write_patient, tree, patient, patches, seed) for patient in range(patients)], workers)
    return Path(root) / "IDC_regular_ps50_idx5"


def _write_patient(tree: Path, patient: int, patches: int, seed: int) -> None:
    """Generate the tissue of one patient and write its patches."""
    # The key is longer than those of `make_breakhis`, so that the two never use the same random numbers.
    sequence = np.random.SeedSequence(seed, spawn_key=(50, 0, 0, 0, 0, patient))
    mosaic = generate_mosaic(patches, sequence)
    name = str(_FIRST_PATIENT + patient)
    shift_y, shift_x = np.random.default_rng(sequence).integers(1, 30, 2)
    for (row, column), positive in zip(mosaic.cells, mosaic.positive, strict=True):
        y, x = int(row) * PATCH, int(column) * PATCH
        label = int(positive)
        position = f"x{x + int(shift_x) * PATCH}_y{y + int(shift_y) * PATCH}"
        patch = mosaic.image[y : y + PATCH, x : x + PATCH]
        write_image(tree / name / str(label) / f"{name}_idx5_{position}_class{label}.png", patch)
