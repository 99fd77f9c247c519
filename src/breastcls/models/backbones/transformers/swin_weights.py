"""Weights of a Swin transformer from a file of timm or transformers, all or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from breastcls.models.checkpoints.tensor_file import open_tensors
from breastcls.models.checkpoints.weight_plan import Source, WeightPlan, assign_weights, choose_plan, read_plan

# The module of each part of the block {j} of the stage {i}; {before} is the stage before.
_TIMM = {
    "patch_embedding": "patch_embed.proj",
    "patch_norm": "patch_embed.norm",
    "norm": "norm",
    "norm1": "layers.{i}.blocks.{j}.norm1",
    "query+key+value": "layers.{i}.blocks.{j}.attn.qkv",
    "projection": "layers.{i}.blocks.{j}.attn.proj",
    "norm2": "layers.{i}.blocks.{j}.norm2",
    "mlp_in": "layers.{i}.blocks.{j}.mlp.fc1",
    "mlp_out": "layers.{i}.blocks.{j}.mlp.fc2",
    "attention": "layers.{i}.blocks.{j}.attn.relative_position_bias_table",
    "merge_norm": "layers.{i}.downsample.norm",
    "merge": "layers.{i}.downsample.reduction",
}
# Before timm 0.9, as in the files of the authors, patches are merged at the end of a stage.
_AUTHORS = {
    **_TIMM,
    "merge_norm": "layers.{before}.downsample.norm",
    "merge": "layers.{before}.downsample.reduction",
}
_TRANSFORMERS = {
    "patch_embedding": "embeddings.patch_embeddings.projection",
    "patch_norm": "embeddings.norm",
    "norm": "layernorm",
    "norm1": "encoder.layers.{i}.blocks.{j}.layernorm_before",
    "query": "encoder.layers.{i}.blocks.{j}.attention.self.query",
    "key": "encoder.layers.{i}.blocks.{j}.attention.self.key",
    "value": "encoder.layers.{i}.blocks.{j}.attention.self.value",
    "projection": "encoder.layers.{i}.blocks.{j}.attention.output.dense",
    "norm2": "encoder.layers.{i}.blocks.{j}.layernorm_after",
    "mlp_in": "encoder.layers.{i}.blocks.{j}.intermediate.dense",
    "mlp_out": "encoder.layers.{i}.blocks.{j}.output.dense",
    "attention": "encoder.layers.{i}.blocks.{j}.attention.self.relative_position_bias_table",
    "merge_norm": "encoder.layers.{before}.downsample.norm",
    "merge": "encoder.layers.{before}.downsample.reduction",
}
_FORMS = {"timm": _TIMM, "Swin and older timm": _AUTHORS, "transformers Swin": _TRANSFORMERS}
_ONCE = ("patch_embedding", "patch_norm", "norm")
_MERGES = ("merge_norm", "merge")
_IGNORED = ("head.", "classifier.", "pooler.", "embeddings.mask_token")
# Tables that follow from the architecture.
_TABLES = (".relative_position_index", ".attn_mask")


def load_swin(depths: Sequence[int], model: Any, path: Path) -> None:
    """Load a file, or the file in a folder, into a network with stages of these numbers of blocks.

    Raises:
        WeightsError: If the file is missing, damaged, unsafe or of another architecture; the network is then unchanged.
    """
    file = open_tensors(path)
    plans = [_plan(name, modules, depths) for name, modules in _FORMS.items()]
    described = (
        f"Swin with {', '.join(map(str, depths))} blocks of width {model.get_layer('patch_norm').output.shape[-1]}"
    )
    plan, root = choose_plan(file, plans, described)
    assign_weights(file, model, read_plan(file, plan, root))


def _plan(form: str, modules: Mapping[str, str], depths: Sequence[int]) -> WeightPlan:
    sources = [Source((name,), (modules[name],)) for name in _ONCE]
    raw = {}
    for stage, depth in enumerate(depths):
        if stage:
            for name in _MERGES:
                module = modules[name].format(i=stage, before=stage - 1)
                sources.append(Source((f"stage{stage}_{name}",), (module,), (name == "merge_norm",)))
        for block in range(depth):
            layer = f"stage{stage}_block{block}"
            raw[f"{layer}_attention"] = modules["attention"].format(i=stage, j=block)
            for parts, module in modules.items():
                if parts not in (*_ONCE, *_MERGES, "attention"):
                    names = tuple(f"{layer}_{name}" for name in parts.split("+"))
                    sources.append(Source(names, (module.format(i=stage, j=block),), (True,) * len(names)))
    return WeightPlan(
        form=form,
        anchor=f"{modules['patch_embedding']}.weight",
        sources=tuple(sources),
        raw=raw,
        ignored=_IGNORED,
        ignored_ends=_TABLES,
    )
