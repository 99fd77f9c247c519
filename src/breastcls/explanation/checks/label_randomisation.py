"""The label randomisation test: heat-maps must change when the last layer is fitted to random labels."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from breastcls.explanation.checks.agreement import rank_correlation
from breastcls.explanation.checks.parameter_randomisation import explain_targets, weights_replaced
from breastcls.explanation.class_score import find_class_score
from breastcls.explanation.layer_graph import LayerGraph
from breastcls.explanation.unrolling import unroll
from breastcls.models.output_layer import activation_of

# Number of random labellings that are averaged, because a single one may agree with the true labels by chance.
DRAWS = 3


def randomise_labels(model: Any, images: Any, explanation: Any, *, seed: int = 0, **options: Any) -> np.ndarray | None:
    """Fit the last layer to random labels of the explained images, and compare the heat-maps.

    The paper trains the whole network again on random labels. Here the layers before the last one stay as they are and
    the last dense layer is fitted, by logistic regression, to labels drawn at random for the explained images. A method
    that shows what the network learned from the labels gives other heat-maps then. The weights of that layer are
    restored afterwards.

    Args:
        model: The model that was explained.
        images: The images that were explained.
        explanation: Their heat-maps.
        seed: Seed of the labels.
        **options: The other arguments of `explain` with which the explanation was made.

    Returns:
        Spearman's rank correlations of the heat-maps before and after, float64 (n,), each a mean over some draws of the
        labels; NaN where the heat-map before is blank. None if the model does not end in one dense layer, or there are
        fewer than two images.

    References:
        Adebayo et al. 2018, arXiv:1810.03292.
    """
    graph = unroll(model)
    images_in = explanation.images.astype(np.float32)
    outputs = explanation.probabilities.shape[1]
    dense, slot = _find_last_layer(graph, outputs)
    if dense is None or len(images_in) < 2:
        return None
    size = int(options.get("batch_size", 8))
    features = np.concatenate(
        [
            np.asarray(keras.ops.convert_to_numpy(graph.run(images_in[start : start + size], wanted=slot)))
            for start in range(0, len(images_in), size)
        ]
    ).astype(np.float64)
    generator = np.random.default_rng(seed)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(DRAWS):
            labels = generator.permutation(np.arange(len(images_in)) % outputs)
            values = _fit_last_layer(dense, features, labels)
            with weights_replaced(values):
                maps = explain_targets(model, images, explanation, options)
            found.append([rank_correlation(*pair) for pair in zip(explanation.heatmaps, maps, strict=True)])
    return np.asarray(np.mean(found, axis=0), dtype=np.float64)


def _find_last_layer(graph: LayerGraph, outputs: int) -> tuple[Any, int]:
    """Return the dense layer that computes the class scores, and the slot of its input; None if there is none."""
    score = find_class_score(graph, outputs)
    if score.dense is not None:
        return score.dense, score.slot
    slot = score.slot
    step = graph.producer(slot)
    # Layers that do nothing in inference, or only convert the precision.
    while step is not None and isinstance(step.operation, keras.layers.Dropout | keras.layers.Identity):
        slot = step.inputs[0]
        step = graph.producer(slot)
    if step is None or type(step.operation) is not keras.layers.Dense or activation_of(step.operation) != "linear":
        return None, slot
    return step.operation, step.inputs[0]


def _fit_last_layer(dense: Any, features: np.ndarray, labels: np.ndarray) -> list[tuple[Any, np.ndarray]]:
    """Return kernel and bias of a dense layer with their values after a fit to labels, int (n,)."""
    spread = features.std(axis=0)
    spread[spread == 0.0] = 1.0
    head = LogisticRegression(C=10.0, max_iter=200).fit(features / spread, labels)
    kernel = np.zeros(tuple(dense.kernel.shape))
    bias = np.zeros(kernel.shape[1])
    coefficients, constants = head.coef_ / spread, head.intercept_
    if len(head.classes_) == 2:
        # One row of coefficients for two classes: half of it for the second class, against the first.
        coefficients = np.stack([-coefficients[0], coefficients[0]]) / 2
        constants = np.array([-constants[0], constants[0]]) / 2
    if kernel.shape[1] == 1:
        kernel[:, 0], bias[0] = 2 * coefficients[1], 2 * constants[1]
    else:
        kernel[:, head.classes_] = coefficients.T
        bias[head.classes_] = constants
    return [(dense.kernel, kernel), *([(dense.bias, bias)] if dense.use_bias else [])]
