"""Writes `tests/support/data/model-0.1.keras`, the model file that later versions must be able to load.

Run `python tests/support/saved_model.py` only before the release of the version in the file name. It prints the
probabilities that `test_saved_model.py` expects. Run it with the lowest Keras that the package allows, since an older
Keras cannot load the file of a newer one. After the release the file must not change.
"""

from pathlib import Path

import numpy as np

import breastcls as bc
from breastcls.models.training_cases import record_training

PATH = Path(__file__).parent / "data" / "model-0.1.keras"


def make_image() -> np.ndarray:
    """Return the image of the test, uint8 (32, 32, 3), from integer arithmetic only."""
    rows, columns, channels = np.mgrid[:32, :32, :3]
    return ((rows * 7 + columns * 5 + channels * 40 + rows * columns % 11 * 6) % 256).astype(np.uint8)


def main() -> None:
    """Build, describe and save the model."""
    model = bc.build_model(
        "cnn4", classes=("benign", "malignant"), image_size=32, filters=(4, 4, 4, 8), weights=None, seed=7
    )
    generator = np.random.default_rng(7)
    # Weights from NumPy and not from an initializer, so that every version of Keras writes the same file.
    model.set_weights(
        [
            generator.uniform(0.5, 1.5, weight.shape).astype(np.float32)
            if weight.ndim == 1
            else generator.normal(0.0, 1 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape).astype(np.float32)
            for weight in model.get_weights()
        ]
    )
    cases = ["14-1", "14-2", "14-3", "14-4"]
    train = bc.Dataset.from_columns(
        ("benign", "malignant"),
        path=[f"{case}.png" for case in cases],
        label=["benign", "malignant"] * 2,
        case=cases,
        slide=[f"{case}A" for case in cases],
    )
    bc.models.set_card(
        model, record_training(bc.models.get_card(model), {"epochs": 3}, train[:3], train[3:]).replace(resize="stretch")
    )
    images = generator.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    labels = [0, 1] * 8
    validation_cases = [f"15-{number // 2}" for number in range(16)]
    # Not fitted, so that the slope is small and rounding errors are not amplified.
    calibrator = bc.calibration.Calibrator(
        "platt",
        ("benign", "malignant"),
        {"weights": [[0.0, 0.0], [-1.5, 1.5]], "offsets": [0.0, 0.25]},
        images=16,
        cases=tuple(sorted(set(validation_cases))),
    )
    bc.calibration.store_calibration(model, calibrator)
    validation = bc.predict(model, images, labels=labels, cases=validation_cases)
    bc.decisions.store_threshold(model, bc.decisions.choose_threshold(validation))
    bc.save_model(model, PATH)
    print(bc.predict(model, make_image()[None]).probabilities.tolist(), PATH.stat().st_size)
    print(bc.models.get_card(model).to_json())


if __name__ == "__main__":
    main()
