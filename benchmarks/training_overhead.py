"""What `fit` costs beside the steps: checkpoints, and the start.

    python benchmarks/training_overhead.py

Checkpoints: the same training with and without `run_dir`, MobileNet 0.25 fine-tuned whole on real images, a checkpoint
at the end of each epoch. What is counted is the time between the end of an epoch and the beginning of the next, where
the checkpoint is written: whole epochs differ by more from run to run than a checkpoint takes. Start: from the call to
the end of the first step, against Keras' own `compile` and `fit` on an array in memory, both with a network that was
built before.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import find_real_data, write_result

MOST_OVERHEAD, MOST_SECONDS = 0.03, 0.5


def main() -> None:
    """Measure both, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=571)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    import breastcls as bc

    data = bc.load_breakhis(find_real_data() / "BreaKHis_200X_224")[: arguments.images]
    data.to_numpy(224)  # prepared beforehand: that is measured elsewhere
    result = {
        "checkpoints": measure_checkpoints(bc, data, arguments),
        "start": measure_start(bc, data, arguments.rounds),
    }
    write_result("training_overhead", result, arguments.output)


def _build(bc: Any, data: Any) -> Any:
    import keras

    keras.utils.clear_session()
    return bc.build_model("mobilenet", classes=data.classes, alpha=0.25, weights=None, seed=1)


def measure_checkpoints(bc: Any, data: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return by how much a checkpoint an epoch lengthens an epoch."""
    options = {"epochs": arguments.epochs, "augment": "none", "logging": bc.training.Logging(progress=False), "seed": 1}
    epochs: dict[str, list[float]] = {"with": [], "without": []}
    between: dict[str, list[float]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for side, run_dir in (("with", Path(folder) / str(number)), ("without", None)):
                begins: list[float] = []
                ends: list[float] = []
                bc.fit(_build(bc, data), data, run_dir=run_dir, callbacks=[_clock(begins, ends)], **options)
                # The first epoch traces the step; after the last comes none to wait for.
                epochs[side] += [end - begin for begin, end in zip(begins[1:], ends[1:], strict=True)]
                between[side] += [begin - end for begin, end in zip(begins[1:], ends[:-1], strict=True)]
    added = statistics.median(between["with"]) - statistics.median(between["without"])
    overhead = added / statistics.median(epochs["with"] + epochs["without"])
    print(f"checkpoint an epoch: {100 * overhead:+.2f}%, {1000 * added:.0f} ms")
    return {
        "seconds_of_epochs": epochs,
        "seconds_between_epochs": between,
        "overhead": overhead,
        "most": MOST_OVERHEAD,
        "met": overhead < MOST_OVERHEAD,
    }


def _clock(begins: list[float], ends: list[float]) -> Any:
    """Return a callback that notes when each epoch begins and ends."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: begins.append(time.perf_counter()),
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()),
    )


def measure_start(bc: Any, data: Any, rounds: int) -> dict[str, Any]:
    """Return the seconds from the call to the end of the first step, ours beyond those of Keras."""
    import keras

    train, val, _ = data.split((0.6, 0.2, 0.2), seed=1)
    images, labels = train.to_numpy(224)

    def until_first_step(train_it: Any) -> float:
        ended: list[float] = []
        note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ended.append(time.perf_counter()))
        began = time.perf_counter()
        train_it(note)
        return ended[0] - began

    def ours(model: Any) -> float:
        return until_first_step(
            lambda note: bc.fit(
                model,
                train,
                val,
                epochs=1,
                augment="none",
                logging=bc.training.Logging(progress=False),
                seed=1,
                callbacks=[note],
            )
        )

    def plain(model: Any) -> float:
        def train_it(note: Any) -> None:
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            model.fit(images, labels, epochs=1, verbose=0, callbacks=[note])

        return until_first_step(train_it)

    seconds = {"breastcls": [], "Keras": []}
    for _ in range(rounds):
        seconds["breastcls"].append(ours(_build(bc, data)))
        seconds["Keras"].append(plain(_build(bc, data)))
    pairs = zip(seconds["breastcls"], seconds["Keras"], strict=True)
    beyond = statistics.median(mine - theirs for mine, theirs in pairs)
    print(f"start to first step: {beyond:+.2f} s beyond Keras")
    return {"seconds": seconds, "beyond": beyond, "most": MOST_SECONDS, "met": beyond < MOST_SECONDS}


if __name__ == "__main__":
    main()
