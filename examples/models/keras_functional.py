"""A functional Keras model with a shortcut, batch norm and dropout, and a loss of Keras."""

import keras
from sklearn.datasets import load_breast_cancer

from steepest import Task


def make_model() -> keras.Model:
    x = keras.Input((30,))
    h = keras.layers.Dense(16, activation="relu")(x)
    h = keras.layers.BatchNormalization()(h)
    h = keras.layers.Dropout(0.2)(h)
    h = keras.layers.Add()([h, keras.layers.Dense(16)(x)])
    return keras.Model(x, keras.layers.Dense(2)(h))


task = Task(
    model=make_model,
    data=load_breast_cancer(return_X_y=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metric="accuracy",
    standardize=True,
    batch_size=32,
    epochs=5,
)
