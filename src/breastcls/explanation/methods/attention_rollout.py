"""Attention rollout: the attention weights of all blocks of a transformer multiplied."""

from __future__ import annotations

import numpy as np

from breastcls.explanation.attention_maps import AttentionMaps
from breastcls.explanation.methods.method import Attribution, Method
from breastcls.explanation.scored_model import ScoredModel


def attention_rollout(scored: ScoredModel, images: np.ndarray, targets: np.ndarray) -> Attribution:
    """Multiply the attention weights of all blocks, averaged over heads, each mixed in equal parts with the identity.

    The product is the share of each patch in the tokens that the head reads, as far as attention mixes them: the class
    token, or the mean over the patches where the model averages them. Class token and registers are left out of the
    map. The map is the same for every class and never negative, and it does not depend on what the blocks compute from
    the attended values.

    Args:
        scored: The model, a vision transformer.
        images: float32 (n, h, w, 3), RGB, values 0..255.
        targets: int64 (n,), class indices; the map does not depend on them.

    Raises:
        ExplanationError: If the model has no attention over all of its tokens.

    References:
        Abnar and Zuidema 2020, arXiv:2005.00928.
    """
    maps = AttentionMaps(scored, images)
    rollout = np.eye(maps.tokens)[np.newaxis]
    for weights in maps.weights(images):
        mixed = 0.5 * weights.mean(axis=1, dtype=np.float64) + 0.5 * np.eye(maps.tokens)
        rollout = mixed / mixed.sum(axis=-1, keepdims=True) @ rollout
    reached = np.einsum("nt,nts->ns", maps.read_tokens(images, targets), rollout)
    return Attribution(maps.to_map(reached))


ATTENTION_ROLLOUT = Method(
    name="attention-rollout",
    compute=attention_rollout,
    title="Attention rollout",
    reference="Abnar and Zuidema 2020, arXiv:2005.00928",
    shows="which patches reach the head by attention, for no class in particular",
    needs_attention=True,
    passes="3 forward, 1 backward of the last layers",
)
