"""Vision transformers that were trained on general images: ViT, DeiT, DINOv2, DINOv3 and Swin."""

from __future__ import annotations

from breastcls.models.backbones.backbone import Backbone
from breastcls.models.backbones.transformers.swin_transformer import SwinTransformer
from breastcls.models.backbones.transformers.transformer_entry import (
    BASE,
    GIANT,
    HALVES,
    LARGE,
    SMALL,
    transformer_entry,
)
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer

_VIT = "https://doi.org/10.48550/arXiv.2010.11929"
_DEIT = "https://doi.org/10.48550/arXiv.2012.12877"
_SWIN = "https://doi.org/10.1109/ICCV48922.2021.00986"
_DINOV2 = "https://doi.org/10.48550/arXiv.2304.07193"
_REGISTERS = "https://doi.org/10.48550/arXiv.2309.16588"
_DINOV3 = "https://doi.org/10.48550/arXiv.2508.10104"
_LICENCE = "Its licence was not confirmed with its publisher."
_IMAGENET = "The images of ImageNet are for non-commercial research and education."
_DINOV3_TERMS = (
    "The DINOv3 License has to be passed on with the weights and with what is derived from them, and excludes some "
    "uses, among them military ones."
)

_SIZES = {"s": ("small", SMALL), "b": ("base", BASE), "l": ("large", LARGE)}

GENERAL_TRANSFORMERS: tuple[Backbone, ...] = (
    *(
        transformer_entry(
            f"vit-{letter}16",
            VisionTransformer(patch_size=16, **sizes),
            f"timm/vit_{word}_patch16_224.augreg_in21k",
            scaling=HALVES,
            licence="Apache-2.0",
            paper=_VIT,
            unverified=f"{_LICENCE} {_IMAGENET}",
        )
        for letter, (word, sizes) in _SIZES.items()
    ),
    *(
        transformer_entry(
            f"deit-{letter}16",
            VisionTransformer(patch_size=16, **sizes),
            f"timm/deit_{word}_patch16_224.fb_in1k",
            scaling="imagenet",
            licence="Apache-2.0",
            paper=_DEIT,
            unverified=f"{_LICENCE} {_IMAGENET}",
        )
        for letter, (word, sizes) in _SIZES.items()
        if letter != "l"
    ),
    *(
        transformer_entry(
            f"dinov2-{letter}14",
            VisionTransformer(patch_size=14, layer_scale=True, native_size=518, **sizes),
            f"facebook/dinov2-{word}",
            program="timm and transformers",
            scaling="imagenet",
            licence="Apache-2.0",
            paper=_DINOV2,
        )
        for letter, (word, sizes) in {**_SIZES, "g": ("giant", GIANT)}.items()
    ),
    *(
        transformer_entry(
            f"dinov2-reg-{letter}14",
            VisionTransformer(patch_size=14, layer_scale=True, registers=4, native_size=518, **sizes),
            f"facebook/dinov2-with-registers-{word}",
            program="timm and transformers",
            scaling="imagenet",
            licence="Apache-2.0",
            paper=_REGISTERS,
        )
        for letter, (word, sizes) in {**_SIZES, "g": ("giant", GIANT)}.items()
    ),
    *(
        transformer_entry(
            f"dinov3-{letter}16",
            VisionTransformer(
                patch_size=16,
                layer_scale=True,
                registers=4,
                positions="rotary",
                key_bias=False,
                epsilon=1e-5,
                **sizes,
            ),
            f"facebook/dinov3-vit{letter}16-pretrain-lvd1689m",
            program="transformers",
            terms=True,
            scaling="imagenet",
            licence="DINOv3 License",
            restriction=_DINOV3_TERMS,
            paper=_DINOV3,
        )
        for letter, (_, sizes) in _SIZES.items()
    ),
    *(
        transformer_entry(
            f"swin-{word[0]}4",
            SwinTransformer(width=width, depths=(2, 2, blocks, 2), heads=tuple(width // 32 * 2**i for i in range(4))),
            f"microsoft/swin-{word}-patch4-window7-224",
            program="timm and transformers",
            scaling="imagenet",
            licence="Apache-2.0",
            paper=_SWIN,
            unverified=f"{_LICENCE} {_IMAGENET}",
        )
        for word, width, blocks in (("tiny", 96, 6), ("small", 96, 18), ("base", 128, 18))
    ),
)
