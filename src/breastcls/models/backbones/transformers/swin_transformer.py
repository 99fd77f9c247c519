"""The Swin transformer: attention within shifted windows, in four stages of halved resolution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breastcls.argument_checks import check_count
from breastcls.errors import ModelError
from breastcls.models.backbones.transformers.swin_weights import load_swin

_EPSILON = 1e-5


@dataclass(frozen=True)
class SwinTransformer:
    """The architecture of a Swin transformer (Liu et al. 2021, DOI 10.1109/ICCV48922.2021.00986), version 1.

    Attributes:
        width: Channels of the first stage; each further stage has twice as many.
        depths: Number of blocks of each stage.
        heads: Number of heads of each stage.
        window: Side of a window in patches.
        patch_size: Height and width of a patch in pixels.

    Raises:
        ModelError: If a value is not a positive integer, or the stages do not have equally many depths and heads.

    Example:
        >>> tiny = SwinTransformer(width=8, depths=(1, 1), heads=(2, 2), window=4)
        >>> tiny((32, 32, 3)).output_shape
        (None, 4, 4, 16)
    """

    width: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    window: int = 7
    patch_size: int = 4

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("depths", "heads"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, values in vars(self).items():
            for value in values if isinstance(values, tuple) else (values,):
                check_count(name, value, error=ModelError)
        if len(self.depths) != len(self.heads) or not self.depths:
            raise ModelError(f"depths={self.depths}, heads={self.heads}: expected one number of each for each stage.")
        if any(self.width * 2**stage % heads for stage, heads in enumerate(self.heads)):
            raise ModelError(f"heads={self.heads}: expected divisors of the channels, {self.width} doubled per stage.")

    @property
    def features(self) -> int:
        """The number of features per image."""
        return int(self.width * 2 ** (len(self.depths) - 1))

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a `Backbone` that follow from the architecture."""
        side = self.patch_size * self.window * 2 ** (len(self.depths) - 1)
        return {
            "image_size": (side, side),
            "minimum_size": (side, side),
            "stages": tuple(f"stage{stage}_" for stage in reversed(range(len(self.depths)))),
            "load_checkpoint": self.load_checkpoint,
            "pooling": "mean",
        }

    def __call__(self, input_shape: tuple[int, int, int]) -> Any:
        """Build the network with random weights.

        Args:
            input_shape: (height, width, 3), multiples of 224 for the published ones.

        Returns:
            A functional `keras.Model` from scaled images to feature maps (n, rows, columns, channels).

        Raises:
            ModelError: If the patches of a stage are not divided into whole windows.
        """
        return _build(self, input_shape)

    def load_checkpoint(self, model: Any, path: Path) -> None:
        """Load a file of timm or transformers, or the folder that holds it, into a built network.

        Args:
            model: The network, as this object builds it.
            path: The file, or its folder.

        Raises:
            WeightsError: If the file is missing, damaged or of another architecture; the network is then unchanged.
        """
        load_swin(self.depths, model, path)


def _build(architecture: SwinTransformer, input_shape: tuple[int, int, int]) -> Any:
    import keras
    from keras import layers

    from breastcls.models.backbones.transformers.swin_layers import NeighbourPatches

    side = architecture.fields["image_size"][0]
    if input_shape[0] % side or input_shape[1] % side:
        raise ModelError(f"Swin divides the patches of each stage into windows: expected multiples of {side} pixels.")

    def normalize(name: str, x: Any) -> Any:
        return layers.LayerNormalization(epsilon=_EPSILON, name=name)(x)

    inputs = keras.Input(input_shape)
    size, width = architecture.patch_size, architecture.width
    x = layers.Conv2D(width, size, strides=size, name="patch_embedding")(inputs)
    x = normalize("patch_norm", x)
    for stage, depth in enumerate(architecture.depths):
        if stage:
            width *= 2
            x = normalize(f"stage{stage}_merge_norm", NeighbourPatches(name=f"stage{stage}_neighbours")(x))
            x = layers.Dense(width, use_bias=False, name=f"stage{stage}_merge")(x)
        for block in range(depth):
            # A stage of a single window has nothing to shift.
            whole = min(x.shape[1:3]) <= architecture.window
            shift = architecture.window // 2 if block % 2 and not whole else 0
            x = _block(architecture, f"stage{stage}_block{block}", stage, shift, x)
    return keras.Model(inputs, normalize("norm", x), name="swin_transformer")


def _block(architecture: SwinTransformer, name: str, stage: int, shift: int, patches: Any) -> Any:
    from keras import layers

    from breastcls.models.backbones.transformers.swin_layers import WindowAttention

    width = patches.shape[-1]
    x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm1")(patches)
    parts = [layers.Dense(width, name=f"{name}_{part}")(x) for part in ("query", "key", "value")]
    x = WindowAttention(architecture.heads[stage], architecture.window, shift, name=f"{name}_attention")(parts)
    x = layers.Dense(width, name=f"{name}_projection")(x)
    patches = layers.Add(name=f"{name}_attention_added")([patches, x])
    x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm2")(patches)
    x = layers.Activation("gelu", name=f"{name}_gelu")(layers.Dense(4 * width, name=f"{name}_mlp_in")(x))
    return layers.Add(name=f"{name}_output")([patches, layers.Dense(width, name=f"{name}_mlp_out")(x)])
