"""A tutorial's example as a Keras script: one dense unit learns y = 3x + 2 from 100 noisy points, with SGD and Adam.

In the fair comparison, both start from the same weights and see the same batches. In the tutorial, the model is
compiled again with Adam and continues from the weights that SGD reached; the output shows that comparison too, labelled
unfair.

    python examples/keras_line.py           the two loss curves side by side, trained by Keras' own fit
    steepest run examples/keras_line.py     the same model, each optimizer at its own best rate, many seeds
"""

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")  # before Keras is imported: steepest trains on this backend

import keras

from steepest import Task
from steepest.builtin import task_table

EPOCHS = 100
SHOWN = (1, 2, 5, 10, 20, 50, 100)  # epochs
WIDTH = 24  # characters of a bar


def make_model() -> keras.Model:
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


line = task_table.entry("line").build()  # 100 training points; 1000 new points each for validation and test
task = Task(
    model=make_model,
    train=line.train,
    valid=line.valid,
    test=line.test,
    loss=keras.losses.MeanSquaredError(),
    metric="mse",
    batch_size=32,
    epochs=EPOCHS,
    title="The line y = 3x + 2, a Keras model",
    source=line.source,
    margin=line.margin,
)


def fit(optimizer: keras.optimizers.Optimizer, seed: int, model: keras.Model | None = None) -> tuple:
    """The model after 100 epochs, and its loss in each. Starts from the weights of this seed, or continues `model`."""
    keras.utils.set_random_seed(seed)  # same weights and same order of batches
    model = model or make_model()
    model.compile(optimizer=optimizer, loss="mse")
    quiet: Any = 0  # Keras accepts a number; its annotation does not
    history = model.fit(*task.train, epochs=EPOCHS, batch_size=32, verbose=quiet).history
    return model, [*map(float, history["loss"])]


def main(seed: int = 0) -> None:
    sgd, of_sgd = fit(keras.optimizers.SGD(0.01), seed)
    _, of_adam = fit(keras.optimizers.Adam(0.001), seed)
    _, unfair = fit(keras.optimizers.Adam(0.001), seed, sgd)
    top = max(of_sgd[0], of_adam[0])
    bars = [("SGD(0.01)", of_sgd), ("Adam(0.001)", of_adam), ("unfair: Adam after SGD", unfair)]
    print("Mean squared error in training; the smallest possible value is 0.01, the variance of the noise.\n")
    print(("epoch  " + "".join(f"{name:{WIDTH + 9}}" for name, _ in bars)).rstrip())
    for epoch in SHOWN:
        values = [(losses[epoch - 1], "#" * round(WIDTH * losses[epoch - 1] / top)) for _, losses in bars]
        print((f"{epoch:5}  " + "".join(f"{value:<8.4f}{bar:{WIDTH + 1}}" for value, bar in values)).rstrip())
    print(
        f"\nFrom the same start, SGD ends at {of_sgd[-1]:.4f} and Adam at {of_adam[-1]:.4f}. In the tutorial, Adam "
        f"starts\nfrom the final weights of SGD and ends at {unfair[-1]:.4f}. Neither rate was tuned;\n"
        "`steepest run examples/keras_line.py` tunes both."
    )


if __name__ == "__main__":
    main()
