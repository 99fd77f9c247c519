"""Attention over the images of a case, and the loss of a classifier on the pooled vector with its gradient.

Attention-based multiple instance learning (Ilse, Tomczak and Welling 2018, https://proceedings.mlr.press/v80/ilse18a.html,
arXiv 1802.04712). The images k of a case have vectors h_k and the weights

    a_k = softmax_k(w . tanh(V h_k + b))                                  "attention"
    a_k = softmax_k(w . (tanh(V h_k + b) * sigmoid(U h_k + c)))           "gated-attention"
    a_k = 1 / n                                                           "mean"

The case has the vector z = sum_k a_k h_k, of which a softmax layer computes the probabilities. With V = 0 the first two
equal the third, which is therefore the baseline of attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_softmax, softmax

Matrix = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ATTENTION_SHARE = 0.01
"""The penalty on the attention relative to that on the classifier: a weight of the attention is about one over the
square root of the number of components, one of the classifier much smaller."""
POOLINGS = ("mean", "attention", "gated-attention")


@dataclass(frozen=True, eq=False)
class Bags:
    """The vectors of the images of some cases, those of one case next to one another.

    Attributes:
        vectors: float64 (n, d).
        starts: int64 (cases,), the first row of each case.
    """

    vectors: Matrix
    starts: Integers

    @property
    def sizes(self) -> Integers:
        """Images of each case, int64 (cases,)."""
        return np.diff(np.append(self.starts, len(self.vectors)))

    @property
    def member(self) -> Integers:
        """The number of the case of each image, int64 (n,)."""
        return np.repeat(np.arange(len(self.starts)), self.sizes)

    def sum(self, values: Matrix) -> Matrix:
        """Return the sums over the images of each case, (cases, ...), of values (n, ...)."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0))


@dataclass(frozen=True, eq=False)
class PoolingParameters:
    """The parameters of pooling and classifier.

    Attributes:
        pooling: One of `POOLINGS`.
        kernel: (d, classes), of the classifier.
        bias: (classes,).
        attention: w, (hidden,); empty for the mean.
        tanh_kernel: V transposed, (d, hidden).
        tanh_bias: b, (hidden,).
        gate_kernel: U transposed, (d, hidden); without columns unless the attention is gated.
        gate_bias: c, (hidden,).
    """

    pooling: str
    kernel: Matrix
    bias: Matrix
    attention: Matrix
    tanh_kernel: Matrix
    tanh_bias: Matrix
    gate_kernel: Matrix
    gate_bias: Matrix

    @property
    def arrays(self) -> tuple[Matrix, ...]:
        """All arrays, in the order in which they are joined to one vector."""
        return (
            self.kernel, self.bias, self.attention, self.tanh_kernel, self.tanh_bias, self.gate_kernel, self.gate_bias
        )  # fmt: skip

    def weights(self, bags: Bags) -> Matrix:
        """Return the weight of each image, (n,), which sum to 1 over the images of each case."""
        return _attend(self, bags)[0]

    def probabilities(self, bags: Bags) -> Matrix:
        """Return the probabilities of each case, (cases, classes)."""
        pooled = bags.sum(self.weights(bags)[:, None] * bags.vectors)
        return np.asarray(softmax(pooled @ self.kernel + self.bias, axis=1))

    def join(self) -> Matrix:
        """Return all parameters as one vector."""
        return np.concatenate([array.ravel() for array in self.arrays])

    def split(self, flat: Matrix) -> PoolingParameters:
        """Return parameters of the same shapes from one vector."""
        arrays, start = [], 0
        for array in self.arrays:
            arrays.append(flat[start : start + array.size].reshape(array.shape))
            start += array.size
        return PoolingParameters(self.pooling, *arrays)


