"""Models as students and other libraries save them, with random weights."""

import keras
import numpy as np

CLASSES = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


def student_network(activation="sigmoid", outputs=1, size=16, batch=None, first=()):
    """Return a network for images of values 0..1 that breastcls did not build."""
    glorot = keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((size, size, 3), batch_size=batch),
            *first,
            keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=glorot(1)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(outputs, activation=activation, kernel_initializer=glorot(2)),
        ]
    )
