import keras
import numpy as np
import pytest

from breastcls.explanation.explain import explain
from breastcls.explanation.scored_model import ScoredModel
from support.model_kinds import MODEL_KINDS
from support.transformer_fixtures import build_opaque_transformer

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


def build_single_token(token, prefix=1, behind=0, rows=2, columns=4):
    """A transformer whose score is the brightness of one patch."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 32, 3))
    patches = layers.Conv2D(1, 8, strides=8, kernel_initializer="ones", name="patches")(layers.Rescaling(1e-3)(inputs))
    value = layers.ZeroPadding1D((prefix, behind))(layers.Reshape((rows * columns, 1))(patches))
    attended = layers.MultiHeadAttention(1, 1, kernel_initializer="zeros")(value, value)
    value = layers.Add(name="tokens")([value, attended])
    kernel = keras.initializers.Constant([[-1.0, 1.0]])
    return keras.Model(inputs, layers.Dense(2, "softmax", kernel_initializer=kernel)(value[:, prefix + token]))


@pytest.mark.parametrize(("token", "prefix", "behind"), [(0, 1, 0), (6, 1, 0), (3, 5, 0), (3, 0, 1), (7, 1, 4)])
def test_a_model_that_reads_one_token_has_its_evidence_at_that_patch(token, prefix, behind):
    images = np.full((1, 16, 32, 3), 90, np.uint8)
    made = explain(build_single_token(token, prefix, behind), images, "hires-cam", target_class=1)
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


def count_records(model):
    return sum(len(layer._inbound_nodes) for layer in model._flatten_layers())


def test_a_layer_with_blocks_inside_is_opened_and_stays_as_it_is():
    model = build_opaque_transformer()
    before = count_records(model)
    images = IMAGES[:, :16, :16]
    scored = ScoredModel(model, images)
    found = scored.feature_map()
    # The block before the last one is inside of the layer.
    assert found.path.startswith("encoder/")
    assert (found.prefix, found.shape) == (1, (4, 4, 8))
    np.testing.assert_allclose(
        scored.probabilities(images.astype(np.float32)), model(images.astype(np.float32)), atol=1e-6
    )
    assert count_records(model) == before


class CountedImages(layers.Layer):
    """A layer that computes with the number of images as a Python number, so that its calls cannot be recorded."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Conv2D(2, 3, activation="relu")

    def build(self, shape):
        self.inner.build(shape)

    def call(self, values):
        return self.inner(values) * keras.ops.convert_to_tensor([1.0] * int(values.shape[0]))[:, None, None, None]

    def compute_output_shape(self, shape):
        return self.inner.compute_output_shape(shape)


def test_a_layer_that_cannot_be_opened_is_one_step():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3))
    value = CountedImages()(inputs)
    model = keras.Model(inputs, layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(value)))
    made = explain(model, IMAGES, "hires-cam", target_class=1, batch_size=1)
    assert made.layer == model.layers[1].name
    whole = explain(model, IMAGES, "hires-cam", target_class=1)
    np.testing.assert_allclose(whole.heatmaps, made.heatmaps, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("registers", [None, 4])
def test_transformers_of_keras_hub_are_opened(registers):
    hub = pytest.importorskip("keras_hub")
    keras.utils.set_random_seed(0)
    sizes = {"patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "image_shape": (32, 32, 3)}
    inputs = keras.Input((32, 32, 3))
    if registers is None:
        tokens = hub.models.ViTBackbone(mlp_dim=16, name="vit", **sizes)(inputs)
    else:
        network = hub.models.DINOV2Backbone(
            intermediate_dim=16, num_register_tokens=registers, position_embedding_shape=(32, 32, 3), name="d", **sizes
        )
        tokens = network({"images": inputs})
    model = keras.Model(inputs, layers.Dense(3, "softmax")(tokens[:, 0]))
    found = ScoredModel(model, IMAGES).feature_map()
    assert found.path == ("vit/vit_encoder/transformer_block_1" if registers is None else "d/d_encoder/layers_0")
    assert (found.prefix, found.shape) == (1 + (registers or 0), (4, 4, 8))
