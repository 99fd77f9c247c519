import subprocess
import sys

import pytest

from breastcls.errors import ModelError, RegistryError
from breastcls.models.backbones.backbone import PackagedWeights
from breastcls.models.backbones.backbone_registry import BACKBONES, list_backbones, register_backbone

OUTSIDE = """
import sys

import keras
import numpy as np

import breastcls as bc

def build_tiny(input_shape, width=8):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Conv2D(width, 3, strides=2, name="top")(inputs))

bc.models.register_backbone("tiny", build_tiny, image_size=(32, 32), scaling="0-1", stages=("top",))
assert "tiny" in bc.list_backbones().names

model = bc.build_model("tiny", classes=("benign", "malignant"), width=4)
assert model.output_shape == (None, 2)
assert [stage[0] for stage in bc.models.list_stages(model)][0] == "top"
print(bc.models.set_trainable(model, "head"), bc.models.set_trainable(model, "last-stage"))

loaded = bc.load_model(bc.save_model(model, sys.argv[1]))
assert bc.models.get_card(loaded).backbone_options == {"width": 4}
images = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
assert (bc.predict(loaded, images).probabilities == bc.predict(model, images).probabilities).all()
"""


def test_another_package_adds_a_backbone_in_one_file_over_public_names(tmp_path):
    command = [sys.executable, "-c", OUTSIDE, str(tmp_path / "tiny.keras")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [str(4 * 2 + 2), str(4 * 2 + 2 + 3 * 3 * 3 * 4 + 4)]


def test_listing_loads_no_keras():
    code = (
        "import sys; from breastcls.models.backbones.backbone_registry import list_backbones; str(list_backbones())\n"
    )
    code += "print({'keras', 'tensorflow', 'pandas'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_a_taken_name_and_a_wrong_field_are_refused():
    with pytest.raises(RegistryError, match="resnet50"):
        register_backbone("resnet50", lambda input_shape: None)
    with pytest.raises(ModelError, match="scaling"):
        register_backbone("nobody", lambda input_shape: None, scaling="zscore")
    assert "nobody" not in BACKBONES


def test_the_error_for_an_unknown_name_lists_similar_names():
    with pytest.raises(RegistryError, match="'resnet50'"):
        BACKBONES["resnet5O"]


def test_the_table_holds_every_backbone_and_is_aligned():
    table = list_backbones()
    assert len(table) == len(BACKBONES) == len(table.to_frame())
    lines = str(table).splitlines()
    # A heading, a rule, and two lines of notes.
    assert len(lines) == len(BACKBONES) + 4
    column = lines[0].index("stages")
    rows = [line for number, line in enumerate(lines[:-2]) if number != 1]
    assert all(line[column - 1] == " " and line[column] != " " for line in rows)
    frame = table.to_frame()
    assert frame.loc["cancernet", ["height", "width", "imagenet"]].tolist() == [48, 48, False]
    assert frame.loc["mobilenet", "options"] == "alpha, depth_multiplier"


@pytest.mark.parametrize("entry", [entry for entry in list_backbones() if entry.pretrained is not None])
def test_published_weights_come_with_licence_origin_and_paper(entry):
    assert entry.licence != "not stated"
    assert entry.origin != "not stated"
    assert entry.paper.startswith("https://doi.org/10.")
    file = entry.pretrained(entry.image_size, {})
    if isinstance(file, PackagedWeights):
        assert file.name.endswith(".weights.h5")
        assert {len(file.file_digest), len(file.digest)} == {64}
        return
    assert file.url.startswith("https://")
    assert file.name.endswith(".h5")
    assert file.digest is None or len(file.digest) in (32, 64)


def test_all_of_keras_applications_is_there():
    import keras

    constructors = {name.lower() for name in dir(keras.applications) if callable(getattr(keras.applications, name))}
    assert constructors
    assert constructors <= set(BACKBONES)
