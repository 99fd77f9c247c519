"""Models of vectors: trained, saved, loaded and used like models of images."""

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import EvaluationError, ExplanationError, ModelError, TrainingError
from breastcls.features.embedding_table import load_embeddings
from breastcls.training.rerunning import rerun
from support.vector_fixtures import build_head, make_vectors, same_weights

QUIET = bc.training.Logging(progress=False)


@pytest.fixture(scope="module")
def fitted(embeddings):
    train, test = embeddings.split((0.6, 0.4), seed=1)
    model = build_head(embeddings)
    run = bc.fit(model, train, frozen_head="lbfgs", seed=5, logging=QUIET)
    return model, run, train, test


def test_the_exact_head_is_that_of_frozen_features(easy, encoder, easy_vectors):
    train, test = easy.split((0.6, 0.4), seed=1)
    of_images = keras.models.clone_model(encoder)
    of_images.set_weights(encoder.get_weights())
    bc.models.set_card(of_images, bc.models.get_card(encoder))
    bc.fit(of_images, train, frozen_head="lbfgs", fine_tune=False, augment="none", logging=QUIET)
    vectors, tested = easy_vectors[0].split((0.6, 0.4), seed=1)
    of_vectors = build_head(vectors)
    bc.fit(of_vectors, vectors, frozen_head="lbfgs", logging=QUIET)
    expected = bc.predict(of_images, test).probabilities
    np.testing.assert_allclose(bc.predict(of_vectors, tested).probabilities, expected, atol=1e-4)


def test_the_record_names_vectors_and_encoder(fitted):
    model, run, train, _ = fitted
    assert run.config["input_modes"] == ["vectors"]
    assert run.config["fit"]["augment"] == "none"
    assert run.config["exact_head"]["c"] > 0
    training = bc.models.get_card(model).provenance["training"]
    assert training["encoder"] == {"name": "test encoder"}
    assert set(training["cases"]) == set(train.cases)


def test_predictions_of_datasets_arrays_and_loaded_models_are_the_same_bits(fitted, tmp_path):
    model, _, _, test = fitted
    bc.save_model(model, tmp_path / "model.keras")
    loaded = bc.load_model(tmp_path / "model.keras")
    expected = bc.predict(model, test).probabilities
    for found in (bc.predict(loaded, test), bc.predict(model, test.vectors), bc.predict(loaded, test.vectors)):
        np.testing.assert_array_equal(found.probabilities, expected)
    kernel, bias = model.get_layer("logits").get_weights()
    logits = test.vectors @ kernel + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(expected, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def test_training_repeats_bit_for_bit_and_other_vectors_are_refused(embeddings, tmp_path):
    train, val = embeddings.split((0.6, 0.4), seed=1)
    models = [build_head(embeddings, head="mlp") for _ in range(3)]
    options = {"epochs": 2, "seed": 4, "logging": QUIET}
    bc.fit(models[0], train, val, **options)
    bc.fit(models[1], train, val, run_dir=tmp_path / "run", **options)
    assert same_weights(models[0], models[1])
    assert not same_weights(models[0], models[2])
    bc.fit(models[2], train, val, run_dir=tmp_path / "run", resume=True, **options)
    assert same_weights(models[0], models[2])
    again, _ = rerun(tmp_path / "run", train=train, val=val, progress=False)
    assert same_weights(models[0], again)
    other = load_embeddings(train, train.vectors + 1)
    with pytest.raises(TrainingError, match="vectors_sha256"):
        bc.fit(build_head(embeddings, head="mlp"), other, val, run_dir=tmp_path / "run", resume=True, **options)
    with pytest.raises(TrainingError, match="not the vectors"):
        rerun(tmp_path / "run", train=other, val=val)
    with pytest.raises(TrainingError, match="pass the datasets"):
        rerun(tmp_path / "run")


def test_a_model_of_the_callers_own_is_trained_as_it_is(embeddings):
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(2, activation="softmax")])
    before = model.get_weights()
    run = bc.fit(model, embeddings, epochs=1, logging=QUIET)
    assert run.config["phases"][0]["name"] == "as-given"
    assert not np.array_equal(before[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augment": "dihedral"}, "augment='dihedral'"),
        ({"fine_tune": "last-stage"}, "fine_tune="),
        ({"preprocessing": bc.training.Preprocessing(resize="crop")}, "preprocessing="),
    ],
)
def test_settings_of_images_are_refused(embeddings, options, message):
    with pytest.raises(TrainingError, match=f"{message}.*no effect"):
        bc.fit(build_head(embeddings), embeddings, epochs=1, **options)


