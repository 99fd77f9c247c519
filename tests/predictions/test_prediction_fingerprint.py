import dataclasses
import re

from breastcls.datasets.dataset import Dataset
from breastcls.predictions.prediction_fingerprint import fingerprint_predictions, fingerprint_table


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
