"""Digests of what a task is: two tasks with the same digests are trained to the same bits by the same code on the same
machine. They tell apart tasks of one name, and let trials be trained once.
"""

import sys
import sysconfig
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import steepest
from steepest.records.files import file_digest
from steepest.tasks.task import Task

PROBED_SEEDS = (0, 1)
"""Their parts are digested; what draws them for two seeds draws them for all."""
PROBED_EXAMPLES = 8
PLAIN_LAYERS = frozenset(
    {
        *(nn.Sequential, nn.Linear, nn.Flatten, nn.Unflatten, nn.Identity),
        *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus),
    }
)
"""Layers whose kernels round alike for any number of lanes above one. A convolution's do not."""


def data_digest(task: Task) -> str:
    """Of the examples and of what two seeds make of them: the same on any machine."""
    found = blake2b(digest_size=16)
    for seed in PROBED_SEEDS:
        splits = task.splits(seed)
        if seed == PROBED_SEEDS[0]:
            for column in (*splits.inputs, splits.targets):
                _take(found, column)
        for part in (splits.train, splits.valid, splits.test, splits.weights):
            _take(found, torch.from_numpy(np.ascontiguousarray(() if part is None else part)))
    sizes = (task.batch_size, task.epochs, task.standardize, task.quality.name, task.quality.higher_is_better)
    found.update(repr((sizes, task.augmentation)).encode())
    return found.hexdigest()


def model_digest(task: Task) -> str:
    """Of the model, its initial weights, and the loss and gradient of some examples, to the last bit; "" where the
    model cannot be asked."""
    found = blake2b(digest_size=16)
    with suppress(Exception), torch.random.fork_rng(devices=[]):  # `check` says what is wrong with a model
        torch.default_generator.manual_seed(0)
        splits, model = task.splits(0), task.build_model(0).train()
        found.update(repr(model).encode())
        for name, value in model.state_dict().items():
            found.update(name.encode())
            _take(found, value)
        inputs, targets = task.batch(splits, splits.train[:PROBED_EXAMPLES])
        loss = task.training_loss(model(*inputs), targets)
        loss.backward()
        for value in (loss, *(p.grad for p in model.parameters() if p.grad is not None)):
            _take(found, value)
        return found.hexdigest()
    return ""


def is_plain(task: Task) -> bool:
    """Whether a lane of a fleet has the same bits among any number of others."""
    return all(type(layer) in PLAIN_LAYERS for layer in task.build_model(0).modules())


def code_digest() -> str:
    """Of the source files of the user's own that this process has loaded: what a task file imports is among them."""
    found = blake2b(digest_size=16)
    for path in sorted(_own_sources()):
        found.update(f"{path}\0{file_digest(path)}\0".encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def _take(found: blake2b, value: Tensor) -> None:
    """The type, shape and bytes of an array."""
    value = value.detach().cpu()
    if value.layout != torch.strided:
        value = value.to_dense()
    found.update(f"{value.dtype}{tuple(value.shape)}".encode())
    flat = value.contiguous().reshape(-1)
    if flat.stride() != (1,):  # of a single number it may be anything
        flat = torch.empty(flat.shape, dtype=flat.dtype).copy_(flat)
    found.update(flat.view(torch.uint8).numpy().tobytes())


def _own_sources() -> set[Path]:
    """Files of the modules that this process has loaded, other than this package and what is installed."""
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {str(Path(steepest.__file__).parent)}
    places |= {str(Path(place).resolve()) for place in places}
    inside = tuple(f"{place}/" for place in places)
    files = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    return {Path(file) for file in files if isinstance(file, str) and file.endswith(".py") and file[0:1] == "/"
            and not file.startswith(inside)}  # fmt: skip
