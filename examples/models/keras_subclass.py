"""A subclass of `keras.Model`, with convolutions, on digits; it knows no shapes before it sees data."""

import keras
from sklearn.datasets import load_digits

from steepest import Task


class Convolutions(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = keras.layers.Conv2D(8, 3, activation="relu")
        self.second = keras.layers.Conv2D(8, 3, activation="relu")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.head = keras.layers.Dense(10)

    def call(self, x):
        """[B, 8, 8, 1] → scores [B, 10]."""
        return self.head(self.pool(self.second(self.first(x))))


x, y = load_digits(return_X_y=True)
task = Task(
    model=Convolutions,
    data=(x.reshape(-1, 8, 8, 1) / 16, y),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metric="accuracy",
    batch_size=64,
    epochs=3,
)
