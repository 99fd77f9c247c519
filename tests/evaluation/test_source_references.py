import copy
import dataclasses
import gc
import json
import pickle
import weakref

import pytest

from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.source_references import SourceReferences
from breastcls.intervals.bootstrap import Bootstrap


class Anything:
    """Stands for a model or a dataset."""


@pytest.fixture
def found(draw):
    return evaluate(draw(), bootstrap=Bootstrap(10))


def test_references_are_weak():
    model, test = Anything(), Anything()
    source = SourceReferences(model, test)
    assert source.model is model
    assert source.test is test
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert source.model is None
    assert source.test is test


def test_an_evaluation_survives_pickle_copy_and_replace(found):
    model = Anything()
    held = dataclasses.replace(found, source=SourceReferences(model))
    assert dataclasses.replace(held, model={}).source.model is model
    assert held.with_sections(risk_coverage=None).source.model is model
    assert copy.copy(held).source.model is model
    assert copy.deepcopy(held).source.model is model
    again = pickle.loads(pickle.dumps(held))
    assert again.source.model is None
    assert json.loads(again.to_json()) == json.loads(held.to_json()) == json.loads(found.to_json())
    assert again.metrics.equals(found.metrics)


def test_given_predictions_have_no_model(found):
    assert found.source.model is None
    assert found.source.test is None
