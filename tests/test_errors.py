import inspect

import pytest

from breastcls import errors


@pytest.mark.parametrize("name", [n for n, c in vars(errors).items() if inspect.isclass(c)])
def test_each_class_has_a_base_class_of_the_package_and_a_description(name):
    kind = getattr(errors, name)
    assert issubclass(kind, (errors.BreastclsError, errors.BreastclsWarning))
    assert kind.__doc__
    assert "one sentence" in str(kind("one sentence"))
