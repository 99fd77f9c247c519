"""Which tensors of a file belong to which layers of a network, and loading them, all or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import WeightsError
from breastcls.models.checkpoints.tensor_file import TensorFile
from breastcls.text_tables import format_count

Array = npt.NDArray[np.float32]
Weights = dict[str, list[Array]]
"""The weights of layers by their names, in the order of the layer."""

_SHOWN = 4


@dataclass(frozen=True)
class Source:
    """Where the weights of one layer, or of several that share a module, come from.

    Attributes:
        layers: Names of the layers.
        modules: Modules of the file, whose tensors `<module>.weight` and `<module>.bias` follow each other along the
            outputs.
        bias: Whether each layer has a bias; the modules have biases if any layer has one.
    """

    layers: tuple[str, ...]
    modules: tuple[str, ...]
    bias: tuple[bool, ...] = (True,)


@dataclass(frozen=True)
class WeightPlan:
    """Which tensors of a file, under the names of one framework, belong to which layers.

    Attributes:
        form: The framework whose names these are.
        anchor: The name of a tensor that every such file has; a prefix of it is the prefix of all names.
        sources: The layers with a kernel and perhaps a bias.
        raw: The tensors of layers that take one as it is, by the names of the layers.
        further: Tensors that belong to the network and are read otherwise.
        ignored: Beginnings of the names of tensors that belong to other parts, such as heads.
        ignored_ends: Endings of such names.
    """

    form: str
    anchor: str
    sources: tuple[Source, ...]
    raw: Mapping[str, str] = field(default_factory=dict)
    further: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    ignored_ends: tuple[str, ...] = ()

    @property
    def keys(self) -> set[str]:
        """The names of all tensors that such a file has."""
        keys = {*self.raw.values(), *self.further}
        for source in self.sources:
            for module in source.modules:
                keys |= {f"{module}.weight"} | ({f"{module}.bias"} if any(source.bias) else set())
        return keys


def choose_plan(file: TensorFile, plans: Sequence[WeightPlan], described: str) -> tuple[WeightPlan, str]:
    """Return the plan that fits the names in a file, and the prefix of all names.

    Args:
        file: The file.
        plans: The plans.
        described: The network in words, for the error.

    Raises:
        WeightsError: If the names fit no plan, or tensors are missing or left over.
    """
    best: tuple[int, WeightPlan, str, list[str], list[str]] | None = None
    for plan in plans:
        for root in _roots(file, plan.anchor):
            names = {name.removeprefix(root) for name in file if name.startswith(root)}
            outside = [name for name in file if not name.startswith(root)]
            missing = sorted(plan.keys - names, key=_natural)
            extra = sorted(names - plan.keys, key=_natural) + outside
            extra = [
                name for name in extra if not name.startswith(plan.ignored) and not name.endswith(plan.ignored_ends)
            ]
            distance = len(missing) + len(extra)
            if best is None or distance < best[0]:
                best = (distance, plan, root, missing, extra)
    if best is None:
        known = ", ".join(f"{plan.anchor} ({plan.form})" for plan in plans)
        raise WeightsError(
            f"{file.path} is not this network in a known form: it has no patch embedding, {known}. It has "
            f"{_listed(sorted(file))}."
        )
    distance, plan, root, missing, extra = best
    if distance:
        parts = [f"it lacks {format_count(len(missing), 'tensor')}: {_listed(missing)}"] if missing else []
        parts += [f"it has {format_count(len(extra), 'unexpected tensor')}: {_listed(extra)}"] if extra else []
        raise WeightsError(
            f"{file.path} does not match this network ({described}). Compared with a file of {plan.form}, "
            f"{'; '.join(parts)}. Expected the published file of this model."
        )
    return plan, root


def read_plan(file: TensorFile, plan: WeightPlan, root: str) -> Weights:
    """Return the weights of the layers of a plan.

    Raises:
        WeightsError: If a tensor contains other values than finite floating-point numbers, or cannot be divided.
    """
    found: Weights = {}
    for source in plan.sources:
        for name, values in _read(file, root, source):
            found.setdefault(name, []).append(values)
    for name, key in plan.raw.items():
        found[name] = [file.read_float32(root + key)]
    return found


def assign_weights(file: TensorFile, model: Any, found: Weights) -> None:
    """Set the weights of all layers of a network.

    Raises:
        WeightsError: If a shape differs, or a layer has no weights; the network is then unchanged.
    """
    for layer in model.layers:
        expected = [tuple(weight.shape) for weight in layer.weights]
        shapes = [values.shape for values in found.get(layer.name, [])]
        if expected != shapes:
            raise WeightsError(
                f"{file.path} does not match the network: its weights for the layer {layer.name} have the shapes "
                f"{shapes}; expected {expected}. Use the published file of this model."
            )
    for name, values in found.items():
        model.get_layer(name).set_weights(values)


def _roots(file: TensorFile, key: str) -> list[str]:
    """Return the prefixes of a key in the names of a file: "" or, for example, "vit."."""
    return [name.removesuffix(key) for name in file if name == key or name.endswith(f".{key}")]


def _read(file: TensorFile, root: str, source: Source) -> Iterator[tuple[str, Array]]:
    """Yield the layers of a source with their kernels, then with their biases."""
    parts = [file.read_float32(f"{root}{module}.weight") for module in source.modules]
    for name, values in _split(file, source, parts):
        yield name, _as_kernel(values)
    if any(source.bias):
        parts = [file.read_float32(f"{root}{module}.bias") for module in source.modules]
        for (name, values), used in zip(_split(file, source, parts), source.bias, strict=True):
            if used:
                yield name, values


def _split(file: TensorFile, source: Source, parts: list[Array]) -> list[tuple[str, Array]]:
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


def _natural(name: str) -> tuple[Any, ...]:
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in name.split("."))


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:80] for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "nothing"
