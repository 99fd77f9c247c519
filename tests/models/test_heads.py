import keras
import pytest
from keras import layers

from breastcls.errors import ModelError
from breastcls.models.heads import apply_head, default_dropout


def head(name, shape=(4, 4, 8)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, apply_head(inputs, name, classes=3, dropout=0.4))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("linear", [layers.GlobalAveragePooling2D, layers.Dropout]),
        ("mlp", [layers.GlobalAveragePooling2D, layers.Dense, layers.Dropout]),
        ("flatten-mlp", [layers.Flatten, layers.Dense, layers.ReLU, layers.BatchNormalization, layers.Dropout]),
    ],
)
def test_layers_of_each_head(name, kinds):
    model = head(name)
    assert [type(layer) for layer in model.layers[1:]] == [*kinds, layers.Dense, layers.Softmax]
    assert model.get_layer("dropout").rate == 0.4
    assert model.get_layer("logits").units == 3
    assert 0 < default_dropout(name) < 1


@pytest.mark.parametrize("name", ["linear", "mlp", "flatten-mlp"])
def test_heads_accept_a_vector_too(name):
    assert head(name, (8,)).output_shape == (None, 3)


def test_an_unknown_head_is_refused():
    with pytest.raises(ModelError, match="flatten-mlp"):
        head("attention")
