import numpy as np
import pytest

from breastcls.explanation.evidence_scale import evidence_opacity, share_on_glass


def test_opacity_is_proportional_to_the_share_up_to_one_half():
    assert [evidence_opacity(share) for share in (0.0, 0.1, 0.5, 1.0)] == [0.0, 0.2, 1.0, 1.0]


def test_the_share_on_glass_ignores_what_is_outside_of_the_input():
    heat = np.array([[np.nan, 3.0], [np.nan, 1.0]], np.float32)
    assert share_on_glass(heat, np.array([[True, False], [False, True]])) == pytest.approx(0.25)
    assert share_on_glass(np.zeros((2, 2), np.float32), np.ones((2, 2), bool)) == 0.0
