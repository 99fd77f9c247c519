"""Weights of a vision transformer from a file of another framework, all or none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.errors import WeightsError
from breastcls.models.backbones.transformers.transformer_switches import TransformerSwitches
from breastcls.models.checkpoints.key_forms import KEY_FORMS, KeyForm
from breastcls.models.checkpoints.position_resampling import resample_positions
from breastcls.models.checkpoints.tensor_file import TensorFile, open_tensors
from breastcls.models.checkpoints.weight_plan import (
    Source,
    WeightPlan,
    Weights,
    assign_weights,
    choose_plan,
    read_plan,
)


def load_transformer(architecture: TransformerSwitches, model: Any, path: Path) -> None:
    """Load a file, or the file in a folder, into a network of `architecture`.

    Args:
        architecture: The architecture that built the network.
        model: The network.
        path: A `.safetensors`, `.bin` or `.pth` file, or the folder that holds it.

    Raises:
        WeightsError: If the file is missing, damaged, unsafe or of another architecture; the network is then unchanged.
    """
    file = open_tensors(path)
    forms = {form.name: form for form in KEY_FORMS if form.scales or not architecture.layer_scale}
    plans = [_plan(architecture, form) for form in forms.values()]
    plan, root = choose_plan(file, plans, _described(architecture))
    found = read_plan(file, plan, root)
    found |= _read_tokens(architecture, forms[plan.form], root, file, model)
    assign_weights(file, model, found)


def _plan(architecture: TransformerSwitches, form: KeyForm) -> WeightPlan:
    raw: dict[str, str] = {}
    if architecture.layer_scale:
        for index in range(architecture.depth):
            raw |= {f"block{index}_{branch}_scale": key.format(i=index) for branch, key in form.scales.items()}
    further = [form.class_token] * architecture.class_token + [form.registers] * bool(architecture.registers)
    if architecture.positions == "learned":
        further.append(form.positions)
    return WeightPlan(
        form=form.name,
        anchor=f"{form.patches}.weight",
        sources=tuple(_sources(architecture, form)),
        raw=raw,
        further=tuple(further),
        ignored=form.ignored,
    )


def _sources(architecture: TransformerSwitches, form: KeyForm) -> Iterator[Source]:
    qkv = architecture.qkv_bias
    biased = {"query": qkv, "key": qkv and architecture.key_bias, "value": qkv}
    yield Source(("patch_embedding",), (form.patches,))
    if architecture.normalize:
        yield Source(("norm",), (form.norm,))
    for index in range(architecture.depth):
        for parts, module in form.block.items():
            modules = form.gated.get(parts, (module,)) if architecture.gated else (module,)
            names = parts.split("+")
            yield Source(
                tuple(f"block{index}_{name}" for name in names),
                tuple(one.format(i=index) for one in modules),
                tuple(biased.get(name, True) for name in names),
            )


def _read_tokens(architecture: TransformerSwitches, form: KeyForm, root: str, file: TensorFile, model: Any) -> Weights:
    """Return the weights of the prefix tokens and of the positions.

    The position of a token that is no patch is the same for every image, so it is added to the token here.
    """
    keys = [form.class_token] * architecture.class_token + [form.registers] * bool(architecture.registers)
    tokens = [file.read_float32(root + key).reshape(-1, architecture.width) for key in keys]
    prefix = np.concatenate(tokens) if tokens else np.zeros((0, architecture.width), np.float32)
    found: Weights = {}
    if architecture.positions == "learned":
        positions = file.read_float32(root + form.positions).reshape(-1, architecture.width)
        grid = model.get_layer("prefix_tokens").grid
        before, native = _count_prefix(architecture, file, len(positions))
        if len(prefix) >= before:
            prefix = np.concatenate([prefix[:before] + positions[:before], prefix[before:]])
        patches = positions[before:].reshape(*native, -1)
        if architecture.resampling == "none" and native != grid:
            raise WeightsError(f"{file.path} has positions for {native} patches; the images have {grid}.")
        method = architecture.resampling
        if method == "original":
            method = form.register_resampling if architecture.registers else form.resampling
        resampled = resample_positions(patches, grid, method)
        found["position_embedding"] = [resampled.reshape(1, grid[0] * grid[1], -1)]
    if architecture.prefix:
        found["prefix_tokens"] = [prefix[None]]
    return found


def _count_prefix(architecture: TransformerSwitches, file: TensorFile, count: int) -> tuple[int, tuple[int, int]]:
    """Return how many positions are of tokens in front of the patches, and the grid of the others."""
    side = architecture.native_size // architecture.patch_size
    options = sorted({0, int(architecture.class_token), architecture.prefix})
    for before in options:
        if count - before == side * side:
            return before, (side, side)
    # A file for images of another size, as the small and the large files of one model.
    for before in reversed(options):
        other = math.isqrt(max(count - before, 0))
        if other and other * other == count - before:
            return before, (other, other)
    raise WeightsError(
        f"{file.path} has {count} positions; expected {side} x {side} for images of {architecture.native_size} pixels "
        f"(and {' or '.join(map(str, options))} for the tokens in front of them)."
    )


def _described(architecture: TransformerSwitches) -> str:
    parts = [f"{architecture.depth} blocks of width {architecture.width}", f"patches of {architecture.patch_size}"]
    parts += [f"{architecture.registers} registers"] if architecture.registers else []
    parts += ["LayerScale"] if architecture.layer_scale else []
    parts += ["SwiGLU"] if architecture.gated else []
    return ", ".join(parts)
