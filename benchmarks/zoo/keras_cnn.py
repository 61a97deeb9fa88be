"""A Keras model on Keras' torch backend."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import torch.nn.functional as F

from benchmarks.zoo._data import pictures
from steepest import Task


def cnn() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((12, 12, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(10),
        ]
    )


x, y = pictures(1000, 1, 12)
task = Task(
    model=cnn, data=(x.permute(0, 2, 3, 1), y), loss=F.cross_entropy, metric="accuracy", batch_size=32, epochs=4
)
