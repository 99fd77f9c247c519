import pytest

from breastcls.errors import ModelError
from breastcls.models.backbones.backbone import HEADS, Backbone
from breastcls.models.heads import _HEADS


def test_a_backbone_turns_lists_into_tuples_and_a_side_into_a_square():
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


def test_every_head_that_an_entry_may_name_exists():
    assert tuple(_HEADS) == HEADS
