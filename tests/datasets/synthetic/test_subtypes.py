import numpy as np
import pytest

from breastcls.datasets.synthetic.scene import Region, Scene
from breastcls.datasets.synthetic.subtypes import GROWTH, unremarkable
from breastcls.datasets.synthetic.tissue import MALIGNANT, SUBTYPES, draw_style

SIZE, SCALE = (184, 280), 0.8


def grow(subtype, seed):
    rng = np.random.default_rng(seed)
    scene = Scene(rng, SIZE, SCALE, draw_style(rng, subtype))
    GROWTH[subtype](scene)
    return scene


def share(scene, region):
    return float((scene.region == region).mean())


def test_every_subtype_grows():
    assert tuple(GROWTH) == tuple(SUBTYPES)


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_tumour_cells_are_in_tumours_only(subtype):
    for seed in range(3):
        scene = grow(subtype, seed)
        assert scene.region.shape == SIZE
        assert sum(len(nuclei.position) for nuclei in scene.nuclei) > 10
        if subtype in MALIGNANT:
            assert share(scene, Region.TUMOUR) > 0.02
        else:
            assert share(scene, Region.TUMOUR) == 0
            assert share(scene, Region.EPITHELIUM) > 0.05


def test_what_the_names_say_is_there():
    mucin = {subtype: share(grow(subtype, 1), Region.MUCIN) for subtype in SUBTYPES}
    assert max(mucin, key=mucin.get) == "MC"
    assert mucin["MC"] > 0.3
    # Small cells in single file take up less than sheets of large ones.
    lobular, ductal = (np.mean([share(grow(name, seed), Region.TUMOUR) for seed in range(6)]) for name in ("LC", "DC"))
    assert lobular < ductal


def test_beside_the_lesion_nothing_is_tumour():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scene = Scene(rng, SIZE, SCALE, draw_style(rng, "DC"))
        unremarkable(scene)
        assert share(scene, Region.TUMOUR) == 0
