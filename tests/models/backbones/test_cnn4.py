import keras
import pytest

from breastcls.errors import ModelError
from breastcls.models.building import build_model
from breastcls.models.model_parts import find_backbone


def test_four_blocks_of_convolution_and_pooling():
    backbone = find_backbone(build_model("cnn4", classes=("a", "b"), image_size=(32, 48), filters=(4, 8, 8, 16)))
    assert backbone.output_shape == (None, 2, 3, 16)
    kinds = [type(layer) for layer in backbone.layers]
    assert kinds.count(keras.layers.Conv2D) == kinds.count(keras.layers.MaxPooling2D) == 4


def test_another_number_of_filters_is_refused():
    with pytest.raises(ModelError, match="expected four numbers"):
        build_model("cnn4", classes=("a", "b"), image_size=32, filters=(4, 8))