def test_data_that_do_not_fit_the_model_are_refused(embeddings, easy, encoder, fitted):
    model, _, _, test = fitted
    wide = load_embeddings(embeddings, np.ones((len(embeddings), 20)))
    for data, message in ((easy, "data are images"), (wide, "16 components; those of the data have 20")):
        with pytest.raises(TrainingError, match=message):
            bc.fit(build_head(embeddings), data, epochs=1)
        with pytest.raises(EvaluationError, match=message):
            bc.predict(model, data)
    with pytest.raises(TrainingError, match=r"takes images.*build_model"):
        bc.fit(encoder, embeddings, epochs=1)
    with pytest.raises(EvaluationError, match="takes images"):
        bc.predict(encoder, embeddings)
    with pytest.raises(EvaluationError, match="cannot be rotated"):
        bc.predict(model, test, tta="dihedral")
    with pytest.raises(EvaluationError, match="20 components; the model takes 16"):
        bc.predict(model, wide.vectors)
    with pytest.raises(EvaluationError, match="A model of vectors"):
        bc.predict(model, "folder")
    with pytest.raises(ExplanationError, match="takes vectors"):
        bc.explain(model, np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ModelError, match="runs in Keras only"):
        bc.predict(model, test, engine="openvino")
    with pytest.raises(ModelError, match="needs a model that takes images"):
        bc.export.export_model(model, "model.onnx", "onnx")


def test_vectors_of_another_encoder_are_refused(fitted):
    model, _, _, test = fitted
    other = load_embeddings(test, test.vectors, encoder="another encoder")
    with pytest.raises(EvaluationError, match=r"test encoder.*another encoder"):
        bc.predict(model, other)
    # Without a record nothing can be compared.
    bc.predict(model, load_embeddings(test, test.vectors))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "dimensions"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 4, "head": "flatten-mlp"}, "linear, mlp"),
        ({"dimensions": 4, "image_size": 32}, "image_size"),
        ({"dimensions": 4, "alpha": 1}, "'alpha'"),
    ],
)
def test_wrong_arguments_of_a_model_of_vectors(options, message):
    with pytest.raises(ModelError, match=message):
        bc.build_model("embeddings", classes=("a", "b"), **options)


def test_members_of_an_ensemble_and_models_without_a_card(fitted, embeddings, encoder, tmp_path):
    model, _, _, test = fitted
    other = build_head(embeddings, head="mlp")
    ensemble = bc.models.build_ensemble([model, other])
    mean = (bc.predict(model, test).probabilities + bc.predict(other, test).probabilities) / 2
    np.testing.assert_allclose(bc.predict(ensemble, test).probabilities, mean, atol=1e-6)
    with pytest.raises(ModelError, match=r"vectors of 16 components, images"):
        bc.models.build_ensemble([other, encoder])
    own = keras.Sequential([keras.Input((16,)), keras.layers.Dense(2, activation="softmax")])
    own.save(tmp_path / "own.keras")
    loaded = bc.load_model(tmp_path / "own.keras", classes=test.classes)
    assert bc.models.get_card(loaded).image_size is None
    np.testing.assert_array_equal(bc.predict(loaded, test).probabilities, bc.predict(own, test).probabilities)
    with pytest.raises(ModelError, match="takes vectors"):
        bc.load_model(tmp_path / "own.keras", classes=test.classes, scaling="0-1")


def test_leaks_between_training_and_validation_are_found():
    train, val = make_vectors(seed=1), make_vectors(seed=2)
    vectors = val.vectors.copy()
    vectors[3] = train.vectors[8]
    with pytest.raises(bc.errors.LeakageError, match="identical vector"):
        bc.fit(build_head(train), train, load_embeddings(val, vectors), epochs=1)
