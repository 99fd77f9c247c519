import pytest

from breastcls.errors import ModelError
from breastcls.models.backbones.backbone import HEADS, Backbone
from breastcls.models.heads import _HEADS


def test_lists_become_tuples_and_one_side_becomes_a_square():
    entry = Backbone(name="b", factory=len, image_size=96, stages=["top", "bottom"], options=["alpha"])
    assert entry.image_size == (96, 96)
    assert entry.stages == ("top", "bottom")
    assert entry.options == ("alpha",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("factory", None),
        ("scaling", "TF"),
        ("head", "dense"),
        ("image_size", (32,)),
        ("stages", "conv5"),
        ("options", (1,)),
    ],
)
def test_a_wrong_field_is_refused(field, value):
    with pytest.raises(ModelError):
        Backbone(**{"name": "b", "factory": len, field: value})


def test_every_head_of_a_backbone_exists():
    assert tuple(_HEADS) == HEADS
