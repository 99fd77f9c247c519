"""One vision transformer with switches, from which every registered one is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from breastcls.models.backbones.transformers.transformer_switches import TransformerSwitches
from breastcls.models.backbones.transformers.transformer_weights import load_transformer


class VisionTransformer(TransformerSwitches):
    """The architecture of a vision transformer (Dosovitskiy et al. 2021, DOI 10.48550/arXiv.2010.11929).

    It is a factory for `register_backbone`, and loads the files of timm, transformers and DINOv2. Each block normalises
    its input first. The activation is the exact GELU, or SwiGLU.

    Attributes:
        patch_size: Height and width of a patch in pixels.
        width: Channels of a token.
        depth: Number of blocks.
        heads: Number of attention heads.
        mlp_width: Hidden channels of the multilayer perceptron, behind the gate where there is one. None means four
            times `width`.
        gated: Whether the multilayer perceptron is SwiGLU instead of GELU.
        class_token: Whether there is a class token.
        registers: Number of register tokens (Darcet et al. 2024, DOI 10.48550/arXiv.2309.16588).
        layer_scale: Whether the output of each branch is multiplied by a learned factor per channel.
        qkv_bias: Whether queries, keys and values have a bias.
        key_bias: Whether keys have a bias too, where `qkv_bias` is true.
        positions: `"learned"`, or `"rotary"` for RoPE.
        native_size: Side in pixels of the square images to which the positions in the published file belong.
        resampling: How learned positions are resampled for images of another size. `"original"`: with the method of the
            library whose tensor names the file has, which is one of `"bicubic"` (transformers), `"bicubic-antialias"`
            (timm, and networks with registers) and `"bicubic-offset"` (DINOv2). `"none"`: another size is refused.
        pooling: `"class"`, `"mean"`, or `"class+mean"`.
        epsilon: Added to the variance in layer normalisation.
        normalize: Whether the tokens are normalised before they are pooled.

    Raises:
        ModelError: If a value is not valid.

    Example:
        >>> tiny = VisionTransformer(patch_size=8, width=16, depth=1, heads=2)
        >>> tiny((32, 32, 3)).output_shape
        (None, 16)
    """

    @property
    def features(self) -> int:
        """The number of features per image."""
        return self.width * (2 if self.pooling == "class+mean" else 1)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a `Backbone` that follow from the architecture."""
        return {
            "options": ("pooling",),
            "minimum_size": (self.patch_size, self.patch_size),
            "stages": self.stages,
            "load_checkpoint": self.load_checkpoint,
            "pooling": self.pooling,
        }

    def __call__(self, input_shape: tuple[int, int, int], pooling: str | None = None) -> Any:
        """Build the network with random weights.

        Args:
            input_shape: (height, width, 3), multiples of `patch_size`.
            pooling: A pooling in place of that of the architecture.

        Returns:
            A functional `keras.Model` from scaled images to features (n, channels), twice as many channels for
            `"class+mean"`.

        Raises:
            ModelError: If the size does not fit the architecture, or there is no such pooling.
        """
        architecture = self if pooling is None else replace(self, pooling=pooling)
        return _build(architecture, input_shape)

    def load_checkpoint(self, model: Any, path: Path) -> None:
        """Load a file of timm, transformers or DINOv2, or the folder that holds it, into a built network.

        Args:
            model: The network, as this object builds it.
            path: The file, or its folder.

        Raises:
            WeightsError: If the file is missing, damaged or of another architecture; the network is then unchanged.
        """
        load_transformer(self, model, path)


def _build(architecture: TransformerSwitches, input_shape: tuple[int, int, int]) -> Any:
    import keras

    from breastcls.models.backbones.transformers import transformer_layers as own

    grid, width, prefix = architecture.grid(input_shape[:2]), architecture.width, architecture.prefix
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, architecture.patch_size, strides=architecture.patch_size, name="patch_embedding")(
        inputs
    )
    x = keras.layers.Reshape((grid[0] * grid[1], width), name="patches")(x)
    if architecture.positions == "learned":
        x = own.PositionEmbedding(name="position_embedding")(x)
    x = own.PrefixTokens(prefix, architecture.patch_size, grid, name="prefix_tokens")(x)
    rotate = None
    if architecture.positions == "rotary":

        def rotate(name: str, tokens: Any) -> Any:
            return own.RotaryPositions(architecture.heads, prefix, grid, name=name)(tokens)

    for index in range(architecture.depth):
        x = _block(architecture, f"block{index}", x, rotate)
    if architecture.normalize:
        x = keras.layers.LayerNormalization(epsilon=architecture.epsilon, name="norm")(x)
    x = own.PoolTokens(architecture.pooling, prefix, name="pool_tokens")(x)
    return keras.Model(inputs, x, name="vision_transformer")


def _block(architecture: TransformerSwitches, name: str, tokens: Any, rotate: Callable[[str, Any], Any] | None) -> Any:
    """Return the tokens behind one block: attention, then the multilayer perceptron, each added to its input."""
    from keras import layers

    from breastcls.models.backbones.transformers import transformer_layers as own

    def dense(part: str, units: int, inputs: Any, *, bias: bool = True) -> Any:
        return layers.Dense(units, use_bias=bias, name=f"{name}_{part}")(inputs)

    def branch(part: str, output: Any, added_to: Any, ending: str) -> Any:
        if architecture.layer_scale:
            output = own.LayerScale(name=f"{name}_{part}_scale")(output)
        return layers.Add(name=f"{name}_{ending}")([added_to, output])

    width, bias = architecture.width, architecture.qkv_bias
    x = layers.LayerNormalization(epsilon=architecture.epsilon, name=f"{name}_norm1")(tokens)
    query = dense("query", width, x, bias=bias)
    key = dense("key", width, x, bias=bias and architecture.key_bias)
    value = dense("value", width, x, bias=bias)
    if rotate is not None:
        query, key = rotate(f"{name}_query_positions", query), rotate(f"{name}_key_positions", key)
    weights = own.AttentionWeights(architecture.heads, name=f"{name}_attention")([query, key])
    x = own.AttendedValues(name=f"{name}_attended")([weights, value])
    tokens = branch("attention", dense("projection", width, x), tokens, "attention_added")
    x = layers.LayerNormalization(epsilon=architecture.epsilon, name=f"{name}_norm2")(tokens)
    if architecture.gated:
        x = own.GatedUnit(name=f"{name}_gate")(dense("mlp_in", 2 * architecture.hidden, x))
    else:
        x = layers.Activation("gelu", name=f"{name}_gelu")(dense("mlp_in", architecture.hidden, x))
    return branch("mlp", dense("mlp_out", width, x), tokens, "output")
