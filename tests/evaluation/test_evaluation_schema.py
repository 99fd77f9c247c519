import dataclasses
import json

import jsonschema
import pytest

from breastcls.decisions.thresholds import choose_threshold
from breastcls.errors import LeakageWarning
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation_schema import SCHEMA, read_schema
from breastcls.intervals.bootstrap import Bootstrap


def test_the_schema_is_a_schema_and_carries_its_version():
    jsonschema.Draft202012Validator.check_schema(read_schema())
    assert SCHEMA in json.dumps(read_schema())


def test_it_takes_what_evaluate_writes_and_refuses_what_lacks_a_part(draw):
    content = json.loads(evaluate(draw(0), bootstrap=Bootstrap(20)).to_json())
    jsonschema.validate(content, read_schema())
    some = draw(0)
    threshold = choose_threshold(dataclasses.replace(some, cases=None).aggregate("slide"))
    record = {"method": "platt", "level": "image", "aggregation_method": None, "images": 9, "cases": [some.cases[0]]}
    with pytest.warns(LeakageWarning):
        leaking = evaluate(
            dataclasses.replace(some, calibration=record),
            threshold=threshold,
            allow_leakage=True,
            bootstrap=Bootstrap(20),
        )
    written = json.loads(leaking.to_json())
    jsonschema.validate(written, read_schema())
    assert written["leakage"]["compared_with"] == ["calibration"]
    assert written["threshold"]["level"] == "slide"
    del content["metrics"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, read_schema())
