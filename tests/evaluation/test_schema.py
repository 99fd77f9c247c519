import json

import jsonschema
import pytest

from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.schema import SCHEMA, read_schema


def test_the_schema_is_a_schema_and_carries_its_version():
    jsonschema.Draft202012Validator.check_schema(read_schema())
    assert SCHEMA in json.dumps(read_schema())


def test_it_takes_what_evaluate_writes_and_refuses_what_lacks_a_part(draw):
    content = json.loads(evaluate(draw(0), resamples=20).to_json())
    jsonschema.validate(content, read_schema())
    del content["metrics"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, read_schema())
