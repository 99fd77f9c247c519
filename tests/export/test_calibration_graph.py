import numpy as np
import pytest

from breastcls.export.calibration_graph import apply_calibration
from breastcls.models.calibration_map import CalibrationMap

NAMES = {2: ("no", "yes"), 3: ("A", "F", "PT")}
STEPS = {"x": [0.1, 0.3, 0.3, 0.5, 0.75], "y": [0.0, 0.2, 0.6, 0.6, 1.0]}
RISE = {"x": [0.25], "y": [0.3]}
ZERO = {"x": [0.0, 1.0], "y": [0.0, 0.0]}
MAPS = {
    "temperature": (2, {"temperature": 1.7}),
    "platt": (2, {"weights": [[0.0, 0.0], [-3.5, 3.5]], "offsets": [0.0, 0.25]}),
    "isotonic": (2, {"curves": [STEPS]}),
    "isotonic of three classes": (3, {"curves": [STEPS, RISE, STEPS]}),
    "isotonic without any class": (3, {"curves": [ZERO, ZERO, ZERO]}),
    "vector": (3, {"weights": [[2.0, 0, 0], [0, 0.5, 0], [0, 0, 1.0]], "offsets": [0.1, -0.2, 0.0]}),
    "dirichlet": (3, {"weights": [[2.0, -1, 0], [0.3, 0.5, 0], [0, 0.7, 1.0]], "offsets": [0.1, -0.2, 0.0]}),
}


@pytest.mark.parametrize("kind", MAPS)
def test_the_graph_computes_what_the_map_computes(kind):
    classes, parameters = MAPS[kind]
    calibration = CalibrationMap(kind.split()[0], NAMES[classes], parameters)
    probabilities = np.random.default_rng(0).dirichlet([0.3] * classes, 500).astype(np.float32)
    probabilities[:2] = np.eye(classes, dtype=np.float32)[:2]
    found = np.asarray(apply_calibration(probabilities, calibration))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, calibration(probabilities), atol=3e-6)


def test_the_levels_of_an_isotonic_calibration_are_exact():
    """A threshold may equal a level, which is the probability of many images."""
    calibration = CalibrationMap("isotonic", NAMES[2], {"curves": [STEPS]})
    positive = np.array([0.0, 0.05, 0.3, 0.31, 0.42, 0.5, 0.75, 0.9, 1.0], np.float32)
    probabilities = np.stack([1 - positive, positive], axis=1)
    expected = calibration(probabilities)
    assert np.isin(expected[:, 1], np.float32(STEPS["y"])).all()
    np.testing.assert_array_equal(np.asarray(apply_calibration(probabilities, calibration))[:, 1], expected[:, 1])
