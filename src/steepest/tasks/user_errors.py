"""Turns exceptions of the user's model, loss and metric into one sentence."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from steepest.errors import BadTask, kind_and_line


@contextmanager
def as_bad_task(what: str, hint: str = "") -> Iterator[None]:
    """Convert exceptions of the user's code to BadTask: `what`, the type of exception, its first line, a hint."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's warnings are replaced by the checks here
            yield
    except BadTask:
        raise
    except Exception as error:
        verb = " raised" if what.endswith("()") else ":"
        raise BadTask(f"{what}{verb} {kind_and_line(error)}.{hint or _remedy(str(error))}") from error


def _remedy(said: str) -> str:
    """The remedy for errors of torch whose message does not apply here."""
    if "CUDA" in said or "device" in said:
        return " Leave the model on the CPU, and set the device with --device."
    if "same dtype" in said or "expected scalar type" in said or "expected m1 and m2" in said:
        return " Training uses float32 (or --dtype float64): remove calls such as .half() and .double()."
    if "elements of input should be between 0 and 1" in said:
        return " End the model in a sigmoid, or use binary_cross_entropy_with_logits."
    return ""
