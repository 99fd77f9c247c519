import h5py
import numpy as np
import pytest

from breastcls.models.building import build_model
from breastcls.models.model_parts import find_backbone

FILE = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"


def test_shapes_of_version_1_1():
    backbone = find_backbone(build_model("squeezenet", classes=("a", "b"), weights=None))
    assert backbone.output_shape == (None, 13, 13, 512)
    # 1,235,496 parameters of SqueezeNet 1.1 less the classifier of 512 x 1000 + 1000.
    assert backbone.count_params() == 1_235_496 - 513_000


@pytest.mark.real
def test_the_published_file_is_loaded_into_the_layers_of_the_same_name(real_data):
    path = real_data / "weights" / FILE
    backbone = find_backbone(build_model("squeezenet", classes=("a", "b"), image_size=64, weights=path))
    with h5py.File(path) as file:
        for layer in backbone.layers:
            if not layer.weights:
                continue
            name = layer.name.replace("_", "/", 1)
            group = file[name]
            names = [item.decode() for item in group.attrs["weight_names"]]
            for weight, stored in zip(layer.get_weights(), names, strict=True):
                np.testing.assert_array_equal(weight, group[stored][()])


@pytest.mark.real
def test_the_published_file_is_the_one_that_the_registry_describes(real_data):
    from breastcls.models.backbones.backbone_registry import BACKBONES
    from breastcls.models.backbones.pretrained_weights import _check_digest

    file = BACKBONES["squeezenet"].pretrained((224, 224), {})
    assert file.name == FILE
    _check_digest(real_data / "weights" / FILE, file)
