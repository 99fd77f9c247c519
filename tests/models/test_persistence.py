import json
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from breastcls.errors import ModelError, OutputError
from breastcls.models.building import build_model
from breastcls.models.model_card import get_card, set_card
from breastcls.models.persistence import CARD_FILE, load_model, save_model

CLASSES = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)

PLAIN = """
import sys
import keras, numpy as np
images = np.load(sys.argv[1])
for path in sys.argv[2:]:
    model = keras.models.load_model(path)
    np.save(path + ".npy", np.asarray(model(images)))
assert not any(name.startswith("breastcls") for name in sys.modules)
"""


def model_of(backbone="cancernet", **arguments):
    model = build_model(backbone, **{"classes": CLASSES, "image_size": 48, "weights": None, "seed": 4, **arguments})
    set_card(model, get_card(model).replace(threshold=0.3, provenance={"data": "BreaKHis", "cases": 70}))
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_model(model_of(), tmp_path_factory.mktemp("saved") / "model.keras")


@pytest.mark.parametrize(
    "backbones",
    [
        ("cancernet", "vgg16"),
        # Of each family that Keras builds with layers or functions of its own.
        pytest.param(
            ("squeezenet", "efficientnetb0", "efficientnetv2b0", "mobilenetv3small", "convnexttiny", "densenet121"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_keras_loads_it_in_a_new_process_with_identical_outputs(tmp_path, backbones):
    expected, paths = {}, []
    for name in backbones:
        model = model_of(name)
        paths.append(str(save_model(model, tmp_path / f"{name}.keras")))
        expected[paths[-1]] = np.asarray(model(IMAGES))
        keras.backend.clear_session()
    np.save(tmp_path / "images.npy", IMAGES)
    # -P keeps the folder of this project out of the path.
    run = subprocess.run(
        [sys.executable, "-P", "-c", PLAIN, str(tmp_path / "images.npy"), *paths],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    for path in paths:
        np.testing.assert_array_equal(np.load(path + ".npy"), expected[path], err_msg=path)


def test_load_model_restores_the_card(saved):
    loaded = load_model(saved)
    card = get_card(loaded)
    assert card.classes == CLASSES
    assert card.threshold == 0.3
    assert card.provenance["cases"] == 70
    assert card.backbone == "cancernet"
    assert not loaded.compiled


def test_the_card_is_in_the_archive(saved):
    with zipfile.ZipFile(saved) as archive:
        assert json.loads(archive.read(CARD_FILE))["classes"] == list(CLASSES)
        assert archive.testzip() is None


def test_optimizer_and_custom_losses_are_not_saved(tmp_path):
    class Own(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(y_pred, axis=-1)

    model = model_of()
    empty = save_model(model, tmp_path / "empty.keras").stat().st_size
    model.compile("adam", Own(), jit_compile=False)
    model.fit(IMAGES, np.array([0, 1, 0]), epochs=1, verbose=0)
    path = save_model(model, tmp_path / "trained.keras")
    assert model.compiled, "saving must not touch the model"
    assert abs(path.stat().st_size - empty) < 20_000
    np.testing.assert_array_equal(np.asarray(keras.models.load_model(path)(IMAGES)), np.asarray(model(IMAGES)))


def test_folders_are_created_and_files_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "model.keras"
    save_model(model_of(), path)
    other = model_of(seed=9)
    assert save_model(other, path) == path
    np.testing.assert_array_equal(np.asarray(load_model(path)(IMAGES)), np.asarray(other(IMAGES)))
    assert [item.name for item in path.parent.iterdir()] == ["model.keras"]


def test_an_error_while_saving_keeps_the_old_file(tmp_path, monkeypatch):
    path = save_model(model_of(), tmp_path / "model.keras")
    before = path.read_bytes()

    def fail(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    with pytest.raises(OutputError, match="No space left"):
        save_model(model_of(seed=9), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("name", ["model.h5", "model", "model.keras.zip"])
def test_other_names_are_refused(name, tmp_path):
    with pytest.raises(ModelError, match=r"\.keras"):
        save_model(model_of(), tmp_path / name)
    with pytest.raises(ModelError, match=r"keras\.Model"):
        save_model("model", tmp_path / "model.keras")


def test_a_model_saved_by_keras(tmp_path):
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    path = tmp_path / "plain.keras"
    model.save(path)
    assert get_card(load_model(path)) is None
    card = get_card(load_model(path, classes=CLASSES))
    assert (card.classes, card.image_size, card.backbone) == (CLASSES, (8, 8), None)
    with pytest.raises(ModelError, match="has the output"):
        load_model(path, classes=("a", "b", "c"))
    assert get_card(load_model(save_model(load_model(path, classes=CLASSES), tmp_path / "with.keras"))) == card


def test_a_model_without_images_or_vectors_gets_no_card(tmp_path):
    inputs = keras.Input((8, 8))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / "rows.keras")
    with pytest.raises(ModelError, match=r"expected images \(n, height, width, 3\)"):
        load_model(tmp_path / "rows.keras", classes=CLASSES)


def test_other_classes_than_those_of_the_card_are_refused(saved):
    assert get_card(load_model(saved, classes=CLASSES)).classes == CLASSES
    with pytest.raises(ModelError, match="was saved with the classes"):
        load_model(saved, classes=("malignant", "benign"))


def test_missing_folder_and_foreign_files(tmp_path):
    with pytest.raises(ModelError, match="no file"):
        load_model(tmp_path / "none.keras")
    with pytest.raises(ModelError, match="is a folder"):
        load_model(tmp_path)
    (tmp_path / "text.keras").write_text("no model", encoding="utf-8")
    with pytest.raises(ModelError, match=r"not a '\.keras' file"):
        load_model(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(ModelError, match="not a Keras model"):
        load_model(tmp_path / "zip.keras")


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_named(saved, tmp_path, part):
    whole = saved.read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ModelError, match=r"cut\.keras"):
        load_model(tmp_path / "cut.keras")


def test_a_changed_byte_in_the_weights_is_detected(saved, tmp_path):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "flipped.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"flipped\.keras"):
        load_model(tmp_path / "flipped.keras")


def with_member(saved, path, name, text):
    """A copy of the saved model with one member put in the place of its own."""
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as target:
        for item in source.namelist():
            if item != name:
                target.writestr(item, source.read(item))
        target.writestr(name, text)
    return path


def test_wrong_cards_are_refused(saved, tmp_path):
    card = json.loads(zipfile.ZipFile(saved).read(CARD_FILE))
    newer = with_member(saved, tmp_path / "newer.keras", CARD_FILE, json.dumps({**card, "schema": 99}))
    with pytest.raises(ModelError, match=r"newer\.keras.*schema version 99.*Upgrade breastcls"):
        load_model(newer)
    broken = with_member(saved, tmp_path / "broken.keras", CARD_FILE, b"\xff\xfe{")
    with pytest.raises(ModelError, match="damaged"):
        load_model(broken)
    three = with_member(
        saved,
        tmp_path / "three.keras",
        CARD_FILE,
        json.dumps({**card, "classes": ["a", "b", "c"], "threshold": None}),
    )
    with pytest.raises(ModelError, match="3 classes"):
        load_model(three)
    huge = with_member(saved, tmp_path / "huge.keras", CARD_FILE, "x" * (17 << 20))
    with pytest.raises(ModelError, match="not a model card"):
        load_model(huge)


@pytest.mark.parametrize("text", ["[true]", "{}", "[", "[" * 10**5, "x" * (17 << 20)])
def test_a_wrong_list_of_trainable_layers_is_refused(saved, tmp_path, text):
    path = with_member(saved, tmp_path / "wrong.keras", "breastcls-trainable.json", text)
    with pytest.raises(ModelError, match=r"wrong\.keras: breastcls-trainable\.json does not state"):
        load_model(path)


def test_a_card_that_is_too_large_is_not_written(tmp_path):
    model = model_of()
    set_card(model, get_card(model).replace(provenance={"cases": ["x" * 1000] * 17_000}))
    with pytest.raises(ModelError, match="the limit of `load_model`"):
        save_model(model, tmp_path / "large.keras")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("member", ["../outside.txt", "/etc/outside", "assets\\..\\..\\outside", "C:/outside"])
def test_paths_outside_of_the_archive_are_refused(saved, tmp_path, member):
    path = with_member(saved, tmp_path / "evil.keras", member, "x")
    with pytest.raises(ModelError, match="outside of the archive"):
        load_model(path)


def test_a_moved_file_still_loads(saved, tmp_path):
    shutil.copy(saved, tmp_path / "moved.keras")
    assert get_card(load_model(str(tmp_path / "moved.keras"))) == get_card(load_model(saved))
