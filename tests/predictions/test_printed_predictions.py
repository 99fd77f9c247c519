import dataclasses

import numpy as np
import pandas as pd

from breastcls.predictions.predictions import Predictions


def test_the_first_rows_with_what_the_model_stores():
    some = Predictions.from_arrays(
        probabilities=np.linspace(0.25, 0.75, 12),
        labels=None,
        classes=("benign", "malignant"),
        paths=[f"/data/{'long-' * 12}{number}.png" for number in range(12)],
        threshold=0.5,
    )
    some = dataclasses.replace(
        some,
        prediction_sets=np.array([[True, False], [True, True], [False, False]] * 4),
        ood=np.arange(12) == 1,
        skipped=pd.DataFrame({"path": ["/data/x.png"], "reason": ["the file is empty."]}),
    )
    lines = str(some).splitlines()
    assert lines[0] == "Predictions: 12 images (predicted: benign 6, malignant 6), threshold 0.5"
    assert lines[2].split("  ")[0] == "file"
    assert lines[2].endswith("predicted  P(malignant)  prediction set     out-of-distribution")
    assert lines[3].startswith("...-long-")
    assert lines[3].endswith("-0.png  benign     0.250         benign             no")
    assert lines[4].endswith("benign, malignant  yes")
    assert lines[5].endswith("none               no")
    assert lines[-2] == "... 2 further rows; `to_frame()` has all."
    assert lines[-1] == "1 image that cannot be read was left out; `skipped` has the reasons."
    assert max(map(len, lines)) < 120
    assert "<table" in some._repr_html_()
    table = some.to_frame()
    assert table["prediction_set"].tolist()[:3] == ["benign", "benign, malignant", "none"]
    assert table["out_of_distribution"].tolist()[:2] == [False, True]
    content = some[:2].to_dict()
    assert content["prediction_sets"] == [[True, False], [True, True]]
    assert content["ood"] == [False, True]


def test_of_several_classes_the_probability_of_the_predicted_one_and_of_cases_their_names():
    some = Predictions.from_arrays(
        probabilities=[[0.2, 0.7, 0.1], [0.2, 0.7, 0.1], [1.0, 0.0, 0.0]],
        labels=["b", "b", "c"],
        cases=["x", "x", "y"],
        classes=("a", "b", "c"),
    )
    lines = str(some.aggregate("case")).splitlines()
    assert lines[0] == "Predictions: 2 cases (a 0, b 1, c 1)"
    assert lines[2:] == [
        "case  true  predicted  P(predicted)",
        "x     b     b          0.700",
        "y     c     a          1.000",
    ]
