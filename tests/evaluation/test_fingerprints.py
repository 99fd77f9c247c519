import dataclasses
import hashlib
import re

import keras
import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.evaluation.fingerprints import fingerprint_predictions, fingerprint_table, fingerprint_weights


def make_table(**changes):
    columns = {
        "path": ["/a/one.png", "/a/two.png"],
        "label": ["benign", "malignant"],
        "case": ["1", "2"],
        "slide": ["1A", None],
        "magnification": [40, 100],
    }
    return Dataset.from_columns(("benign", "malignant"), **(columns | changes))


def test_predictions_change_it(draw):
    some = draw()
    first = fingerprint_predictions(some)
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert first == fingerprint_predictions(draw())
    labels = some.labels.copy()
    labels[0] = 1 - labels[0]
    assert fingerprint_predictions(dataclasses.replace(some, labels=labels)) != first
    assert fingerprint_predictions(some[::-1]) != first


def test_a_table_is_the_same_in_another_folder_and_another_with_another_case():
    first = fingerprint_table(make_table())
    assert fingerprint_table(make_table(path=["/b/c/one.png", "D:\\x\\two.png"])) == first
    assert fingerprint_table(make_table(case=["1", "3"])) != first
    assert fingerprint_table(make_table(label=["malignant", "benign"])) != first
    assert fingerprint_table(make_table()[::-1]) != first


def test_weights_change_it_and_it_can_be_told_by_hand():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    expected = hashlib.sha256(b"float32(2, 1)" + np.ones((2, 1), "<f4").tobytes())
    expected.update(b"float32(1,)" + np.zeros(1, "<f4").tobytes())
    first = fingerprint_weights(model)
    assert first == expected.hexdigest()
    model.layers[0].bias.assign([1.0])
    assert fingerprint_weights(model) != first
