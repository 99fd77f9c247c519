from dataclasses import replace

import cv2
import numpy as np
import pytest

from breastcls.datasets.synthetic.tissue import (
    MALIGNANT,
    PIXEL_SIZES,
    SUBTYPES,
    Slide,
    generate_image,
    sample_slide,
    sample_style,
)

SMALL = (92, 140)


def seeds(*key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(11, spawn_key=key)


def slide_of(subtype: str, case: int = 0, slide: int = 0) -> Slide:
    index = SUBTYPES.index(subtype)
    return sample_slide(seeds(index, case), seeds(index, case, slide), subtype)


@pytest.mark.parametrize("magnification", PIXEL_SIZES)
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_images_of_every_subtype_are_pink_and_blue(subtype: str, magnification: int) -> None:
    image = generate_image(slide_of(subtype), magnification, SMALL, seeds(1, 2, 3))
    assert image.shape == (*SMALL, 3)
    assert image.dtype == np.uint8
    # Both stains absorb green most; an empty or uniform image would have no variance.
    assert image[..., 1].mean() < image[..., 0].mean()
    assert image.std(axis=(0, 1)).min() > 4


def test_the_same_seed_gives_the_same_pixels() -> None:
    first, second, other = (generate_image(slide_of("DC"), 200, SMALL, seeds(5, last)) for last in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40)])
def test_odd_and_small_sizes(size: tuple[int, int]) -> None:
    for subtype in SUBTYPES:
        for magnification in (40, 400):
            assert generate_image(slide_of(subtype), magnification, size, seeds(9)).shape == (*size, 3)


def test_official_size() -> None:
    assert generate_image(slide_of("TA"), 400, (460, 700), seeds(0)).shape == (460, 700, 3)


def _mean_colour(slide: Slide, image: int) -> np.ndarray:
    return generate_image(slide, 100, SMALL, seeds(7, image)).mean(axis=(0, 1))


def test_stain_varies_more_between_slides_than_within() -> None:
    # One subtype of uniform architecture, so that colour depends on the stain and not on the tissue.
    colours = np.array([[_mean_colour(slide_of("TA", case), image) for image in range(5)] for case in range(12)])
    within = np.median(colours.std(axis=1), axis=0)
    between = np.median(colours, axis=1).std(axis=0)
    assert (between > 1.5 * within).all()


def test_the_stain_does_not_depend_on_the_class() -> None:
    stains = [sample_slide(seeds(3), seeds(3, 0), subtype).stain for subtype in SUBTYPES]
    for stain in stains[1:]:
        np.testing.assert_array_equal(stain.matrix, stains[0].matrix)
        np.testing.assert_array_equal(stain.background, stains[0].background)


def test_subtypes_have_similar_mean_colours_under_one_stain() -> None:
    stain = slide_of("TA").stain

    def mean_colour(subtype: str) -> np.ndarray:
        slides = [replace(slide_of(subtype, case), stain=stain) for case in range(8)]
        images = [generate_image(slide, 200, SMALL, seeds(case)) for case, slide in enumerate(slides)]
        return np.mean(images, axis=(0, 1, 2))

    # The range in green is about 11 grey levels; it would be 36 without the scaling of the amounts of stain.
    assert np.ptp([mean_colour(subtype) for subtype in SUBTYPES], axis=0).max() < 20


def test_slides_of_a_case_share_tissue_and_part_of_the_stain() -> None:
    first, second, other = slide_of("LC", 3, 0), slide_of("LC", 3, 1), slide_of("LC", 4, 0)
    assert first.style == second.style
    assert first.style != other.style
    assert (first.stain.matrix != second.stain.matrix).any()


def test_nuclei_of_tumours_are_larger_on_average_but_overlap() -> None:
    def sizes(group: list[str]) -> np.ndarray:
        styles = [sample_style(np.random.default_rng(seeds(n)), name) for name in group for n in range(100)]
        return np.array([style.nuclear_size for style in styles])

    benign, malignant = sizes([name for name in SUBTYPES if name not in MALIGNANT]), sizes(list(MALIGNANT))
    assert malignant.mean() > benign.mean() + 0.05
    assert malignant.min() < np.median(benign)


def _ringed_lumina(image: np.ndarray) -> int:
    """Count white areas surrounded by dark nuclei: lumina of glands, but not clefts between fibres."""
    green, red = (cv2.GaussianBlur(image[..., channel], (0, 0), 1.0) for channel in (1, 0))
    white = (green > 0.92 * np.percentile(green, 99.5)).astype(np.uint8)
    dark = red < np.percentile(red, 30)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(white)
    found = 0
    for label in range(1, count):
        if 25 < stats[label, 4] < 2000:
            patch = (labels == label).astype(np.uint8)
            ring = cv2.dilate(patch, np.ones((15, 15), np.uint8)) > cv2.dilate(patch, np.ones((5, 5), np.uint8))
            found += dark[ring].mean() > 0.4
    return found


def test_glands_have_lumina_and_files_of_tumour_cells_do_not() -> None:
    counts = {
        subtype: np.median(
            [_ringed_lumina(generate_image(slide_of(subtype, n), 100, (230, 350), seeds(n))) for n in range(7)]
        )
        for subtype in ("TA", "LC")
    }
    assert counts["TA"] > 2 * counts["LC"] + 5, counts


def _detail(image: np.ndarray) -> float:
    """Return the fraction of the variance at scales below three pixels."""
    red = image[..., 0].astype(np.float32)
    return float((red - cv2.GaussianBlur(red, (0, 0), 3)).var() / red.var())


def test_magnification_changes_the_scale() -> None:
    fine = [
        np.median([_detail(generate_image(slide_of("DC", n), power, (230, 350), seeds(n))) for n in range(5)])
        for power in (40, 100, 400)
    ]
    assert fine[0] > fine[1] > fine[2]
