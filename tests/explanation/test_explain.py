import keras
import numpy as np
import pytest

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.building import build_model
from breastcls.models.model_card import ModelCard, set_card
from breastcls.models.persistence import load_model, save_model

CLASSES = ("benign", "malignant")
CAMS = [name for name, method in METHODS.items() if method.needs_feature_map]


@pytest.fixture(scope="module")
def built():
    return build_model("cnn4", classes=CLASSES, image_size=32, weights=None, seed=7)


@pytest.fixture(scope="module")
def images():
    return [np.random.default_rng(n).integers(0, 256, (40 + 8 * n, 50, 3), dtype=np.uint8) for n in range(3)]


@pytest.mark.parametrize("backbone", ["cnn4", "cancernet", "squeezenet"])
@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")  # the weights are random
def test_a_built_model_is_explained_at_the_layer_of_the_registry(backbone, images):
    model = build_model(backbone, classes=CLASSES, image_size=48, weights=None, seed=7)
    explanation = explain(model, images, "hires-cam")
    assert explanation.layer.split("/")[-1] == BACKBONES[backbone].last_convolution
    assert explanation.classes == CLASSES
    assert explanation.score == "logit"
    assert explanation.heatmaps.shape == (3, 48, 48)


def test_models_loaded_by_breastcls_and_by_keras_have_the_same_heatmaps(built, images, tmp_path):
    path = tmp_path / "model.keras"
    save_model(built, path)
    expected = explain(built, images, "smooth-grad")
    ours = explain(load_model(path), images, "smooth-grad")
    np.testing.assert_array_equal(ours.heatmaps, expected.heatmaps)
    assert ours.classes == CLASSES
    plain = explain(keras.models.load_model(path), images, "smooth-grad")
    np.testing.assert_array_equal(plain.heatmaps, expected.heatmaps)
    assert plain.classes == ("0", "1")


def test_probabilities_and_predictions_are_those_of_the_model(blue_squares):
    explanation = explain(blue_squares.model, blue_squares.images, classes=("none", "square"))
    expected = blue_squares.model.predict(blue_squares.images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(explanation.probabilities, expected, rtol=1e-5)
    np.testing.assert_array_equal(explanation.targets, expected.argmax(axis=1))
    np.testing.assert_array_equal(explanation.predicted, explanation.targets)


def test_threshold_and_temperature_of_the_card_are_applied_as_in_predict(blue_squares):
    model = keras.models.clone_model(blue_squares.model)
    model.set_weights(blue_squares.model.get_weights())
    scores = np.log(model.predict(blue_squares.images.astype(np.float32), verbose=0).astype(np.float64))
    cooled = np.exp(scores / 4) / np.exp(scores / 4).sum(axis=1, keepdims=True)
    threshold = float(np.sort(cooled[:, 1])[2] - 1e-4)
    set_card(model, ModelCard(classes=CLASSES, image_size=(32, 32), threshold=threshold, temperature=4.0))
    explanation = explain(model, blue_squares.images, "occlusion", target_class="malignant")
    np.testing.assert_allclose(explanation.probabilities, cooled, rtol=1e-4)
    np.testing.assert_array_equal(explanation.predicted, cooled[:, 1] >= threshold)


def test_the_threshold_of_two_classes_is_one_half_by_default():
    pixels = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3, name="conv")(pixels))
    even = keras.Model(pixels, keras.layers.Dense(2, "softmax", kernel_initializer="zeros")(pooled))
    with pytest.warns(ExplanationWarning, match="empty"):
        made = explain(even, np.full((1, 8, 8, 3), 100, np.uint8), "occlusion", target_class=0)
    assert made.probabilities.tolist() == [[0.5, 0.5]]
    assert made.predicted.tolist() == [1]


