import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError
from breastcls.evaluation.yardsticks.baselines import measure_images
from breastcls.evaluation.yardsticks.colour_baseline import colour_numbers, predict_by_colour


@pytest.fixture
def tinted(tmp_path):
    """Two classes that differ in colour only, one case an image pair."""
    generator = np.random.default_rng(0)
    paths, labels, cases = [], [], []
    for number in range(24):
        label = number % 2
        image = generator.integers(0, 60, (16, 20, 3)) + np.array([120 + 40 * label, 90, 140])
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), image.astype(np.uint8)[:, :, ::-1])
        paths.append(str(path))
        labels.append(("benign", "malignant")[label])
        cases.append(f"case {number // 4}{label}")
    return Dataset.from_columns(("benign", "malignant"), path=paths, label=labels, case=cases)


def test_numbers_are_red_first(tinted):
    numbers = measure_images(colour_numbers, tinted)
    image = cv2.imread(tinted.paths[3])[:, :, ::-1].astype(float)
    np.testing.assert_allclose(numbers[3], [*image.mean(axis=(0, 1)), *image.std(axis=(0, 1))])
    assert colour_numbers(np.zeros((2, 2, 3), np.uint8)).tolist() == [0.0] * 6


def test_it_learns_colour(tinted):
    found = predict_by_colour(tinted[:16], tinted[16:])
    assert roc_auc_score(found.labels, found.positive) == 1.0
    assert found.cases.tolist() == tinted[16:].cases.tolist()


def test_one_class_teaches_nothing(tinted):
    benign = tinted[tinted.labels == 0]
    with pytest.raises(EvaluationError, match="one class only"):
        predict_by_colour(benign, tinted)
    with pytest.raises(EvaluationError, match="must be the same"):
        predict_by_colour(tinted.with_classes(("m", "b"), {"malignant": "m", "benign": "b"}), tinted)
