"""The switches of a vision transformer: what distinguishes one architecture from another."""

from __future__ import annotations

from dataclasses import dataclass

from breastcls.argument_checks import check_choice, check_count
from breastcls.errors import ModelError

POOLINGS = ("class", "mean", "class+mean")
"""How the tokens of an image become one vector."""

RESAMPLINGS = ("original", "bicubic", "bicubic-antialias", "bicubic-offset", "none")
"""How learned positions are resampled to another number of patches."""


@dataclass(frozen=True)
class TransformerSwitches:
    """What the network and the conversion of its weights depend on; `VisionTransformer` describes each.

    Raises:
        ModelError: If a value is not valid.
    """

    patch_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int | None = None
    gated: bool = False
    class_token: bool = True
    registers: int = 0
    layer_scale: bool = False
    qkv_bias: bool = True
    key_bias: bool = True
    positions: str = "learned"
    native_size: int = 224
    resampling: str = "original"
    pooling: str = "class"
    epsilon: float = 1e-6
    normalize: bool = True

    def __post_init__(self) -> None:
        """Check the switches."""
        for name in ("patch_size", "width", "depth", "heads", "native_size"):
            check_count(name, getattr(self, name), error=ModelError)
        check_count("registers", self.registers, 0, error=ModelError)
        check_count("mlp_width", self.mlp_width, optional=True, error=ModelError)
        for name, known in (
            ("pooling", POOLINGS),
            ("resampling", RESAMPLINGS),
            ("positions", ("learned", "rotary")),
        ):
            check_choice(name, getattr(self, name), known, error=ModelError)
        if self.width % self.heads:
            raise ModelError(f"width={self.width}: expected a multiple of heads={self.heads}.")
        if self.positions == "rotary" and self.width // self.heads % 4:
            raise ModelError(f"width={self.width}, heads={self.heads}: rotary positions need a multiple of 4 per head.")
        if "class" in self.pooling and not self.class_token:
            raise ModelError(f"pooling={self.pooling!r} needs a class token; found class_token=False.")
        if self.native_size % self.patch_size:
            raise ModelError(f"native_size={self.native_size}: expected a multiple of patch_size={self.patch_size}.")

    @property
    def prefix(self) -> int:
        """The number of tokens in front of the patches: the class token and the registers."""
        return int(self.class_token) + self.registers

    @property
    def hidden(self) -> int:
        """The hidden channels of the multilayer perceptron."""
        return 4 * self.width if self.mlp_width is None else self.mlp_width

    @property
    def stages(self) -> tuple[str, ...]:
        """The prefix of the names of the layers of each block, from the output to the input."""
        return tuple(f"block{index}_" for index in reversed(range(self.depth)))

    def grid(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return (rows, columns) of the patches of an image.

        Raises:
            ModelError: If the image is not divided into whole patches, or its positions cannot be resampled.
        """
        height, width = image_size
        if height % self.patch_size or width % self.patch_size:
            near = tuple(max(1, round(side / self.patch_size)) * self.patch_size for side in image_size)
            raise ModelError(
                f"images of {height}x{width} are not divided into whole patches of {self.patch_size} pixels; "
                f"the nearest size that is: {near}."
            )
        native = (self.native_size, self.native_size)
        if self.resampling == "none" and self.positions == "learned" and image_size != native:
            raise ModelError(f"the positions of this model are for images of {native} only; found {image_size}.")
        return height // self.patch_size, width // self.patch_size
