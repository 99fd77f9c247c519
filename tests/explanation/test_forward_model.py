"""Class scores of models that only run forward."""

import numpy as np
import pytest

from breastcls.errors import ExplanationError
from breastcls.explanation.forward_model import ForwardModel
from breastcls.explanation.scored_model import ScoredModel
from breastcls.explanation.target_score import TargetedModel, subtract_classes


class Runner:
    """Stands for an exported model: it returns the outputs of a Keras model times a factor."""

    def __init__(self, model, factor=1.0):
        self.model, self.factor, self.name = model, factor, "exported"

    def run_batches(self, batches):
        for batch in batches:
            yield self.factor * np.asarray(self.model(batch))


def test_a_difference_of_classes_is_that_of_the_logits(small_model, noise_images):
    model, pixels = small_model(), noise_images.astype(np.float32)
    target = subtract_classes(2, 0, ("a", "b", "c"))
    forward = ForwardModel(Runner(model), pixels, 2, "occlusion", needs_more=False)
    found, expected = (TargetedModel(one, target).scores(pixels) for one in (forward, ScoredModel(model, pixels)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_outputs_that_are_no_probabilities_are_refused(small_model, noise_images):
    with pytest.raises(ExplanationError, match=r"'exported' has outputs from .*outputs='logits'"):
        ForwardModel(Runner(small_model(), 40.0), noise_images.astype(np.float32), 2, "occlusion", needs_more=False)
