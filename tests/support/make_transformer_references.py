"""Makes `data/transformers/`: small random vision transformers of timm and transformers with their outputs.

`python make_transformer_references.py` needs PyTorch, timm and transformers, which the tests themselves do not need.
Each file of weights has the names of tensors and the switches of a published one, at width 8, depth 2 and 4 x 4
patches; `outputs.npz` has the features of the images of `draw_images` at that size and at one with 5 x 3 patches.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import transformers
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).parent / "data" / "transformers"
WIDTH, DEPTH, HEADS, GATED, SIDE = 8, 2, 2, 16, 4
OTHER = (5, 3)
"""(rows, columns) of patches of the other size."""


def draw_images(grid: tuple[int, int], patch_size: int) -> np.ndarray:
    """Return two scaled images, (2, height, width, 3)."""
    shape = (2, grid[0] * patch_size, grid[1] * patch_size, 3)
    return np.random.default_rng(0).uniform(-2, 2, shape).astype(np.float32)


def of_timm(patch_size: int, pooling: str = "class", gated: bool = False, **switches: Any) -> tuple[Any, Callable]:
    """Return a network of timm, and the function from images to features."""
    more = {"mlp_layer": timm.layers.SwiGLUPacked, "act_layer": torch.nn.SiLU} if gated else {}
    network = timm.models.VisionTransformer(
        img_size=SIDE * patch_size,
        patch_size=patch_size,
        embed_dim=WIDTH,
        depth=DEPTH,
        num_heads=HEADS,
        mlp_ratio=2 * GATED / WIDTH if gated else 4,
        num_classes=0,
        dynamic_img_size=True,
        **more,
        **switches,
    )
    prefix = 1 + switches.get("reg_tokens", 0)
    return network, lambda images: pool(network.forward_features(images), prefix, pooling)


def of_transformers(
    kind: str, patch_size: int, pooling: str = "class", prefix: int = 1, **switches: Any
) -> tuple[Any, Callable]:
    """Return a network of transformers, and the function from images to features."""
    config = getattr(transformers, f"{kind}Config")(
        image_size=SIDE * patch_size,
        patch_size=patch_size,
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        **{"mlp_ratio": 4, "intermediate_size": 4 * WIDTH, **switches},
    )
    network = getattr(transformers, f"{kind}Model")(config)
    options = {"interpolate_pos_encoding": True} if kind == "ViT" else {}
    return network, lambda images: pool(network(images, **options).last_hidden_state, prefix, pooling)


def swin_of_timm() -> tuple[Any, Callable]:
    """Return a Swin transformer of timm with two stages, the first of four windows."""
    network = timm.models.SwinTransformer(
        img_size=32, patch_size=2, window_size=8, embed_dim=WIDTH, depths=(2, 2), num_heads=(2, 4), num_classes=0
    )
    return network, network.forward_features


def swin_of_transformers() -> tuple[Any, Callable]:
    """Return the same of transformers."""
    config = transformers.SwinConfig(
        image_size=32, patch_size=2, window_size=8, embed_dim=WIDTH, depths=[2, 2], num_heads=[2, 4]
    )
    network = transformers.SwinModel(config, add_pooling_layer=False)
    side = 8
    return network, lambda images: network(images).last_hidden_state.reshape(len(images), side, side, -1)


def pool(tokens: torch.Tensor, prefix: int, pooling: str) -> torch.Tensor:
    """Return one vector per image."""
    mean = tokens[:, prefix:].mean(1)
    return {"class": tokens[:, 0], "mean": mean, "class+mean": torch.cat([tokens[:, 0], mean], -1)}[pooling]


def randomize(network: torch.nn.Module, seed: int) -> None:
    """Draw all parameters, so that none is 0, 1 or so small that an error in it would not be seen."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in network.named_parameters():
            values.normal_(0, 0.3, generator=generator)
            if ("norm" in name and name.endswith("weight")) or any(part in name for part in ("gamma", "lambda")):
                values.add_(1)


GATED_HF = {"use_swiglu_ffn": True, "mlp_ratio": 3}
LAYER_SCALE = {"init_values": 1.0}
# Name of the entry, and how the network is built that its authors use. (16 = (int(3 * 8 * 2 / 3) + 7) // 8 * 8.)
CASES: dict[str, tuple[int, Callable[[], tuple[Any, Callable]]]] = {
    "vit-s16": (16, partial(of_timm)),
    "deit-s16": (16, partial(of_timm)),
    "uni": (16, partial(of_timm, **LAYER_SCALE)),
    "uni2-h": (14, partial(of_timm, gated=True, reg_tokens=8, no_embed_class=True, **LAYER_SCALE)),
    "virchow": (14, partial(of_timm, gated=True, pooling="class+mean", **LAYER_SCALE)),
    "virchow2": (14, partial(of_timm, gated=True, pooling="class+mean", reg_tokens=4, **LAYER_SCALE)),
    "h-optimus-0": (14, partial(of_timm, gated=True, reg_tokens=4, no_embed_class=True, **LAYER_SCALE)),
    "gigapath": (16, partial(of_timm, gated=True, **LAYER_SCALE)),
    "kaiko-s8": (8, partial(of_timm)),
    "kaiko-l14": (14, partial(of_timm, reg_tokens=4, no_embed_class=True, **LAYER_SCALE)),
    "dinov2-s14.timm": (14, partial(of_timm, **LAYER_SCALE)),
    "dinov2-reg-s14.timm": (14, partial(of_timm, reg_tokens=4, no_embed_class=True, **LAYER_SCALE)),
    "dinov2-g14.original": (14, partial(of_timm, gated=True, **LAYER_SCALE)),
    "phikon": (16, partial(of_transformers, "ViT")),
    "phikon-v2": (16, partial(of_transformers, "Dinov2")),
    "dinov2-s14": (14, partial(of_transformers, "Dinov2")),
    "dinov2-reg-s14": (14, partial(of_transformers, "Dinov2WithRegisters", prefix=5)),
    "dinov2-g14": (14, partial(of_transformers, "Dinov2", **GATED_HF)),
    "midnight": (14, partial(of_transformers, "Dinov2", pooling="class+mean", **GATED_HF)),
    "hibou-b": (14, partial(of_transformers, "Dinov2WithRegisters", prefix=5, **GATED_HF)),
    "dinov3-s16": (16, partial(of_transformers, "DINOv3ViT", prefix=5, num_register_tokens=4)),
}


