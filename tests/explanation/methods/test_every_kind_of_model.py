"""Every method on every kind of model: a heat-map, or a refusal that says why."""

import warnings

import numpy as np
import pytest

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.explain import explain
from breastcls.explanation.methods.method_registry import METHODS, list_methods
from support.model_kinds import CLASSES, MODEL_KINDS

IMAGE = np.random.default_rng(8).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
FEW = {
    "score-cam": {"channels": 2},
    "ablation-cam": {"channels": 2},
    "integrated-gradients": {"steps": 2},
    "smooth-grad": {"samples": 1},
    "occlusion": {"window": 16, "stride": 16},
    "rise": {"masks": 8},
    "kernel-shap": {"superpixels": 4, "samples": 16},
}
# Of a model without attention, without ReLU or with several branches these have no meaning.
REFUSALS = {
    "attention-rollout": "attention",
    "fused-layer-cam": "branches",
    "gradient-rollout": "attention",
    "guided-backpropagation": "no ReLU",
}


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_every_method_explains_it_or_says_why_not(kind):
    model = MODEL_KINDS[kind]()
    explained, refused = [], {}
    for method in list_methods():
        options = {**FEW.get(method, {})}
        try:
            with warnings.catch_warnings():
                # The weights are random, so that a heat-map may be blank.
                warnings.simplefilter("ignore", ExplanationWarning)
                made = explain(model, IMAGE, method, target_class=1, classes=CLASSES, **options)
        except ExplanationError as error:
            refused[method] = str(error)
            continue
        explained.append(method)
        assert made.heatmaps.shape == (1, 32, 32), method
        assert np.isfinite(made.heatmaps).all(), method
        assert 0.0 <= made.heatmaps.min() <= made.heatmaps.max() <= 1.0, method
        assert (made.layer is not None) == METHODS[method].needs_feature_map, method
    for method, message in refused.items():
        assert method in REFUSALS, f"{method}: {message}"
        assert REFUSALS[method] in message
    assert len(explained) >= len(list_methods()) - len(REFUSALS)
    assert ("attention-rollout" in explained) == ("transformer" in kind)
