import keras
import pytest

from breastcls.errors import TrainingError
from breastcls.training.keras_objects import object_from_dict, object_to_dict, unregistered_classes, without_names


class Foreign(keras.optimizers.schedules.ExponentialDecay):
    pass


class Unwritable(keras.losses.Loss):
    def get_config(self):
        return {"values": object()}


def test_an_object_with_an_object_inside_comes_back():
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 6), momentum=0.5)
    again = object_from_dict(object_to_dict(optimizer))
    assert again.get_config() == optimizer.get_config()


def test_a_foreign_class_is_found_inside_an_object_too():
    record = object_to_dict(keras.optimizers.SGD(Foreign(0.1, 6, 0.9)))
    assert [name.rsplit(".", 1)[-1] for name in unregistered_classes(record)] == ["Foreign"]
    assert unregistered_classes(object_to_dict(keras.optimizers.SGD(0.1))) == []
    with pytest.raises(TrainingError, match="Foreign, which Keras does not know"):
        object_from_dict(record)


def test_what_cannot_be_written_or_made_is_an_error():
    with pytest.raises(TrainingError, match="cannot be written as JSON"):
        object_to_dict(Unwritable())
    record = object_to_dict(keras.losses.CategoricalCrossentropy())
    record["config"]["no_such_argument"] = 1
    with pytest.raises(TrainingError, match="'CategoricalCrossentropy' cannot be made from the record"):
        object_from_dict(record)


def test_names_are_left_out_and_other_settings_are_not():
    first, second, other = (
        without_names(object_to_dict(keras.optimizers.Adam(rate, name=name)))
        for rate, name in ((0.1, "adam"), (0.1, "adam_1"), (0.2, "adam"))
    )
    assert first == second != other
    assert without_names("adam") == "adam"
