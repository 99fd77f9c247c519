"""Heat-maps of perturbation methods whose scores another engine computes."""

import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import ExplanationError


def test_occlusion_by_another_engine_gives_the_heatmaps_of_keras():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    for seed in (5, 6):
        # Two models that differ in their heads only are two networks.
        model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=5)
        dense = [layer for layer in model.layers if layer.weights][-1]
        kernel, bias = dense.get_weights()
        dense.set_weights([kernel * (seed - 4), bias + 0.1 * seed])
        options = {"method": "occlusion", "window": 16, "target_class": 1}
        expected = bc.explain(model, images, **options)
        made = bc.explain(model, images, engine="openvino", **options)
        assert made.engine["name"] == "openvino"
        assert made.score == expected.score == "logit"
        np.testing.assert_allclose(made.positive_share, expected.positive_share, atol=1e-3)
        np.testing.assert_allclose(made.heatmaps, expected.heatmaps, atol=1e-3)
        # The session stays open, and has the weights of the head that the model has now.
        dense.set_weights([-value for value in dense.get_weights()])
        options["target_class"] = 0
        np.testing.assert_allclose(
            bc.explain(model, images, engine="openvino", **options).heatmaps,
            bc.explain(model, images, **options).heatmaps,
            atol=1e-3,
        )
    with pytest.raises(ExplanationError, match=r"engine='openvino': the method 'grad-cam' needs the gradients"):
        bc.explain(model, images, engine="openvino")
