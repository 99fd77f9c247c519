"""Features of a ViT-S/14 with random weights at 224 x 224: breastcls with OpenVINO against KerasHub alone.

    python benchmarks/vit_features.py

All sides have the architecture of DINOv2 ViT-S/14 and run alternately on the same real images; ratios are medians over
rounds.

* `ours`: `bc.features.extract_features(model, data, engine="openvino")`, from the files, which are in the image cache.
* `keras_hub`: `keras_hub.models.DINOV2Backbone(...).predict` on the scaled images in memory.
* `ours_keras`: as `ours`, with `engine="keras"`.
* `session`: the OpenVINO network alone on the images in memory, the limit for `ours`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from harness import find_real_data, load_images, ratio, run_in_turns, write_result

TARGET = 1.5
BATCH = 32


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=128, help="number of images, distributed over all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BREASTCLS_CACHE"] = folder
        result = _measure(arguments.images, arguments.rounds)
    print(result["ratios"])
    write_result("vit_features", result, arguments.output)


def _measure(count: int, rounds: int) -> dict[str, Any]:
    import numpy as np

    import breastcls as bc
    from breastcls.features.engine_features import open_feature_session
    from breastcls.models.backbones.backbone_registry import BACKBONES

    data = load_images(find_real_data(), count)
    images = data.to_numpy(image_size=(224, 224))[0]
    scaled = BACKBONES["dinov2-s14"].input_scaling.scale_array(images)
    model = bc.build_model("dinov2-s14", classes=("benign", "malignant"), weights=None, seed=7)
    network, _ = bc.models.split_model(model)
    peer = _build_peer()
    outputs: dict[str, Any] = {}

    def ours() -> int:
        features = bc.features.extract_features(model, data, batch_size=BATCH, engine="openvino", progress=False)
        outputs["ours"] = features.vectors
        return len(data)

    def ours_keras() -> int:
        features = bc.features.extract_features(model, data, batch_size=BATCH, progress=False)
        outputs["ours_keras"] = features.vectors
        return len(data)

    def keras_hub() -> int:
        peer.predict(scaled, batch_size=BATCH, verbose=0)
        return len(scaled)

    with open_feature_session(network, "openvino") as session:

        def session_alone() -> int:
            batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
            return sum(len(part) for part in session.run_batches(batches))

        sides = {"ours": ours, "keras_hub": keras_hub, "ours_keras": ours_keras, "session": session_alone}
        result = run_in_turns(sides, rounds)
    found = ratio(result, "ours", "keras_hub")
    peers = ("keras_hub", "ours_keras", "session")
    return {
        "what": "features of a ViT-S/14 with random weights, 224 x 224",
        "images": len(images),
        "parameters": {"ours": network.count_params(), "keras_hub": peer.count_params()},
        "largest_difference_between_engines": float(np.abs(outputs["ours"] - outputs["ours_keras"]).max()),
        "ratio": round(found, 2),
        "target": TARGET,
        "met": found >= TARGET,
        "ratios": {f"ours/{peer}": round(ratio(result, "ours", peer), 2) for peer in peers},
        **result,
    }


def _build_peer() -> Any:
    import keras
    import keras_hub

    backbone = keras_hub.models.DINOV2Backbone(
        patch_size=14,
        num_layers=12,
        hidden_dim=384,
        num_heads=6,
        intermediate_dim=1536,
        image_shape=(224, 224, 3),
        position_embedding_shape=(224, 224),
    )
    images = keras.Input((224, 224, 3))
    tokens = backbone({"pixel_values": images} if "pixel_values" in backbone.input else {"images": images})
    return keras.Model(images, tokens[:, 0])


if __name__ == "__main__":
    main()
