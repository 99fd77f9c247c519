import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.images.stain.normaliser import StainNormaliser
from breastcls.images.stain.normalisers import NORMALISERS
from breastcls.models.card import ModelCard
from breastcls.models.staining import find_normaliser

CARD = ModelCard(classes=("benign", "malignant"), image_size=(32, 32))


def test_without_a_card_or_a_stain_there_is_none():
    assert find_normaliser(None) is None
    assert find_normaliser(CARD) is None


def test_the_one_of_the_card_is_made_again():
    stain = {"name": "reinhard", "means": [70.5, 20.0, -10.0], "spreads": [15.0, 8.0, 6.0]}
    found = find_normaliser(ModelCard.from_json(CARD.replace(stain=stain).to_json()))
    assert found.to_dict() == stain
    assert found.fallbacks.total == 0


@pytest.mark.parametrize("stain", [{"name": "reinhard", "means": [1.0]}, {"name": "of-another-package"}])
def test_one_that_cannot_be_made_says_so(stain):
    with pytest.raises(ModelError, match=r"cannot be made: .* import that first"):
        find_normaliser(CARD.replace(stain=stain))


def test_one_of_another_package_is_found_once_it_is_registered(monkeypatch):
    monkeypatch.setattr(NORMALISERS, "_items", dict(NORMALISERS))

    class Mine(StainNormaliser):
        name = "of-another-package"

        @classmethod
        def fit(cls, pixels):
            return cls()

        def normalise(self, image):
            return np.invert(image)

    NORMALISERS.register(Mine.name, Mine)
    assert isinstance(find_normaliser(CARD.replace(stain={"name": "of-another-package"})), Mine)
