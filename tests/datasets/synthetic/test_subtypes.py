import numpy as np
import pytest

from breastcls.datasets.synthetic.scene import Region, Scene
from breastcls.datasets.synthetic.subtypes import SUBTYPE_PATTERNS, normal_tissue
from breastcls.datasets.synthetic.tissue import MALIGNANT, SUBTYPES, sample_style

SIZE, SCALE = (184, 280), 0.8


def generate(subtype, seed):
    rng = np.random.default_rng(seed)
    scene = Scene(rng, SIZE, SCALE, sample_style(rng, subtype))
    SUBTYPE_PATTERNS[subtype](scene)
    return scene


def share(scene, region):
    return float((scene.region == region).mean())


def test_every_subtype_has_a_pattern():
    assert tuple(SUBTYPE_PATTERNS) == tuple(SUBTYPES)


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_tumour_cells_are_in_tumours_only(subtype):
    for seed in range(3):
        scene = generate(subtype, seed)
        assert scene.region.shape == SIZE
        assert sum(len(nuclei.position) for nuclei in scene.nuclei) > 10
        if subtype in MALIGNANT:
            assert share(scene, Region.TUMOUR) > 0.02
        else:
            assert share(scene, Region.TUMOUR) == 0
            assert share(scene, Region.EPITHELIUM) > 0.05


def test_subtypes_have_their_characteristic_tissue():
    mucin = {subtype: share(generate(subtype, 1), Region.MUCIN) for subtype in SUBTYPES}
    assert max(mucin, key=mucin.get) == "MC"
    assert mucin["MC"] > 0.3
    # Small cells in single files cover less than sheets of large ones.
    lobular, ductal = (
        np.mean([share(generate(name, seed), Region.TUMOUR) for seed in range(6)]) for name in ("LC", "DC")
    )
    assert lobular < ductal


def test_normal_tissue_has_no_tumour_cells():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scene = Scene(rng, SIZE, SCALE, sample_style(rng, "DC"))
        normal_tissue(scene)
        assert share(scene, Region.TUMOUR) == 0
