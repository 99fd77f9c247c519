import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.model_card import ModelCard
from breastcls.stain.normalizer import StainNormalizer
from breastcls.stain.normalizer_registry import NORMALIZERS

CARD = ModelCard(classes=("benign", "malignant"), image_size=(32, 32))


def test_without_a_card_or_a_stain_there_is_no_normalizer():
    assert find_normalizer(None) is None
    assert find_normalizer(CARD) is None


def test_the_normalizer_of_the_card_is_restored():
    stain = {"name": "reinhard", "means": [70.5, 20.0, -10.0], "spreads": [15.0, 8.0, 6.0]}
    found = find_normalizer(ModelCard.from_json(CARD.replace(stain=stain).to_json()))
    assert found.to_dict() == stain
    assert found.fallbacks.total == 0


@pytest.mark.parametrize("stain", [{"name": "reinhard", "means": [1.0]}, {"name": "of-another-package"}])
def test_a_normalizer_with_wrong_parameters_is_named(stain):
    with pytest.raises(ModelError, match=r"cannot be created: .* import that package first"):
        find_normalizer(CARD.replace(stain=stain))


def test_a_normalizer_of_another_package_needs_registration(monkeypatch):
    monkeypatch.setattr(NORMALIZERS, "_items", dict(NORMALIZERS))

    class Mine(StainNormalizer):
        name = "of-another-package"

        @classmethod
        def fit(cls, pixels):
            return cls()

        def normalize(self, image):
            return np.invert(image)

    NORMALIZERS.register(Mine.name, Mine)
    assert isinstance(find_normalizer(CARD.replace(stain={"name": "of-another-package"})), Mine)
