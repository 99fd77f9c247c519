"""A card comes from a file: whatever is in it, reading and using it raises errors of the library only."""

import contextlib

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import BreastclsError
from breastcls.models import probability_rule
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.model_card import ModelCard
from breastcls.predictions.independence import audit_test
from support.json_damage import damage

OUTPUTS = np.array([[0.3, 0.7], [0.9, 0.1]], np.float32)


@pytest.fixture(scope="module")
def some():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    positive = np.clip(0.3 * labels + 0.6 * rng.random(60), 0.02, 0.98)
    return bc.Predictions.from_arrays(
        probabilities=positive, labels=labels, cases=[f"c{n // 3}" for n in range(60)], classes=("b", "m")
    )


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_every_damage_of_a_card_is_an_error_of_the_library_or_none(some, method):
    card = ModelCard(classes=("b", "m"), image_size=(32, 32), backbone="cnn4", seed=1)
    fitted = bc.calibration.fit_calibrator(some, method)
    training = {"cases": ["c1"], "slides": ["c1"], "trained_on": {"cases": ["c1"], "slides": []}}
    whole = card.replace(
        threshold=None if method == "temperature" else 0.4,
        temperature=2.0 if method == "temperature" else None,
        provenance={"calibration": fitted.to_dict(), "training": training},
    )
    test = bc.Dataset.from_columns(("b", "m"), path=["a.png"], label=["b"], case=["c1"])
    refused = 0
    for what, text in damage(whole.to_dict()):
        try:
            with contextlib.suppress(BreastclsError):
                refused += 1
                read = ModelCard.from_json(text)
                find_normalizer(read)
                audit_test(test, read.provenance)
                probability_rule.classify_outputs([OUTPUTS], read)
                refused -= 1
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    assert refused > 200


def test_the_message_names_the_part_of_the_calibration():
    card = ModelCard(classes=("b", "m"), image_size=(32, 32))
    stored = {"method": "platt", "classes": ["b", "m"], "images": 3, "cases": [], "parameters": {"weights": [[1.0]]}}
    with pytest.raises(BreastclsError, match=r"weights of the stored calibration is \[\[1\.0\]\]; expected numbers"):
        probability_rule.classify_outputs([OUTPUTS], card.replace(provenance={"calibration": stored}))
