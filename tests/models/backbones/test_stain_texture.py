import subprocess
import sys

import keras
import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.models.backbones.stain_texture import build_stain_texture
from breastcls.models.model_card import get_card
from breastcls.models.model_parts import split_model
from breastcls.models.persistence import load_model, save_model
from breastcls.models.spatial_moments import SpatialMoments

CLASSES = ("benign", "malignant")
FILE = "mobilenet_2_5_224_tf_no_top.h5"


@pytest.fixture(scope="module")
def model():
    return build_stain_texture(classes=CLASSES, image_size=64, weights=None, seed=3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)


def test_moments_are_those_of_numpy():
    values = np.random.default_rng(1).normal(3, 2, (4, 7, 5, 6)).astype(np.float32)
    result = keras.ops.convert_to_numpy(SpatialMoments()(values))
    expected = np.concatenate([values.mean((1, 2)), values.std((1, 2))], axis=1)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_moments_of_a_constant_map_have_a_finite_gradient():
    tf = pytest.importorskip("tensorflow")
    flat = tf.ones((1, 4, 4, 2))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        total = tf.reduce_sum(SpatialMoments()(flat))
    assert np.isfinite(tape.gradient(total, flat).numpy()).all()


def test_probabilities_and_card(model, images):
    result = model.predict(images, verbose=0)
    assert result.shape == (5, 2)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.sum(axis=1), 1, rtol=1e-5)
    card = get_card(model)
    assert (card.classes, card.image_size, card.weights) == (CLASSES, (64, 64), None)
    assert card.provenance["architecture"] == {"name": "stain-texture", "blocks": [2, 3, 4]}


def test_features_are_the_moments_of_mobilenet_over_the_three_images(model, images):
    from breastcls.models.building import build_model
    from breastcls.models.stain_separation import StainSeparation

    features, head = split_model(model)
    assert (features.output_shape, head.output_shape) == ((None, 768), (None, 2))
    source = build_model("mobilenet", classes=CLASSES, image_size=64, weights=None, alpha=0.25, head="linear", seed=3)
    network = next(layer for layer in source.layers if isinstance(layer, keras.Model))
    filters = model.get_layer("stain_texture").get_layer("filters")
    for layer in filters.layers:
        if layer.weights and layer.name != "moments":
            network.get_layer(layer.name).set_weights(layer.get_weights())
    maps = keras.Model(network.inputs[0], [network.get_layer(f"conv_pw_{block}_relu").output for block in (2, 3, 4)])
    pictures = keras.ops.convert_to_numpy(StainSeparation(colours=True)(images))
    expected = []
    for channels in ((0, 1, 2), (3, 3, 3), (4, 4, 4)):
        for found in (keras.ops.convert_to_numpy(part) for part in maps(pictures[..., channels] / 127.5 - 1)):
            expected += [found.mean((1, 2)), found.std((1, 2))]
    np.testing.assert_allclose(
        features.predict(images, verbose=0), np.concatenate(expected, axis=1), rtol=1e-3, atol=2e-4
    )


def test_random_filters_preserve_the_variance(model, images):
    features, _ = split_model(model)
    found = features.predict(images, verbose=0)
    assert 0.05 < np.abs(found).mean() < 5
    # One of them responds differently to different images; Keras' own filters leave a millionth.
    assert found.std(axis=0).max() > 1e-3


def test_later_blocks_are_not_part_of_the_model(model):
    small = build_stain_texture(classes=CLASSES, image_size=64, weights=None, blocks=(1,))
    assert small.get_layer("stain_texture").output_shape == (None, 96)
    assert small.count_params() < model.count_params() < 20_000


def test_mirrored_images_have_similar_features(model, images):
    features, _ = split_model(model)
    first, second = features.predict(images, verbose=0), features.predict(images[:, :, ::-1], verbose=0)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.99


def test_the_same_seed_gives_the_same_filters(model, images):
    again = build_stain_texture(classes=CLASSES, image_size=64, weights=None, seed=3)
    other = build_stain_texture(classes=CLASSES, image_size=64, weights=None, seed=4)
    result = model.predict(images, verbose=0)
    np.testing.assert_array_equal(result, again.predict(images, verbose=0))
    assert np.abs(result - other.predict(images, verbose=0)).max() > 1e-4


@pytest.mark.parametrize("blocks", [(), (0,), (14,), (2, 2), "234", (True,), None, (1.5,)])
def test_wrong_blocks_are_refused(blocks):
    with pytest.raises(ModelError, match="from 1 to 13"):
        build_stain_texture(classes=CLASSES, image_size=64, weights=None, blocks=blocks)


def test_saved_and_loaded_it_is_the_same(model, images, tmp_path):
    path = save_model(model, tmp_path / "texture.keras")
    loaded = load_model(path)
    np.testing.assert_array_equal(model.predict(images, verbose=0), loaded.predict(images, verbose=0))
    assert get_card(loaded) == get_card(model)


@pytest.mark.slow
def test_a_new_process_loads_it(model, images, tmp_path):
    save_model(model, tmp_path / "texture.keras")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys, numpy as np, breastcls as bc;"
        "model = bc.load_model(sys.argv[1] + '/texture.keras');"
        "np.save(sys.argv[1] + '/out.npy', model.predict(np.load(sys.argv[1] + '/images.npy'), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), model.predict(images, verbose=0))


@pytest.mark.real
def test_the_published_filters_are_loaded(real_data):
    model = build_stain_texture(classes=CLASSES, weights=real_data / "weights" / FILE)
    random = build_stain_texture(classes=CLASSES, weights=None)
    card = get_card(model)
    assert card.weights == FILE
    assert len(card.provenance["weights_sha256"]) == 64
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    one, two = (split_model(each)[0].predict(image, verbose=0) for each in (model, random))
    assert np.abs(one - two).max() > 0.1
