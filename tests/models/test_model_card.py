import json
import re

import keras
import numpy as np
import pytest

from breastcls._version import __version__
from breastcls.errors import ModelError
from breastcls.models.card_schema import CARD_SCHEMA
from breastcls.models.model_card import ModelCard, get_card, set_card

CARD = ModelCard(
    classes=("benign", "malignant"),
    image_size=(32, 48),
    backbone="cnn4",
    backbone_options={"filters": (4, 4, 4, 4)},
    stain={"name": "reinhard", "means": [70.25, 20.0, -10.1], "spreads": [15.0, 8.0, 6.0]},
    threshold=0.4,
    temperature=1.5,
    training_history={
        "date": "2026-11-28",
        "epochs": [1, 2],
        "metrics": {"loss": [0.7, 0.5], "val_loss": [None, 0.6]},
        "phases": [{"name": "head", "first_epoch": 1}],
        "monitor": "val_loss",
        "best_epoch": 2,
        "exact_head": None,
    },
    provenance={"data": {"cases": 70}},
)


def test_json_is_read_as_it_was_written():
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert json.loads(CARD.to_json())["schema"] == CARD_SCHEMA


def test_fields_with_a_default_may_be_absent():
    values = json.loads(CARD.to_json())
    del values["stain"]
    assert ModelCard.from_json(json.dumps(values)) == CARD.replace(stain=None)
    with pytest.raises(ModelError, match=r"stain in the model card is .macenko.; expected dict or null"):
        ModelCard.from_json(json.dumps({**values, "stain": "macenko"}))


def test_a_card_does_not_change_with_the_callers_objects():
    source = {"cases": [1]}
    card = CARD.replace(provenance=source)
    source["cases"].append(2)
    card.to_dict()["provenance"]["cases"].append(3)
    assert card.provenance == {"cases": [1]}
    stain = {"name": "reinhard", "means": [1.0]}
    card = CARD.replace(stain=stain)
    stain["means"].append(2.0)
    card.to_dict()["stain"]["means"].append(3.0)
    assert card.stain == {"name": "reinhard", "means": [1.0]}


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("a",)},
        {"classes": ("a", "b", "c")},
        {"threshold": 0},
        {"threshold": 1.2},
        {"temperature": 0},
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"image_size": (0, 3)},
        {"provenance": {"array": np.zeros(2)}},
        {"provenance": {"value": float("nan")}},
        {"provenance": [1]},
        {"training_history": {}},
        {"training_history": {**CARD.training_history, "epochs": [1, 2, 3]}},
        {"training_history": {**CARD.training_history, "phases": []}},
        {"training_history": {**CARD.training_history, "phases": [{"name": "head"}]}},
        {"training_history": {**CARD.training_history, "epochs": ["a", "b"]}},
        {"stain": {}},
        {"stain": {"name": 3}},
        {"stain": "macenko"},
        {"stain": {"name": "macenko", "stains": np.zeros((2, 3))}},
        {"colour": "blue"},
    ],
)
def test_wrong_values_are_refused(changes):
    with pytest.raises(ModelError):
        CARD.replace(**changes)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "{}",
        '{"schema": 1}',
        '{"schema": "1", "classes": ["a", "b"], "image_size": 3}',
        '{"schema": 1, "classes": ["a", "b"], "image_size": 3, "extra": 1}',
        '{"schema": 1, "classes": ["a", "b"], "image_size": 3, "threshold": "0.5"}',
        '{"schema": 1, "classes": {"a": 1}, "image_size": 3}',
    ],
)
def test_text_that_is_not_a_card_is_refused(text):
    with pytest.raises(ModelError):
        ModelCard.from_json(text)


def test_a_newer_schema_names_both_versions_and_the_remedy():
    values = {**CARD.to_dict(), "schema": CARD_SCHEMA + 1, "version": "9.9", "new_field": 1}
    expected = (
        rf"schema version {CARD_SCHEMA + 1} and was written by breastcls 9\.9; breastcls {re.escape(__version__)} "
    )
    with pytest.raises(ModelError, match=expected + rf"reads versions up to {CARD_SCHEMA}\. Upgrade breastcls"):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize("schema", [None, "1", 0, -1, 1.0, True])
def test_a_missing_or_wrong_schema_is_named(schema):
    values = {**CARD.to_dict(), "schema": schema}
    with pytest.raises(ModelError, match=r"expected a whole number of at least 1 in the field `schema`"):
        ModelCard.from_json(json.dumps(values))


def test_the_card_of_a_model():
    inputs = keras.Input((32, 48, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    assert get_card(model) is None
    set_card(model, CARD)
    assert get_card(model) == CARD
    with pytest.raises(ModelError, match="3 classes"):
        set_card(model, CARD.replace(classes=("a", "b", "c"), threshold=None))
    with pytest.raises(ModelError, match="image_size"):
        set_card(model, CARD.replace(image_size=32))
    assert get_card(model) == CARD
