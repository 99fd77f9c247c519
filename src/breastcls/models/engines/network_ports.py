"""Inputs and outputs of a network: whether it takes RGB images and gives one number per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from breastcls.errors import ModelError
from breastcls.models.engines.session import Shape


@dataclass(frozen=True)
class Port:
    """An input or output.

    Attributes:
        name: Its name.
        shape: Its shape; None for a dimension of any length.
    """

    name: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.name} {self.shape}"


def check_ports(source: object, inputs: Sequence[Port], outputs: Sequence[Port]) -> tuple[Shape, Shape, bool]:
    """Return the input and output shape of a network for images, and whether its images have the channels first.

    Args:
        source: What is described, for messages: the path of a file.
        inputs: All inputs.
        outputs: All outputs.

    Returns:
        (None, height, width, 3); (None, outputs), outputs None where the file does not say; and True for a network that
        takes (n, 3, height, width).

    Raises:
        ModelError: If the network has several inputs or outputs, does not take RGB images, or does not give one number
            per image and class.
    """
    for what, ports in (("inputs", inputs), ("outputs", outputs)):
        if len(ports) != 1:
            raise ModelError(
                f"{source}: expected a network with one input and one output; it has {len(ports)} {what}: "
                f"{', '.join(map(str, ports)) or 'none'}. Export the part from the images to the class scores only."
            )
    [shape], [output] = (port.shape for port in inputs), (port.shape for port in outputs)
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        hint = ""
        if len(shape) == 4 and None in (shape[1], shape[3]):
            hint = " The number of channels is not fixed in the file: export the model with a fixed one."
        elif len(shape) == 4 and 1 in (shape[1], shape[3]):
            hint = " It takes grey images: export it behind a conversion from RGB."
        raise ModelError(
            f"{source}: expected one input of RGB images, (n, height, width, 3) or (n, 3, height, width); found "
            f"{inputs[0]}.{hint}"
        )
    # Poolings of PyTorch may leave dimensions of length 1 behind, (n, classes, 1, 1).
    extra = [side for side in output[2:] if side != 1]
    if len(output) < 1 or extra:
        raise ModelError(
            f"{source}: expected one output of class scores, (n, classes); found {outputs[0]}. Export the model with "
            "its classifier."
        )
    channels_first = shape[3] != 3
    sides = shape[2:] if channels_first else shape[1:3]
    return (None, *sides, 3), (None, output[1] if len(output) > 1 else 1), channels_first
