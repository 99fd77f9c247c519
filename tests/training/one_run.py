"""A run in a process of its own, to be killed: prints "begins", then a hash of the weights and the seconds it took."""

import hashlib
import sys
import time

import breastcls as bc


def main() -> None:
    table, folder = sys.argv[1:]
    train, val, _ = bc.load_table(table).split((0.5, 0.25, 0.25), seed=1)
    model = bc.build_model("cnn4", classes=train.classes, image_size=32, weights=None, dropout=0.5, seed=3)
    print("begins", flush=True)
    began = time.perf_counter()
    bc.fit(
        model, train, val, epochs=12, batch_size=4, augment="standard", seed=4, run_dir=folder, resume=True,
        checkpoint_steps=2, progress=False,
    )  # fmt: skip
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()
    print(digest, time.perf_counter() - began)


if __name__ == "__main__":
    main()
