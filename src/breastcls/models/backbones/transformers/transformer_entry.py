"""From the facts about a published vision transformer to its entry in the registry."""

from __future__ import annotations

from typing import Any

from breastcls.models.backbones.backbone import Backbone
from breastcls.models.backbones.transformers.swin_transformer import SwinTransformer
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer

HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation that scale to -1..1."""

SMALL: dict[str, Any] = {"width": 384, "depth": 12, "heads": 6}
BASE: dict[str, Any] = {"width": 768, "depth": 12, "heads": 12}
LARGE: dict[str, Any] = {"width": 1024, "depth": 24, "heads": 16}
HUGE: dict[str, Any] = {"width": 1280, "depth": 32, "heads": 16}
GIANT: dict[str, Any] = {"width": 1536, "depth": 40, "heads": 24, "mlp_width": 4096, "gated": True}

_NOT_READ = "The published file was not read; the conversion was compared with {program} on small random networks."


def transformer_entry(
    name: str,
    architecture: VisionTransformer | SwinTransformer,
    repository: str,
    *,
    file: str = "model.safetensors",
    program: str = "timm",
    terms: bool = False,
    unverified: str = "",
    **fields: Any,
) -> Backbone:
    """Return the entry of a published vision transformer.

    Args:
        name: The name that `build_model` takes.
        architecture: Its architecture.
        repository: Its repository on Hugging Face, or an address.
        file: The file of its weights there.
        program: The library that its authors run it with, which the conversion is compared with.
        terms: Whether the repository opens only after its terms were agreed to.
        unverified: What else was not verified.
        **fields: Other fields of `Backbone`.
    """
    address = repository if "://" in repository else f"https://huggingface.co/{repository}"
    obtain = f"{file} from {address}" + (", after agreeing to its terms there" if terms else "")
    return Backbone(
        name=name,
        factory=architecture,
        origin=address,
        obtain=f"{obtain}; pass weights='<path of the file or of its folder>'.",
        unverified=" ".join(filter(None, (_NOT_READ.format(program=program), unverified))),
        **{**architecture.fields, **fields},
    )
