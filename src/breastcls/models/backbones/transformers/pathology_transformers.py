"""Vision transformers that were trained on histology: what their publishers state, as data.

Architectures, scaling and pooling are those of the code with which TRIDENT, eva, LazySlide and the publishers run them.
"""

from __future__ import annotations

from breastcls.models.backbones.backbone import Backbone
from breastcls.models.backbones.transformers.transformer_entry import (
    BASE,
    GIANT,
    HALVES,
    HUGE,
    LARGE,
    SMALL,
    transformer_entry,
)
from breastcls.models.backbones.transformers.vision_transformer import VisionTransformer

_BIN = "pytorch_model.bin"
_NC_ND = "CC BY-NC-ND 4.0"
_NC_ND_TERMS = (
    "Only for non-commercial academic research; models derived from it, and data sets made with it, may not be used "
    "commercially, and changed weights may not be shared."
)
_OWKIN_TERMS = "Only for non-commercial research by non-profit entities; so are results and what is derived from it."
_KAIKO_TERMS = "Only for non-commercial use, and in no connection with a patent application; share alike."
_APACHE = "Apache-2.0"
_HIBOU = ((0.7068, 0.5755, 0.722), (0.195, 0.2316, 0.1816))
_KAIKO_FILES = "https://github.com/kaiko-ai/towards_large_pathology_fms/releases/tag/0.0.1"
_KAIKO_PAPER = "https://doi.org/10.48550/arXiv.2404.15217"

PATHOLOGY_TRANSFORMERS: tuple[Backbone, ...] = (
    transformer_entry(
        "uni",
        VisionTransformer(patch_size=16, layer_scale=True, **LARGE),
        "MahmoodLab/UNI",
        file=_BIN,
        terms=True,
        scaling="imagenet",
        licence=_NC_ND,
        restriction=_NC_ND_TERMS,
        paper="https://doi.org/10.1038/s41591-024-02857-3",
    ),
    transformer_entry(
        "uni2-h",
        VisionTransformer(patch_size=14, layer_scale=True, registers=8, **{**GIANT, "depth": 24}),
        "MahmoodLab/UNI2-h",
        file=_BIN,
        terms=True,
        scaling="imagenet",
        licence=_NC_ND,
        restriction=_NC_ND_TERMS,
        paper="https://doi.org/10.1038/s41591-024-02857-3",
    ),
    transformer_entry(
        "phikon",
        VisionTransformer(patch_size=16, epsilon=1e-12, **BASE),
        "owkin/phikon",
        program="transformers",
        scaling="imagenet",
        licence="Owkin non-commercial licence",
        restriction=_OWKIN_TERMS,
        paper="https://doi.org/10.1101/2023.07.21.23292757",
    ),
    transformer_entry(
        "phikon-v2",
        VisionTransformer(patch_size=16, layer_scale=True, **LARGE),
        "owkin/phikon-v2",
        program="transformers",
        scaling="imagenet",
        licence="Owkin non-commercial licence",
        restriction=_OWKIN_TERMS,
        paper="https://doi.org/10.48550/arXiv.2409.09173",
        unverified="The terms are those of Phikon; the text of this licence was not read.",
    ),
    transformer_entry(
        "virchow",
        VisionTransformer(patch_size=14, layer_scale=True, gated=True, mlp_width=3416, pooling="class+mean", **HUGE),
        "paige-ai/Virchow",
        file=_BIN,
        terms=True,
        scaling="imagenet",
        licence=_APACHE,
        restriction="Not intended for diagnosis, treatment or prevention of disease of real patients.",
        paper="https://doi.org/10.1038/s41591-024-03141-0",
    ),
    transformer_entry(
        "virchow2",
        VisionTransformer(
            patch_size=14,
            layer_scale=True,
            registers=4,
            gated=True,
            mlp_width=3416,
            pooling="class+mean",
            **HUGE,
        ),
        "paige-ai/Virchow2",
        file=_BIN,
        terms=True,
        scaling="imagenet",
        licence=_NC_ND,
        restriction=_NC_ND_TERMS,
        paper="https://doi.org/10.48550/arXiv.2408.00738",
    ),
    transformer_entry(
        "h-optimus-0",
        VisionTransformer(patch_size=14, layer_scale=True, registers=4, **GIANT),
        "bioptimus/H-optimus-0",
        file=_BIN,
        scaling=((0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517)),
        licence=_APACHE,
        paper="https://github.com/bioptimus/releases",
    ),
    transformer_entry(
        "gigapath",
        VisionTransformer(patch_size=16, layer_scale=True, **GIANT),
        "prov-gigapath/prov-gigapath",
        file=_BIN,
        terms=True,
        scaling="imagenet",
        licence="Apache-2.0 with conditions",
        restriction="Only for research and for reproducing the paper; any deployed use, clinical or commercial, is "
        "out of scope.",
        paper="https://doi.org/10.1038/s41586-024-07441-w",
        unverified="The publishers resize tiles to 256 pixels and cut the central 224; images here are resized to 224.",
    ),
    transformer_entry(
        "midnight",
        VisionTransformer(patch_size=14, layer_scale=True, pooling="class+mean", **GIANT),
        "kaiko-ai/midnight",
        program="transformers",
        scaling=HALVES,
        licence="MIT",
        paper="https://doi.org/10.48550/arXiv.2504.05186",
        unverified="The image size of its positions is not confirmed; positions of another size are resampled.",
    ),
    transformer_entry(
        "hibou-b",
        VisionTransformer(patch_size=14, layer_scale=True, registers=4, gated=True, mlp_width=2048, **BASE),
        "histai/hibou-b",
        program="transformers",
        scaling=_HIBOU,
        licence=_APACHE,
        paper="https://doi.org/10.48550/arXiv.2406.05074",
        unverified="That the names of its tensors are those of DINOv2 with registers in transformers is not confirmed.",
    ),
    transformer_entry(
        "hibou-l",
        VisionTransformer(patch_size=14, layer_scale=True, registers=4, gated=True, mlp_width=2736, **LARGE),
        "histai/hibou-L",
        program="transformers",
        terms=True,
        scaling=_HIBOU,
        licence=_APACHE,
        paper="https://doi.org/10.48550/arXiv.2406.05074",
        unverified="The names of its tensors and its SwiGLU (from its number of parameters) are not confirmed.",
    ),
    *(
        transformer_entry(
            f"kaiko-{letter}{patch_size}",
            VisionTransformer(patch_size=patch_size, **sizes),
            _KAIKO_FILES,
            file=f"vit{letter}{patch_size}.pth",
            scaling=HALVES,
            licence="Kaiko Non-Commercial Public License",
            restriction=_KAIKO_TERMS,
            paper=_KAIKO_PAPER,
        )
        for letter, patch_size, sizes in (("s", 16, SMALL), ("s", 8, SMALL), ("b", 16, BASE), ("b", 8, BASE))
    ),
    transformer_entry(
        "kaiko-l14",
        VisionTransformer(patch_size=14, layer_scale=True, registers=4, native_size=518, **LARGE),
        _KAIKO_FILES,
        file="vitl14.pth",
        scaling=HALVES,
        licence="Kaiko Non-Commercial Public License",
        restriction=_KAIKO_TERMS,
        paper=_KAIKO_PAPER,
        unverified="The publishers pass images of 518 or of 224 pixels; here the default is 224.",
    ),
)
