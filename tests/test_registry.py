import pytest

from breastcls.errors import RegistryError
from breastcls.registry import Registry


def test_a_registry_keeps_names_in_order():
    shapes = Registry("shape")
    assert shapes.register("square", 4) == 4
    shapes.register("circle", 0)
    assert list(shapes) == ["square", "circle"]
    assert (shapes["circle"], len(shapes), "circle" in shapes) == (0, 2, True)


def test_a_duplicate_raises():
    shapes = Registry("shape")
    shapes.register("square", 4)
    with pytest.raises(RegistryError, match="shape named 'square' is registered already"):
        shapes.register("square", 4)


def test_an_unknown_name_suggests_the_most_similar():
    shapes = Registry("shape")
    shapes.register("square", 4)
    with pytest.raises(RegistryError, match="Did you mean 'square'"):
        shapes["sqare"]
    with pytest.raises(RegistryError, match="No shape is named"):
        shapes[["a", "list"]]
    assert shapes.get("circle") is None
