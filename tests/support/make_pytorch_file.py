"""Makes `data/pytorch_*.pth` with PyTorch, which the tests themselves do not need: `python make_pytorch_file.py`."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch

DATA = Path(__file__).parent / "data"


def main() -> None:
    """Write the files."""
    plain = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors = OrderedDict(
        plain=plain,
        transposed=plain.T,
        part=plain[1:, ::2],
        scalar=torch.tensor(7.0),
        half=plain.half(),
        bfloat16=torch.tensor([1.0, -2.5, 0.15625], dtype=torch.bfloat16),
        integers=torch.arange(5),
        flags=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(plain),
        empty=torch.zeros(0, 3),
    )
    torch.save(tensors, DATA / "pytorch_tensors.pth")
    torch.save(tensors, DATA / "pytorch_tensors_legacy.pth", _use_new_zipfile_serialization=False)
    layer = torch.nn.Linear(4, 3, bias=False)
    layer.weight.data = plain
    state = {"epoch": 3, "state_dict": layer.state_dict(), "optimizer": {"lr": 0.1}}
    torch.save(state, DATA / "pytorch_training_state.pth")


if __name__ == "__main__":
    main()
