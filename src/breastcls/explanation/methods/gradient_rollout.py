"""Gradient-weighted rollout: attention weights times their positive gradients, accumulated over blocks."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.attention_maps import AttentionMaps
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def gradient_rollout(scored: ScoredModel, images: np.ndarray, targets: np.ndarray) -> Attribution:
    """Multiply the attention weights of each block by the positive part of their gradient and accumulate over blocks.

    With A the attention weights of a block and G the gradient of the score with respect to them, the relevance R starts
    as the identity and becomes R + mean over heads of max(G A, 0) R. The map is the mean of the rows of the tokens that
    the head reads: the class token, or the patches where the model averages them. Unlike that of attention rollout, the
    map depends on the class.

    Args:
        scored: The model, a vision transformer.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices.

    Raises:
        ExplanationError: If the model has no attention over all of its tokens.

    References:
        Chefer, Gur and Wolf 2021, arXiv:2103.15679, equations 5 and 6.
    """
    maps = AttentionMaps(scored, images)
    relevance = np.repeat(np.eye(maps.tokens)[np.newaxis], len(images), axis=0)
    for weights, gradients in zip(maps.weights(images), maps.gradients(images, targets), strict=True):
        cam = np.maximum(gradients.astype(np.float64) * weights, 0.0).mean(axis=1)
        relevance = relevance + cam @ relevance
    # The identity is the token itself, not evidence: without it a patch that is read would mark itself.
    gained = relevance - np.eye(maps.tokens)
    found = np.einsum("nt,nts->ns", maps.read_tokens(images, targets), gained)
    return Attribution(maps.to_map(found))


GRADIENT_ROLLOUT = Method(
    name="gradient-rollout",
    compute=gradient_rollout,
    title="Gradient-weighted rollout",
    reference="Chefer et al. 2021, arXiv:2103.15679",
    needs_attention=True,
    passes="4 forward, 2 backward",
)