# Entries whose published files are of the program DINOv2 itself, and those published as `.bin` or `.pth`.
AS_DINOV2 = ("kaiko-l14", "dinov2-g14.original")
AS_PICKLE = {
    **dict.fromkeys(("uni", "uni2-h", "virchow", "virchow2", "h-optimus-0", "gigapath"), ".bin"),
    **dict.fromkeys(("kaiko-s8", "kaiko-l14", "dinov2-g14.original"), ".pth"),
}


def rename_as_dinov2(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of a network of timm under the names of DINOv2; timm's own conversion is the reverse."""
    renamed = {"mask_token": torch.zeros(1, WIDTH)}
    gated = len(state["blocks.0.mlp.fc1.bias"]) != state["blocks.0.mlp.fc2.weight"].shape[1]
    for name, values in state.items():
        if gated:
            name = name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        renamed[name.replace("reg_token", "register_tokens")] = values
    if "reg_token" in state:
        # timm has no position for the class token beside registers: it has added it to the token.
        of_class = torch.full((1, 1, WIDTH), 0.25)
        renamed["cls_token"] = state["cls_token"] - of_class
        renamed["pos_embed"] = torch.cat([of_class, state["pos_embed"]], 1)
    return renamed


def main() -> None:
    """Write the files of weights and their outputs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    outputs = {
        "versions": f"timm {timm.__version__}, transformers {transformers.__version__}, torch {torch.__version__}"
    }
    for seed, (name, (patch_size, build)) in enumerate(CASES.items()):
        network, features = build(patch_size)
        randomize(network.eval(), seed)
        for size, grid in (("native", (SIDE, SIDE)), ("other", OTHER)):
            images = torch.from_numpy(draw_images(grid, patch_size)).permute(0, 3, 1, 2)
            with torch.no_grad():
                outputs[f"{name}/{size}"] = features(images).numpy()
        if isinstance(network, transformers.PreTrainedModel):
            # The names of tensors in files differ from those of the modules.
            with tempfile.TemporaryDirectory() as folder:
                network.save_pretrained(folder)
                state = load_file(f"{folder}/model.safetensors")
        else:
            state = {key: values.contiguous() for key, values in network.state_dict().items()}
        print(name, sum(values.numel() for values in state.values()), *list(state)[:9], *list(state)[-3:])
        if name in AS_DINOV2:
            state = rename_as_dinov2(state)
        if name in AS_PICKLE:
            torch.save(state, FOLDER / f"{name}{AS_PICKLE[name]}")
        else:
            save_file(state, FOLDER / f"{name}.safetensors")
    for seed, (name, build) in enumerate({"swin-t4.timm": swin_of_timm, "swin-t4": swin_of_transformers}.items()):
        network, features = build()
        randomize(network.eval(), seed)
        with torch.no_grad():
            outputs[f"{name}/native"] = features(torch.from_numpy(draw_images((16, 16), 2)).permute(0, 3, 1, 2)).numpy()
        with tempfile.TemporaryDirectory() as folder:
            if isinstance(network, transformers.PreTrainedModel):
                network.save_pretrained(folder)
                state = load_file(f"{folder}/model.safetensors")
            else:
                state = {key: values.contiguous() for key, values in network.state_dict().items()}
        print(name, list(state)[:30])
        save_file(state, FOLDER / f"{name}.safetensors")
    positions = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    outputs["resampling/positions"] = positions[0].permute(1, 2, 0).numpy()
    for rows, columns in ((5, 3), (2, 9)):
        size = {"size": (rows, columns)}
        for resampling, options in (
            ("bicubic", size),
            ("bicubic-antialias", {**size, "antialias": True}),
            ("bicubic-offset", {"scale_factor": ((rows + 0.1) / 4, (columns + 0.1) / 4)}),
        ):
            found = torch.nn.functional.interpolate(positions, mode="bicubic", **options)
            outputs[f"resampling/{resampling}/{rows}x{columns}"] = found[0].permute(1, 2, 0).numpy()
    np.savez(FOLDER / "outputs.npz", **outputs)


if __name__ == "__main__":
    sys.exit(main())
