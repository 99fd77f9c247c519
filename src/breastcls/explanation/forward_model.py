"""A model that only runs forward, prepared for the explanation methods that need class scores alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from breastcls.argument_checks import check_count
from breastcls.errors import ExplanationError
from breastcls.explanation.class_score import require_probabilities
from breastcls.explanation.scored_model import ScoredModel
from breastcls.models.engines.choose_engine import open_runner
from breastcls.models.engines.engine_record import record_engine
from breastcls.models.inference import run_passes
from breastcls.models.log_probabilities import log_probabilities
from breastcls.models.runtime_model import RuntimeModel
from breastcls.models.single_output import expand_single_output


class ForwardModel:
    """The class scores of a model whose layers are not known: the logarithms of its probabilities.

    It takes the place of a `ScoredModel` in methods that need neither gradients nor feature maps, such as occlusion.

    Args:
        runner: A model that `run_batches` of `breastcls.models.inference` takes, with probabilities as outputs.
        example: Images of the model's input size (n, h, w, 3).
        batch_size: Number of images in one forward pass.
        method: The name of the explanation method, for messages.
        needs_more: Whether the method is known to need a feature map.

    Raises:
        ExplanationError: If the method needs a feature map, or `batch_size` is less than 1.
    """

    score_kind = "log-probability"

    def __init__(self, runner: Any, example: np.ndarray, batch_size: int, method: str, *, needs_more: bool) -> None:
        check_count("batch_size", batch_size, error=ExplanationError)
        self.model, self.batch_size, self._method = runner, batch_size, method
        if needs_more:
            raise self._refusal()
        self.class_count = int(self.probabilities(example[:1]).shape[1])

    @property
    def engine(self) -> dict[str, str]:
        """The record of what runs the model."""
        return record_engine(self.model)

    def outputs(self, images: np.ndarray, maps: Sequence[Any] = ()) -> np.ndarray:
        """Return the model's own output, (n, classes) or (n, 1), before any calibration; it has no feature maps.

        Raises:
            ExplanationError: If the outputs are not between 0 and 1.
        """
        starts = range(0, len(images), self.batch_size)
        batches = (images[start : start + self.batch_size] for start in starts)
        [outputs] = run_passes(self.model, batches)
        require_probabilities(outputs, getattr(self.model, "name", type(self.model).__name__))
        return outputs

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, classes), in batches of `batch_size`."""
        return np.asarray(expand_single_output(self.outputs(images)), np.float32)

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return the logarithms of the probabilities, float32 (n, classes)."""
        return np.asarray(log_probabilities(self.probabilities(images)), np.float32)

    def probabilities_of(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities that belong to class scores, both float32 (n, classes)."""
        return np.asarray(np.exp(scores), np.float32)

    def forget_pass(self) -> None:
        """Do nothing: no pass is kept."""

    def __getattr__(self, name: str) -> Any:
        # What else a `ScoredModel` has needs the layers of the model.
        if name.startswith("_"):
            raise AttributeError(name)
        raise self._refusal()

    def _refusal(self) -> ExplanationError:
        name = getattr(getattr(self.model, "path", None), "name", type(self.model).__name__)
        return ExplanationError(
            f"The method {self._method!r} needs the gradients or feature maps of a Keras model; {name} only runs "
            "forward. Use method='occlusion', or load the '.keras' or '.h5' file that it was exported from."
        )


def open_scores(
    model: Any,
    example: np.ndarray,
    batch_size: int,
    method: str,
    *,
    needs_more: bool = False,
    engine: str | None = None,
    layer: str | None = None,
) -> Any:
    """Return a `ScoredModel` of a Keras model, or a `ForwardModel` of one that only runs forward.

    Args:
        model: A Keras model or a `RuntimeModel`.
        example: Images of the model's input size (n, h, w, 3).
        batch_size: Number of images in one forward pass.
        method: What the scores are for, for messages.
        needs_more: Whether it needs a feature map.
        engine: What computes the class scores of a Keras model; see `ScoredModel`.
        layer: The layer whose feature maps are needed first; see `ScoredModel`.

    Raises:
        ExplanationError: If the model cannot be explained.
    """
    if isinstance(model, RuntimeModel):
        open_runner(model, engine)
        return ForwardModel(model, example, batch_size, method, needs_more=needs_more)
    return ScoredModel(model, example, batch_size, engine, layer)
