import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.methods.occlusion import occlusion
from breastcls.explanation.scored_model import ScoredModel

TARGETS = np.array([0, 2], np.int64)


@pytest.mark.parametrize(("window", "stride", "starts"), [(4, 4, [0, 4, 8, 12]), (5, 3, [0, 3, 6, 9, 11])])
def test_it_equals_covering_one_square_after_another(small_model, noise_images, window, stride, starts):
    model, images = small_model("pool", activation=None), noise_images[:2].astype(np.float32)
    expected, counts = np.zeros((2, 16, 16)), np.zeros((16, 16))
    squares = [np.s_[top : top + window, left : left + window] for top in starts for left in starts]
    for number, (image, target) in enumerate(zip(images, TARGETS, strict=True)):
        frames = [image]
        for square in squares:
            covered = image.copy()
            covered[square] = image.mean(axis=(0, 1))
            frames.append(covered)
        scores = model.predict(np.stack(frames), verbose=0)[:, target]
        for square, score in zip(squares, scores[1:], strict=True):
            expected[number][square] += scores[0] - score
            counts[square] += 1 / 2
    values = occlusion(ScoredModel(model, images), images, TARGETS, window=window, stride=stride).values
    np.testing.assert_allclose(values, expected / counts, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (17, 1), (4, 5), (4, 0)])
def test_squares_that_do_not_fit_or_leave_gaps_are_refused(small_model, noise_images, window, stride):
    images = noise_images[:2].astype(np.float32)
    with pytest.raises(ExplanationError, match="window is"):
        occlusion(ScoredModel(small_model(), images), images, TARGETS, window=window, stride=stride)