def test_the_target_can_be_named_or_numbered(blue_squares):
    names = ("none", "square")
    by_name = explain(blue_squares.model, blue_squares.images, target_class="square", classes=names)
    by_number = explain(blue_squares.model, blue_squares.images, target_class=1, classes=names)
    np.testing.assert_array_equal(by_name.heatmaps, by_number.heatmaps)
    np.testing.assert_array_equal(by_name.targets, [1, 1, 1, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_class": "sqare"}, "target_class='sqare': expected one of the classes none, square"),
        ({"target_class": 2}, "expected 0 to 1"),
        ({"target_class": -1}, "expected 0 to 1"),
        ({"classes": ("a", "b", "c")}, "has 3 names; the model has 2"),
        ({"image_size": (16, 16)}, r"takes only images of \(32, 32\)"),
        ({"resize": "squeeze"}, "'stretch', 'crop', 'pad'"),
        ({"steps": 4}, "'grad-cam' has no option 'steps'. Its options: layer"),
        ({"layer": "dense"}, "expected a feature map|No layer"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"classes": ("square", "square")}, "a name more than once: square, square"),
    ],
)
def test_wrong_arguments_are_named(blue_squares, options, message):
    with pytest.raises(ExplanationError, match=message):
        explain(blue_squares.model, blue_squares.images, **{"classes": ("none", "square")} | options)


@pytest.mark.parametrize("method", CAMS)
def test_a_dense_model_is_refused_by_class_activation_maps(noise_images, method):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ExplanationError, match="no feature map"):
        explain(model, noise_images, method)


@pytest.mark.parametrize("method", ["occlusion", "integrated-gradients", "smooth-grad"])
def test_a_dense_model_is_explained_by_the_others(noise_images, method):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    assert explain(model, noise_images, method).heatmaps.max() == pytest.approx(1)


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam"])
def test_evidence_only_against_the_class_is_flagged_counted_and_blank(blue_squares, method):
    """At the last convolution this model has no evidence for "none" except a map of zeros."""
    with pytest.warns(ExplanationWarning, match=r"4 of 4 heat-maps by '.*' are flagged 'negative'"):
        explanation = explain(blue_squares.model, blue_squares.images, method, target_class=0)
    assert explanation.flags == ("negative",) * 4
    assert explanation.heatmaps.max() == 0
    assert np.all(explanation.positive_share == 0)


def test_no_evidence_at_all_is_flagged(blue_squares):
    model = keras.models.clone_model(blue_squares.model)
    model.set_weights(blue_squares.model.get_weights())
    model.layers[-1].set_weights([np.zeros((2, 2), np.float32), np.zeros(2, np.float32)])
    with pytest.warns(ExplanationWarning, match="flagged 'empty'"):
        assert explain(model, blue_squares.images, "grad-cam").flags == ("empty",) * 4


def test_integrated_gradients_with_few_steps_are_flagged(small_model, noise_images):
    model = small_model("flatten")
    with pytest.warns(ExplanationWarning, match="'incomplete'.*increase `steps`"):
        explanation = explain(model, noise_images, "integrated-gradients", steps=1, baseline="black")
    assert "incomplete" in explanation.flags


def test_a_model_of_any_size_needs_a_size(images):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    with pytest.raises(ExplanationError, match="pass image_size"):
        explain(model, images)
    explanation = explain(model, images, "smooth-grad", image_size=(24, 20))
    assert explanation.heatmaps.shape == (3, 24, 20)
    set_card(model, ModelCard(classes=CLASSES, image_size=(20, 28), resize="pad"))
    carded = explain(model, images, "smooth-grad")
    assert carded.heatmaps.shape == (3, 20, 28)
    assert carded.resize == "pad"
    assert carded.classes == CLASSES


class Own(keras.Model):
    """A subclassed model with a weight of its own, which Keras converts in mixed precision."""

    def __init__(self):
        super().__init__()
        self.convolution = keras.layers.Conv2D(3, 3, activation="relu", name="own_convolution")
        self.dense = keras.layers.Dense(2, activation="softmax")
        self.factor = self.add_weight(shape=(3,), initializer="random_normal", name="factor")

    def call(self, images):
        return self.dense(keras.ops.mean(self.convolution(images / 255.0) * self.factor, axis=(1, 2)))


