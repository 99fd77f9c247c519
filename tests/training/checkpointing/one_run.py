"""A run in a process of its own, to be killed: prints "begins", then a hash of the weights and the seconds it took.

The last argument, if there is one, says at what it kills itself: "features" when the first are to be kept, "probe" when
the exact head is to be written, "remove" when the finished run is tidied, else before a file of that name is there.
"""

import hashlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import breastcls as bc
from breastcls.training import EpochSchedule, FineTune, FrozenHead, Logging

MODES: dict[str, dict[str, Any]] = {
    "images": {"epochs": 12, "augment": "standard", "fine_tune": FineTune("all", batch_norm="train")},
    "phases": {
        "epochs": 12,
        "augment": "dihedral",
        "learning_rate": EpochSchedule(1e-3, "cosine"),
        "fine_tune": FineTune(head_epochs=6),
        "frozen_head": FrozenHead(feature_versions=3),
    },
    "probe": {"epochs": 2, "frozen_head": FrozenHead("lbfgs", 2), "augment": "dihedral"},
}


def main() -> None:
    mode, table, weights, folder, *moments = sys.argv[1:]
    for moment in moments:
        kill_at(moment)
    train, val, _ = bc.load_table(table).split((0.5, 0.25, 0.25), seed=1)
    model = bc.build_model("cnn4", classes=train.classes, image_size=32, weights=weights, dropout=0.5, seed=3)
    print("begins", flush=True)
    began = time.perf_counter()
    bc.fit(
        model, train, val, batch_size=4, seed=4, run_dir=folder, resume=True,
        logging=Logging(checkpoint_steps=2), **MODES[mode],
    )  # fmt: skip
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()
    print(digest, time.perf_counter() - began)


def kill_at(moment: str) -> None:
    import breastcls.features.feature_store as store
    import breastcls.training.trainer as trainer

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "features":
        store.SegmentWriter.finish = die
    elif moment == "probe":
        trainer.write_probe = die
    elif moment == "remove":
        trainer.Checkpoints.remove = die
    else:
        replace = os.replace
        os.replace = lambda source, target: die() if Path(target).name == moment else replace(source, target)


if __name__ == "__main__":
    main()
