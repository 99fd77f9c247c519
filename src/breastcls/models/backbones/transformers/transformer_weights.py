"""Weights of a vision transformer from a file of another framework, all or none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import WeightsError
from breastcls.models.backbones.transformers.transformer_switches import TransformerSwitches
from breastcls.models.checkpoints.key_forms import KEY_FORMS, KeyForm
from breastcls.models.checkpoints.position_resampling import resample_positions
from breastcls.models.checkpoints.tensor_file import TensorFile, open_tensors

Array = npt.NDArray[np.float32]

_SHOWN = 4


@dataclass(frozen=True)
class _Source:
    """Where the weights of one layer, or of several that share a module, come from.

    Attributes:
        layers: Names of the layers.
        modules: Modules of the file whose tensors follow each other along the outputs.
        bias: For each layer whether it has a bias; the tensors of a module have it if any of them does.
    """

    layers: tuple[str, ...]
    modules: tuple[str, ...]
    bias: tuple[bool, ...]


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
    form, root = _find_form(architecture, file)
    found: dict[str, list[Array]] = {}
    for source in _sources(architecture, form):
        for name, values in _read(file, root, source):
            found.setdefault(name, []).append(values)
    for name, key in _scales(architecture, form):
        found[name] = [file.read_float32(root + key)]
    found |= _read_tokens(architecture, form, root, file, model)
    _check_shapes(file, model, found)
    for name, values in found.items():
        model.get_layer(name).set_weights(values)


def _sources(architecture: TransformerSwitches, form: KeyForm) -> Iterator[_Source]:
    qkv = architecture.qkv_bias
    biased = {"query": qkv, "key": qkv and architecture.key_bias, "value": qkv}
    yield _Source(("patch_embedding",), (form.patches,), (True,))
    if architecture.normalize:
        yield _Source(("norm",), (form.norm,), (True,))
    for index in range(architecture.depth):
        for parts, module in form.block.items():
            modules = form.gated.get(parts, (module,)) if architecture.gated else (module,)
            names = parts.split("+")
            yield _Source(
                tuple(f"block{index}_{name}" for name in names),
                tuple(one.format(i=index) for one in modules),
                tuple(biased.get(name, True) for name in names),
            )


def _scales(architecture: TransformerSwitches, form: KeyForm) -> Iterator[tuple[str, str]]:
    if architecture.layer_scale:
        for index in range(architecture.depth):
            for branch, key in form.scales.items():
                yield f"block{index}_{branch}_scale", key.format(i=index)


def _expected(architecture: TransformerSwitches, form: KeyForm) -> set[str]:
    """Return the names of all tensors that a file of this form has."""
    keys = {key for _, key in _scales(architecture, form)}
    for source in _sources(architecture, form):
        for module in source.modules:
            keys |= {f"{module}.weight"} | ({f"{module}.bias"} if any(source.bias) else set())
    if architecture.class_token:
        keys.add(form.class_token)
    if architecture.registers:
        keys.add(form.registers)
    if architecture.positions == "learned":
        keys.add(form.positions)
    return keys


def _find_form(architecture: TransformerSwitches, file: TensorFile) -> tuple[KeyForm, str]:
    """Return the form of the names in a file, and what is in front of all of them.

    Raises:
        WeightsError: If the names are of no form, or tensors are missing or left over.
    """
    best: tuple[int, KeyForm, str, list[str], list[str]] | None = None
    for form in KEY_FORMS:
        if architecture.layer_scale and not form.scales:
            continue
        expected = _expected(architecture, form)
        for root in _roots(file, f"{form.patches}.weight"):
            names = {name.removeprefix(root) for name in file if name.startswith(root)}
            outside = [name for name in file if not name.startswith(root)]
            missing = sorted(expected - names, key=_natural)
            extra = sorted(names - expected, key=_natural) + outside
            extra = [name for name in extra if not name.startswith(form.ignored)]
            distance = len(missing) + len(extra)
            if best is None or distance < best[0]:
                best = (distance, form, root, missing, extra)
    if best is None:
        known = ", ".join(f"{form.patches}.weight ({form.name})" for form in KEY_FORMS)
        raise WeightsError(
            f"{file.path} is not a vision transformer in a known form: it has no patch embedding, {known}. It has "
            f"{_listed(sorted(file))}."
        )
    distance, form, root, missing, extra = best
    if distance:
        parts = [f"{len(missing)} tensors are missing: {_listed(missing)}"] if missing else []
        parts += [f"{len(extra)} belong to no layer: {_listed(extra)}"] if extra else []
        raise WeightsError(
            f"{file.path} does not match this vision transformer ({_described(architecture)}). Compared with the form "
            f"of {form.name}, {'; '.join(parts)}. Expected the published file of this very model."
        )
    return form, root


def _roots(file: TensorFile, key: str) -> list[str]:
    """Return what is in front of a key in the names of a file: "" or a prefix such as "vit."."""
    return [name.removesuffix(key) for name in file if name == key or name.endswith(f".{key}")]


def _read(file: TensorFile, root: str, source: _Source) -> Iterator[tuple[str, Array]]:
    """Yield the layers of a source with their kernels, then with their biases."""
    parts = [file.read_float32(f"{root}{module}.weight") for module in source.modules]
    for name, values in _split(file, source, parts):
        yield name, _as_kernel(values)
    if any(source.bias):
        parts = [file.read_float32(f"{root}{module}.bias") for module in source.modules]
        for (name, values), used in zip(_split(file, source, parts), source.bias, strict=True):
            if used:
                yield name, values


def _split(file: TensorFile, source: _Source, parts: list[Array]) -> list[tuple[str, Array]]:
    if len({part.shape[1:] for part in parts}) > 1 or len(parts[0]) % len(source.layers):
        raise WeightsError(
            f"{file.path}: {', '.join(source.modules)} have the shapes {[part.shape for part in parts]}, which are not "
            f"{len(source.layers)} equal parts."
        )
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return list(zip(source.layers, np.split(values, len(source.layers)), strict=True))


def _as_kernel(values: Array) -> Array:
    """Return a weight of PyTorch, outputs first, in the order of Keras."""
    if values.ndim == 4:
        return values.transpose(2, 3, 1, 0)
    return values.T if values.ndim == 2 else values


def _read_tokens(
    architecture: TransformerSwitches, form: KeyForm, root: str, file: TensorFile, model: Any
) -> dict[str, list[Array]]:
    """Return the weights of the prefix tokens and of the positions.

    The position of a token that is no patch is the same for every image, so it is added to the token here.
    """
    keys = [form.class_token] * architecture.class_token + [form.registers] * bool(architecture.registers)
    tokens = [file.read_float32(root + key).reshape(-1, architecture.width) for key in keys]
    prefix = np.concatenate(tokens) if tokens else np.zeros((0, architecture.width), np.float32)
    found: dict[str, list[Array]] = {}
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


def _check_shapes(file: TensorFile, model: Any, found: dict[str, list[Array]]) -> None:
    for layer in model.layers:
        expected = [tuple(weight.shape) for weight in layer.weights]
        shapes = [values.shape for values in found.get(layer.name, [])]
        if expected != shapes:
            raise WeightsError(
                f"{file.path} does not match the network: its weights for the layer {layer.name} have the shapes "
                f"{shapes}; expected {expected}. Expected the published file of this very model."
            )


def _described(architecture: TransformerSwitches) -> str:
    parts = [f"{architecture.depth} blocks of width {architecture.width}", f"patches of {architecture.patch_size}"]
    parts += [f"{architecture.registers} registers"] if architecture.registers else []
    parts += ["LayerScale"] if architecture.layer_scale else []
    parts += ["SwiGLU"] if architecture.gated else []
    return ", ".join(parts)


def _natural(name: str) -> tuple[Any, ...]:
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in name.split("."))


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:80] for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "nothing"