@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")  # the weights are random
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_subclassed_model_has_the_heatmaps_of_its_layers(policy, noise_images):
    keras.utils.set_random_seed(4)
    keras.config.set_dtype_policy(policy)
    try:
        model = Own()
        model(noise_images.astype(np.float32))
        inputs = keras.Input((16, 16, 3), dtype=model.compute_dtype)
        value = keras.layers.Lambda(lambda image: image / 255.0)(inputs)
        value = model.convolution(value) * keras.ops.cast(model.factor, model.compute_dtype)
        twin = keras.Model(inputs, model.dense(keras.ops.mean(value, axis=(1, 2))))
    finally:
        keras.config.set_dtype_policy("float32")
    for method in ("grad-cam", "guided-backpropagation"):
        explanation = explain(model, noise_images, method, target_class=1, image_size=16)
        assert explanation.score == "logit"
        expected = explain(twin, noise_images, method, target_class=1)
        assert expected.heatmaps.max() == pytest.approx(1.0)
        np.testing.assert_allclose(explanation.heatmaps, expected.heatmaps, atol=1e-5)
        np.testing.assert_allclose(explanation.probabilities, model(noise_images.astype(np.float32)), atol=1e-3)


def test_a_subclassed_model_whose_calls_cannot_be_recorded_is_one_step(noise_images):
    class Opaque(Own):
        def call(self, images):
            assert not isinstance(images, keras.KerasTensor), "it needs values"
            return super().call(images)

    model = Opaque()
    model(noise_images.astype(np.float32))
    assert explain(model, noise_images, "smooth-grad", image_size=16).score == "log-probability"
    with pytest.raises(ExplanationError, match="no feature map"):
        explain(model, noise_images, "grad-cam", image_size=(16, 16))


def test_an_integer_input_that_is_converted_first_has_gradients(noise_images):
    convolution, dense = keras.layers.Conv2D(3, 3, activation="relu"), keras.layers.Dense(2, activation="softmax")

    def build(dtype):
        inputs = keras.Input((16, 16, 3), dtype=dtype)
        value = convolution(keras.layers.Rescaling(1 / 255)(inputs))
        return keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(value)))

    made, expected = (explain(build(dtype), noise_images, "integrated-gradients") for dtype in ("uint8", "float32"))
    np.testing.assert_array_equal(made.heatmaps, expected.heatmaps)


def test_an_input_with_the_channels_first_is_refused(noise_images):
    inputs = keras.Input((3, 16, 16))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs)))
    with pytest.raises(ExplanationError, match=r"\(None, 3, 16, 16\), with the channels first.*Permute"):
        explain(model, noise_images, "integrated-gradients")
    behind = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Permute((3, 1, 2)), model])
    assert explain(behind, noise_images, "integrated-gradients").heatmaps.shape == (5, 16, 16)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::breastcls.errors.ExplanationWarning")  # the head is random
def test_every_method_works_on_real_images_and_a_pretrained_mobilenet(real_data):
    weights = real_data / "weights" / "mobilenet_2_5_224_tf_no_top.h5"
    model = build_model("mobilenet", alpha=0.25, weights=weights, classes=CLASSES, seed=1)
    images = sorted((real_data / "BreaKHis_v1").rglob("*.png"))[:2]
    fast = {"score-cam": {"channels": 4}, "occlusion": {"window": 112}, "integrated-gradients": {"steps": 16}}
    fast |= {"rise": {"masks": 8}, "kernel-shap": {"superpixels": 4, "samples": 8}}
    for method in [name for name, entry in METHODS.items() if not entry.needs_attention]:
        explanation = explain(model, images, method, **fast.get(method, {}))
        assert explanation.image(0).shape[1] == 700
        assert explanation.overlay(0).shape == explanation.image(0).shape
