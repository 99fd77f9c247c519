import numpy as np
import pytest

from breastcls.datasets.synthetic.nuclei import (
    LYMPHOCYTE,
    TUMOUR,
    Nuclei,
    NucleusType,
    along_contours,
    draw_nuclei,
    make_nuclei,
    scatter,
)

EVEN = NucleusType(20.0, 10.0, 0.0, 0.8, darkness_spread=0.0, irregularity=0.0, vesicular=0.0, angle_spread=0.0)


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_area_and_direction_are_those_of_the_ellipse(scale: float) -> None:
    rng = np.random.default_rng(0)
    side = round(40 * scale)
    drawn = make_nuclei(rng, np.array([[side / 2, side / 2]]), EVEN, scale, np.array([0.0]))
    chromatin, share = draw_nuclei(rng, (side, side), drawn, scale)
    # OpenCV fills the pixels under the outline too, which adds half a pixel on every side.
    assert share.sum() == pytest.approx(np.pi * (drawn.axes[0] + 0.5).prod(), rel=0.06)
    rows, columns = np.nonzero(share > 0.5)
    assert np.ptp(columns) > 1.4 * np.ptp(rows)
    assert chromatin[share == 0].max() < 0.3


def test_nuclei_outside_of_the_image_are_ignored() -> None:
    rng = np.random.default_rng(0)
    outside = make_nuclei(rng, np.array([[-100.0, 5.0], [5.0, 400.0]]), TUMOUR, 1.0)
    assert draw_nuclei(rng, (30, 30), outside, 1.0)[1].max() == 0


def test_scatter_has_the_spacing() -> None:
    position = scatter(np.random.default_rng(0), (300, 400), 20)
    inside = ((position > 0) & (position < [400, 300])).all(axis=1).sum()
    assert inside == pytest.approx(300 * 400 / (20 * 20 * 0.866), rel=0.1)


def test_along_contours_follows_a_circle() -> None:
    y, x = np.indices((200, 200))
    mask = np.hypot(x - 100, y - 100) < 60
    position, angle = along_contours(np.random.default_rng(0), mask, 10)
    # A chain of pixels is longer than the circle, by up to a factor of 4 / pi.
    assert 2 * np.pi * 60 / 10 - 2 <= len(position) <= 8 * 60 / 10 + 2
    assert np.abs(np.hypot(*(position - 100).T) - 60).max() < 6
    radial = np.arctan2(position[:, 1] - 100, position[:, 0] - 100)
    assert np.median(np.abs(np.sin(angle - radial))) > 0.9
    assert len(along_contours(np.random.default_rng(0), np.zeros((9, 9), bool), 3)[0]) == 0


def test_joined_keeps_all() -> None:
    rng = np.random.default_rng(0)
    parts = [make_nuclei(rng, np.zeros((count, 2)), kind, 1.0) for count, kind in ((2, TUMOUR), (3, LYMPHOCYTE))]
    assert [len(value) for value in vars(Nuclei.concatenate(parts)).values()] == [5] * 6
