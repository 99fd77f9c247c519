import keras
import numpy as np
import pytest

from breastcls.explanation.explain import explain
from breastcls.explanation.scored_model import ScoredModel
from support.model_kinds import MODEL_KINDS

IMAGES = np.random.default_rng(4).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
layers = keras.layers


@pytest.mark.parametrize(
    ("kind", "layer", "prefix"),
    [
        # The head reads the class token, on which the patches act through the attention of the second block.
        ("transformer", "block_1", 1),
        ("averaging transformer", "norm", 0),
        ("own transformer", "vision_transformer/block0_output", 2),
    ],
)
def test_the_tokens_are_those_on_which_the_score_depends(kind, layer, prefix):
    scored = ScoredModel(MODEL_KINDS[kind](), IMAGES)
    found = scored.feature_map()
    assert (found.path, found.prefix, found.shape) == (layer, prefix, (4, 4, 8))
    values = scored.features(IMAGES.astype(np.float32), found)
    assert values.shape == (2, 4, 4, 8)


def build_single_token(token, prefix=1, rows=2, columns=4):
    """A transformer whose score is the brightness of one patch."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 32, 3))
    patches = layers.Conv2D(1, 8, strides=8, kernel_initializer="ones", name="patches")(layers.Rescaling(1e-3)(inputs))
    value = layers.ZeroPadding1D((prefix, 0))(layers.Reshape((rows * columns, 1))(patches))
    attended = layers.MultiHeadAttention(1, 1, kernel_initializer="zeros")(value, value)
    value = layers.Add(name="tokens")([value, attended])
    kernel = keras.initializers.Constant([[-1.0, 1.0]])
    return keras.Model(inputs, layers.Dense(2, "softmax", kernel_initializer=kernel)(value[:, prefix + token]))


@pytest.mark.parametrize(("token", "prefix"), [(0, 1), (6, 1), (3, 5)])
def test_a_model_that_reads_one_token_has_its_evidence_at_that_patch(token, prefix):
    images = np.full((1, 16, 32, 3), 90, np.uint8)
    made = explain(build_single_token(token, prefix), images, "hires-cam", target_class=1)
    assert made.layer == "tokens"
    row, column = divmod(token, 4)
    inside = np.zeros((16, 32), bool)
    inside[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = True
    assert inside.ravel()[made.heatmaps[0].argmax()]
    assert made.heatmaps[0][inside].mean() > 5 * made.heatmaps[0][~inside].mean()


def test_a_sequence_in_a_model_without_attention_is_no_token_map():
    inputs = keras.Input((32, 32, 3))
    value = layers.Conv2D(4, 3, name="conv")(inputs)
    value = layers.GRU(3)(layers.Reshape((-1, 4))(layers.MaxPooling2D(5)(value)))
    model = keras.Model(inputs, layers.Dense(2, "softmax")(value))
    assert ScoredModel(model, IMAGES).feature_map().path == "conv"
