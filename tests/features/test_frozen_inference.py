"""Running the frozen part: what Keras gives, in the fastest precision that is near enough."""

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import TrainingError
from breastcls.features import frozen_inference as frozen_run
from breastcls.features.frozen_inference import TOLERANCE, compile_frozen, preferred_precision, settle_precision
from breastcls.models.model_parts import split_model
from breastcls.training.fit_options import FrozenHead

MODERN = frozenset(("avx512f", "avx512_bf16"))


def build(backbone, size, **options):
    model = bc.build_model(backbone, classes=("benign", "malignant"), image_size=size, weights=None, seed=3, **options)
    return split_model(model)[0]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("backbone", ["cnn4", "mobilenet", "resnet50"])
def test_it_gives_what_keras_gives(backbone, images):
    frozen = build(backbone, 64)
    # Statistics that are not those of a new layer, so that folding them is put to the test.
    rng = np.random.default_rng(1)
    for layer in frozen._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta, mean + rng.normal(size=mean.shape) / 50, variance * 1.1])
    expected = frozen.predict(images, verbose=0)
    run = compile_frozen(frozen, len(images))
    found = run(images)
    assert found.dtype == np.float32
    error = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() < 1e-4
    np.testing.assert_allclose(run(images[:2]), found[:2], rtol=1e-5, atol=1e-6)


def test_large_weights_are_not_put_into_the_graph(images, monkeypatch):
    frozen = build("cnn4", 64)
    expected = compile_frozen(frozen, 5)(images)
    monkeypatch.setattr(frozen_run, "_MOST_CONSTANT_BYTES", 0)
    np.testing.assert_allclose(compile_frozen(frozen, 5)(images), expected, rtol=1e-4, atol=1e-6)


def test_bfloat16_is_near_and_leaves_the_layers_as_they_were(images):
    frozen = build("vgg16", 64)
    before = [layer.dtype_policy.name for layer in frozen._flatten_layers()]
    exact, fast = (compile_frozen(frozen, 5, precision)(images) for precision in ("float32", "bfloat16"))
    assert [layer.dtype_policy.name for layer in frozen._flatten_layers()] == before
    error = np.linalg.norm(fast - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert 0 < error.max() < TOLERANCE
    assert settle_precision(frozen, images, "bfloat16") == "bfloat16"
    # A model that was already set to compute in bfloat16 is compared with float32 all the same.
    for layer in frozen._flatten_layers():
        layer.dtype_policy = "mixed_bfloat16"
    np.testing.assert_array_equal(compile_frozen(frozen, 5, "float32")(images), exact)


def test_features_that_bfloat16_spoils_are_computed_in_float32(images):
    """The small difference of two large numbers: nothing of it is left in eight bits."""
    inputs = keras.Input((64, 64, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    dense = keras.layers.Conv2D(2, 3)
    x = dense(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    last = keras.layers.Dense(1)
    frozen = keras.Model(inputs, last(x))
    kernel = np.full(dense.kernel.shape, 10.0)
    kernel[..., 1] *= 1.001
    dense.set_weights([kernel, np.zeros(2)])
    last.set_weights([np.array([[1.0], [-1.0]]), np.zeros(1)])
    exact, fast = (compile_frozen(frozen, 5, precision)(images) for precision in ("float32", "bfloat16"))
    assert np.abs(fast / exact - 1).max() > TOLERANCE
    assert settle_precision(frozen, images, "bfloat16") == "float32"
    assert settle_precision(frozen, images, "float32") == "float32"


def test_a_blank_feature_must_stay_blank():
    inputs = keras.Input((8, 8, 3))
    frozen = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 1)(inputs)))
    blank = np.zeros((2, 8, 8, 3), np.uint8)
    assert not compile_frozen(frozen, 2)(blank).any()
    assert settle_precision(frozen, blank, "bfloat16") == "bfloat16"


@pytest.mark.parametrize(
    ("backbone", "size", "expected"),
    [
        ("vgg16", 224, "bfloat16"),
        ("resnet50", 224, "bfloat16"),
        ("mobilenet", 224, "float32"),
        ("efficientnetv2b0", 224, "float32"),
        # Too little to do.
        ("vgg16", 32, "float32"),
        ("cnn4", 32, "float32"),
    ],
)
def test_which_precision_is_tried(backbone, size, expected, monkeypatch):
    frozen = build(backbone, size)
    assert preferred_precision(frozen, MODERN) == expected
    assert preferred_precision(frozen, frozenset(("avx512f",))) == "float32"
    monkeypatch.setattr(frozen_run, "has_gpu", lambda: True)
    assert preferred_precision(frozen, MODERN) == "float32"


def test_products_are_those_of_the_paper():
    """VGG16 takes 15.3 thousand million products at 224 without its dense layers, ResNet50 3.8 (He et al. 2016)."""
    for backbone, products in (("vgg16", 15.3e9), ("resnet50", 3.86e9)):
        layers = build(backbone, 224)._flatten_layers(include_self=False)
        assert sum(map(frozen_run._products, layers)) == pytest.approx(products, rel=0.02)


def test_an_unknown_precision_is_refused():
    with pytest.raises(TrainingError, match="precision is 'int8'; expected one of 'float32', 'bfloat16'"):
        compile_frozen(build("cnn4", 32), 2, "int8")


@pytest.mark.parametrize("augment", ["none", "dihedral"])
def test_the_result_is_that_of_a_plain_loop(parts, small, augment):
    """Against plain Keras: frozen backbone, the same batches of images one by one, no features computed ahead."""
    train = parts[0]
    options = {"epochs": 3, "batch_size": 8, "fine_tune": False, "seed": 5, "class_weight": None}
    run = bc.fit(small(dropout=0.0), train, augment=augment, frozen_head=FrozenHead(feature_versions=None), **options)
    assert run.config["input_modes"] == ["features" if augment == "none" else "images"]
    plain = small(dropout=0.0)
    next(layer for layer in plain.layers if isinstance(layer, keras.Model)).trainable = False
    plain.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", jit_compile=False)
    batches = train.to_tf((32, 32), batch_size=8, shuffle=True, seed=5, augment=augment)
    losses = []
    for _ in range(3):
        total = 0.0
        for images, labels in batches:
            plain.reset_metrics()
            total += float(plain.train_on_batch(images, labels)) * len(labels)
        losses.append(total / len(train))
    np.testing.assert_allclose(run.history["loss"], losses, rtol=2e-4)