def draw_parameters(pooling: str, size: int, classes: int, hidden: int, seed: int) -> PoolingParameters:
    """Return initial parameters: the attention random, the classifier zero.

    Args:
        pooling: One of `POOLINGS`.
        size: Components of a vector.
        classes: Number of classes.
        hidden: Number of hidden units of the attention.
        seed: Seed of the random numbers.
    """
    generator = np.random.default_rng(seed)
    hidden = 0 if pooling == "mean" else hidden
    gates = hidden if pooling == "gated-attention" else 0
    return PoolingParameters(
        pooling,
        np.zeros((size, classes)),
        np.zeros(classes),
        generator.normal(size=hidden) / np.sqrt(max(hidden, 1)),
        generator.normal(size=(size, hidden)) / np.sqrt(size),
        np.zeros(hidden),
        generator.normal(size=(size, gates)) / np.sqrt(size),
        np.zeros(gates),
    )


def compute_loss(
    flat: Any, like: PoolingParameters, bags: Bags, labels: Integers, shares: Matrix, penalty: float
) -> tuple[float, Any]:
    """Return the mean cross-entropy of the cases with an L2 penalty, and its gradient.

    Args:
        flat: All parameters as one vector.
        like: Parameters with the shapes of these.
        bags: The images of the cases.
        labels: Class indices of the cases, (cases,).
        shares: The weight of each case in the mean, (cases,), with the sum 1.
        penalty: Half of it times the sum of the squares of the kernel of the classifier, and `ATTENTION_SHARE` of it
            times those of the attention, is added.
    """
    parameters = like.split(flat)
    rows, kernel = bags.vectors, parameters.kernel
    weights, tanh, gate, hidden = _attend(parameters, bags)
    pooled = bags.sum(weights[:, None] * rows)
    logits = pooled @ kernel + parameters.bias
    loss = float(-(shares * log_softmax(logits, axis=1)[np.arange(len(labels)), labels]).sum())

    of_logits = softmax(logits, axis=1)
    of_logits[np.arange(len(labels)), labels] -= 1
    of_logits *= shares[:, None]
    small = penalty * ATTENTION_SHARE
    attending = (parameters.attention, parameters.tanh_kernel, parameters.gate_kernel)
    loss += penalty / 2 * float((kernel**2).sum()) + small / 2 * sum(float((array**2).sum()) for array in attending)
    of_kernel = pooled.T @ of_logits + penalty * kernel
    gradients = [of_kernel, of_logits.sum(axis=0)]
    if parameters.pooling == "mean":
        empty = [np.zeros_like(array) for array in parameters.arrays[2:]]
        return loss, np.concatenate([array.ravel() for array in (*gradients, *empty)])

    member = bags.member
    of_weights = ((of_logits @ kernel.T)[member] * rows).sum(axis=1)
    of_scores = weights * (of_weights - bags.sum(weights * of_weights)[member])
    gradients.append(hidden.T @ of_scores + small * parameters.attention)
    of_hidden = of_scores[:, None] * parameters.attention
    gated = parameters.pooling == "gated-attention"
    of_tanh = (of_hidden * gate if gated else of_hidden) * (1 - tanh**2)
    of_gate = of_hidden * tanh * gate * (1 - gate) if gated else np.zeros((len(rows), 0))
    for part, array in ((of_tanh, parameters.tanh_kernel), (of_gate, parameters.gate_kernel)):
        gradients += [rows.T @ part + small * array, part.sum(axis=0)]
    return loss, np.concatenate([array.ravel() for array in gradients])


def _attend(parameters: PoolingParameters, bags: Bags) -> tuple[Matrix, Any, Any, Any]:
    """Return the weights of the images, the outputs of tanh and sigmoid, and their product."""
    if parameters.pooling == "mean":
        return np.repeat(1.0 / bags.sizes, bags.sizes), None, None, None
    tanh = np.tanh(bags.vectors @ parameters.tanh_kernel + parameters.tanh_bias)
    gate = expit(bags.vectors @ parameters.gate_kernel + parameters.gate_bias)
    hidden = tanh * gate if parameters.pooling == "gated-attention" else tanh
    scores = hidden @ parameters.attention
    powers = np.exp(scores - np.maximum.reduceat(scores, bags.starts)[bags.member])
    return powers / bags.sum(powers)[bags.member], tanh, gate, hidden
