"""What the tests of several devices run in processes of their own, since TensorFlow divides a processor only at start.

several_devices.py mirrored FOLDER: train each task on one device and on two.
several_devices.py worker FOLDER INDEX ADDRESS,ADDRESS: train some of them as one of two workers.
several_devices.py worker FOLDER INDEX ADDRESS,ADDRESS STEP: begin a run or go on with it, and die after STEP if not 0.
"""

import json
import os
import signal
import sys
from pathlib import Path

TASKS = {
    "all": {
        "augment": "standard",
        "optimizer": ("AdamW", {"weight_decay": 0.01, "global_clipnorm": 0.05}),
        "learning_rate": {"peak": 1e-3, "decay": "cosine", "warmup_epochs": 0.5},
        "fine_tune": {"batch_norm": "frozen", "layer_decay": 0.7},
        "label_smoothing": 0.1,
    },
    "mixed labels": {"augment": "mixup", "loss": "focal", "optimizer": "sgd"},
    "features": {
        "augment": "dihedral",
        "feature_versions": 2,
        "fine_tune": False,
        "optimizer": ("Adam", {"global_clipnorm": 0.05}),
    },
    "scaled loss": {"augment": "none", "precision": "float16"},
    "regularised": {"augment": "none", "sampling": "class-balanced", "selection": "val_loss", "fine_tune": True},
    "training statistics": {"augment": "none", "fine_tune": {"batch_norm": "train"}},
}
# 24 images: the last batch has six, and none divides by two.
COMMON = {"epochs": 2, "batch_size": 9, "fine_tune": {"batch_norm": "frozen"}}
COMMON["class_weight"] = {"benign": 1.0, "malignant": 2.0}


def options_of(task, strategy):
    """Return the arguments of `fit` for a task, with objects that must not be made at the start."""
    import keras

    from breastcls.training import Devices, EpochSchedule, FineTune, FrozenHead

    options = {**COMMON, **TASKS[task]}
    options["devices"] = Devices(strategy, options.pop("precision", "auto"))
    if "label_smoothing" in options:
        options["loss"] = keras.losses.CategoricalCrossentropy(label_smoothing=options.pop("label_smoothing"))
    if isinstance(options.get("optimizer"), tuple):
        name, config = options["optimizer"]
        options["optimizer"] = getattr(keras.optimizers, name)(**config)
    if "learning_rate" in options:
        options["learning_rate"] = EpochSchedule(**options["learning_rate"])
    if "feature_versions" in options:
        options["frozen_head"] = FrozenHead(feature_versions=options.pop("feature_versions"))
    if isinstance(options["fine_tune"], dict):
        options["fine_tune"] = FineTune(**options["fine_tune"])
    return options


def load(folder):
    import breastcls as bc

    data = bc.load_table(folder / "easy.csv")
    return data.split((0.5, 0.25, 0.25), seed=1)[:2]


def build(task, seed=3):
    import keras

    import breastcls as bc

    layers = keras.layers
    if task != "regularised":
        return bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, weights=None, seed=seed)
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, kernel_regularizer="l2"),
            # As the stochastic depth of EfficientNet: whole images are dropped.
            layers.Dropout(0.3, noise_shape=(None, 1, 1, 1)),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax"),
        ]
    )


def describe(model, run):
    return {
        "history": run.history.drop(columns=["phase", "seconds"]).to_dict("list"),
        "weights": [weight.tolist() for weight in model.get_weights()],
        "input_modes": run.config.get("input_modes"),
        "strategy": run.config["fit"]["devices"]["strategy"],
    }


def draw_noise(strategy):
    """Return the mean noise of one image, the first, and of two, one on each device, and the state after."""
    import keras
    import numpy as np

    from breastcls.training.distribution.batch_sharding import BatchShard
    from breastcls.training.distribution.distributed_step import DistributedStep

    class Output(keras.losses.Loss):
        def call(self, truth, output):
            return output[:, 0]

    with strategy.scope():
        noise = keras.layers.GaussianNoise(1.0)
        model = keras.Sequential([keras.Input((2,)), noise, keras.layers.Dense(2, "linear", False, "ones")])
        model.compile(keras.optimizers.SGD(0.0), Output())
        model.optimizer.build(model.trainable_variables)
    step = DistributedStep(model, strategy, 2, Output(), 2, None)
    found = []
    for images in (1, 2):
        noise.seed_generator.state.assign(np.array([5, 0], "uint32"))
        found.append(step(np.zeros((2, 2), "float32"), BatchShard(np.array([0, 1]), images, images))[0])
    return [*found, keras.ops.convert_to_numpy(noise.seed_generator.state).tolist()]


def train_mirrored(folder):
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    import breastcls as bc
    from breastcls.errors import TrainingError

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    train, val = load(folder)
    found = {"noise": draw_noise(strategy)}
    for task in TASKS:
        for name, where in (("one", None), ("two", strategy)):
            model = build(task)
            run = bc.fit(model, train, val, **options_of(task, where))
            found[f"{task}/{name}"] = describe(model, run)
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": {"type": "worker", "index": 0}}
    )
    try:
        bc.training.join_workers()
    except TrainingError as error:
        found["too late"] = str(error)
    return found


def train_as_worker(folder, index, addresses, last_step):
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
    import breastcls as bc

    strategy = bc.training.join_workers()
    assert bc.training.join_workers() is strategy
    import keras

    class DieAt(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if self.steps == last_step:
                os.kill(os.getpid(), signal.SIGKILL)

    train, val = load(folder)
    options = options_of("all", "multi-worker")
    found = {}
    if last_step is None:
        # Built from another seed by each: all must begin with the weights of the first.
        for task in ("mixed labels", "features"):
            model = build(task, seed=3 + index)
            run = bc.fit(model, train, val, **options_of(task, strategy))
            found[task] = describe(model, run)
        model = build("all")
        found["all"] = describe(model, bc.fit(model, train, val, **options))
    else:
        model = build("all")
        options |= {"run_dir": folder / "run", "resume": True, "callbacks": [DieAt()]}
        found["all"] = describe(model, bc.fit(model, train, val, **options))
    return found


if __name__ == "__main__":
    kind, folder, *others = sys.argv[1:]
    folder = Path(folder)
    if kind == "mirrored":
        result = train_mirrored(folder)
    else:
        index, addresses, *last_step = others
        result = train_as_worker(folder, int(index), addresses.split(","), int(last_step[0]) if last_step else None)
        kind = f"worker-{index}"
    (folder / f"{kind}.json").write_text(json.dumps(result), encoding="utf-8")
