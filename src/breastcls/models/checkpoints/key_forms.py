"""The names of the tensors of a vision transformer in the files of other frameworks, as data.

A new form is one entry of `KEY_FORMS`: which tensor belongs to which layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class KeyForm:
    """How one framework names the tensors of a vision transformer.

    A module has the tensors `<module>.weight` and `<module>.bias`. Where the file has several layers in one module, or
    several modules for one layer, they follow each other along the outputs, in the order of the names.

    Attributes:
        name: The framework.
        patches: The module of the patch embedding.
        norm: The module of the last normalisation.
        class_token: The tensor of the class token.
        positions: The tensor of the learned positions.
        registers: The tensor of the registers.
        block: The module of each part of a block: `norm1`, `query`, `key`, `value`, `projection`, `norm2`, `mlp_in`,
            `mlp_out`. `{i}` is the number of the block. `"query+key+value"` is one module that holds three.
        gated: The module of `mlp_in`, or the modules, and that of `mlp_out` where the multilayer perceptron is gated.
        scales: The tensors of the factors of `attention` and `mlp`.
        resampling: How this framework resamples positions to another number of patches.
        register_resampling: The same for networks with registers.
        ignored: Beginnings of the names of tensors that belong to other parts: heads, mask tokens.
    """

    name: str
    patches: str
    norm: str
    class_token: str
    positions: str
    registers: str
    block: Mapping[str, str]
    scales: Mapping[str, str]
    resampling: str = "bicubic-antialias"
    register_resampling: str = "bicubic-antialias"
    gated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


_HEADS = ("head.", "head_dist.", "fc_norm.", "classifier.", "pooler.", "mask_token", "embeddings.mask_token")

TIMM = KeyForm(
    name="timm",
    patches="patch_embed.proj",
    norm="norm",
    class_token="cls_token",
    positions="pos_embed",
    registers="reg_token",
    block={
        "norm1": "blocks.{i}.norm1",
        "query+key+value": "blocks.{i}.attn.qkv",
        "projection": "blocks.{i}.attn.proj",
        "norm2": "blocks.{i}.norm2",
        "mlp_in": "blocks.{i}.mlp.fc1",
        "mlp_out": "blocks.{i}.mlp.fc2",
    },
    scales={"attention": "blocks.{i}.ls1.gamma", "mlp": "blocks.{i}.ls2.gamma"},
    ignored=_HEADS,
)
DINOV2 = replace(
    TIMM,
    name="DINOv2",
    registers="register_tokens",
    gated={"mlp_in": ("blocks.{i}.mlp.w12",), "mlp_out": ("blocks.{i}.mlp.w3",)},
    resampling="bicubic-offset",
)
TRANSFORMERS_VIT = KeyForm(
    name="transformers ViT and DeiT",
    patches="embeddings.patch_embeddings.projection",
    norm="layernorm",
    class_token="embeddings.cls_token",
    positions="embeddings.position_embeddings",
    registers="embeddings.register_tokens",
    block={
        "norm1": "encoder.layer.{i}.layernorm_before",
        "query": "encoder.layer.{i}.attention.attention.query",
        "key": "encoder.layer.{i}.attention.attention.key",
        "value": "encoder.layer.{i}.attention.attention.value",
        "projection": "encoder.layer.{i}.attention.output.dense",
        "norm2": "encoder.layer.{i}.layernorm_after",
        "mlp_in": "encoder.layer.{i}.intermediate.dense",
        "mlp_out": "encoder.layer.{i}.output.dense",
    },
    scales={},
    resampling="bicubic",
    ignored=_HEADS,
)
TRANSFORMERS_DINOV2 = replace(
    TRANSFORMERS_VIT,
    name="transformers DINOv2",
    block={
        **TRANSFORMERS_VIT.block,
        "norm1": "encoder.layer.{i}.norm1",
        "norm2": "encoder.layer.{i}.norm2",
        "mlp_in": "encoder.layer.{i}.mlp.fc1",
        "mlp_out": "encoder.layer.{i}.mlp.fc2",
    },
    gated={"mlp_in": ("encoder.layer.{i}.mlp.weights_in",), "mlp_out": ("encoder.layer.{i}.mlp.weights_out",)},
    scales={
        "attention": "encoder.layer.{i}.layer_scale1.lambda1",
        "mlp": "encoder.layer.{i}.layer_scale2.lambda1",
    },
)
TRANSFORMERS_DINOV3 = KeyForm(
    name="transformers DINOv3",
    patches="embeddings.patch_embeddings",
    norm="norm",
    class_token="embeddings.cls_token",
    positions="embeddings.position_embeddings",
    registers="embeddings.register_tokens",
    block={
        "norm1": "layer.{i}.norm1",
        "query": "layer.{i}.attention.q_proj",
        "key": "layer.{i}.attention.k_proj",
        "value": "layer.{i}.attention.v_proj",
        "projection": "layer.{i}.attention.o_proj",
        "norm2": "layer.{i}.norm2",
        "mlp_in": "layer.{i}.mlp.up_proj",
        "mlp_out": "layer.{i}.mlp.down_proj",
    },
    gated={
        "mlp_in": ("layer.{i}.mlp.gate_proj", "layer.{i}.mlp.up_proj"),
        "mlp_out": ("layer.{i}.mlp.down_proj",),
    },
    scales={"attention": "layer.{i}.layer_scale1.lambda1", "mlp": "layer.{i}.layer_scale2.lambda1"},
    ignored=_HEADS,
)

KEY_FORMS = (TIMM, DINOV2, TRANSFORMERS_VIT, TRANSFORMERS_DINOV2, TRANSFORMERS_DINOV3)
