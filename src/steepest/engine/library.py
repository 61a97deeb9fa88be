"""Graphs as machine code: a shared library each, made once by torch's compiler, kept on disk, loaded in a millisecond.

The library is found by a fingerprint of all that it was made from, so that it can never be out of date; one process
makes a library, and all others wait for it. Whoever loads one needs no compiler, and none of its 2 s of imports.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import lru_cache
from hashlib import blake2b
from io import StringIO
from operator import attrgetter
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from filelock import FileLock
from torch import Tensor, fx

from steepest.files import cache_folder
from steepest.optim.compiler import compiler
from steepest.optim.kernel import NotCompiled

Sizes = Sequence[Sequence[str | None]]
"""For each argument the name of each axis whose length may differ from call to call; None for one that never does."""

OPTIONS = {
    "aot_inductor.compile_wrapper_opt_level": "O0",  # the wrapper only calls kernels: seconds saved, nothing lost
    "aot_inductor.precompile_headers": False,  # twice 6 s, which pay only after many libraries
    "cpp_cache_precompile_headers": False,
    "cpp.vec_isa_ok": True,  # else a compilation for every instruction set, only to see whether it works
    "compile_threads": 1,  # no pool of processes that outlives a worker
    "fallback_random": True,  # the same generator as eager kernels
}


def obstacle() -> str:
    """Why nothing can be compiled on this machine, in words; "" if it can be."""
    if os.environ.get("STEEPEST_COMPILE", "") == "0":
        return "compilation is switched off by STEEPEST_COMPILE=0"
    if not hasattr(torch._C, "_aoti") or platform.system() != "Linux":
        return f"compiled programs are made on Linux only, not on {platform.system()}"
    if compiler() is None:
        return "there is no C++ compiler; install g++"
    return ""


def compiled(graph: fx.GraphModule, example: Sequence[Tensor], sizes: Sizes) -> Callable[..., Any]:
    """`graph` as machine code; raises NotCompiled where it cannot be.

    Arguments that the graph changes in place are changed in place. What comes back is a tuple, or one tensor.
    """
    if reason := obstacle():
        raise NotCompiled(reason)
    path = _path(graph, example, sizes)
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # what lies here is run
            with FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    _make(graph, example, sizes, path)
        except OSError as error:
            raise NotCompiled(f"{path.parent} cannot be written: {error.strerror or error}") from None
    run = _library(path).run
    single = not isinstance(_output(graph), tuple | list)

    def call(*arguments: Tensor) -> Any:
        results = run(list(arguments))
        return results[0] if single else tuple(results)

    return call


@lru_cache(maxsize=64)
def _library(path: Path) -> Any:
    try:
        return torch._C._aoti.AOTIModelContainerRunnerCpu(str(path), 1)  # type: ignore[attr-defined]
    except RuntimeError as error:
        raise NotCompiled(f"{path} cannot be loaded: {_first_line(error)}") from None


def _make(graph: fx.GraphModule, example: Sequence[Tensor], sizes: Sizes, path: Path) -> None:
    """The library, whole or not at all; raises NotCompiled."""
    import torch._inductor
    import torch._inductor.config as config

    axes = {name: torch.export.Dim(name, min=2, max=2**31 - 1) for each in sizes for name in each if name}
    shapes = tuple({i: axes[name] for i, name in enumerate(each) if name} for each in sizes)
    known = {name: value for name, value in OPTIONS.items() if _has(config, name)}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="making-") as place, _quiet():
        try:
            with torch.no_grad(), config.patch(known):
                program = torch.export.export(graph, tuple(example), dynamic_shapes=shapes, strict=False)
                options = {"aot_inductor.output_path": f"{place}/library.so"}
                made = torch._inductor.aot_compile(program.module(), tuple(example), options=options)  # type: ignore
            Path(made).replace(path)  # type: ignore[arg-type]
        except Exception as error:  # a compiler has a hundred ways to fail, and eager kernels are always there
            raise NotCompiled(_first_line(error)) from error


def _has(config: Any, name: str) -> bool:
    *groups, last = name.split(".")
    for group in groups:
        config = getattr(config, group, None)
    return hasattr(config, last)


def _path(graph: fx.GraphModule, example: Sequence[Tensor], sizes: Sizes) -> Path:
    """Where the library of a graph is kept: named by all that it depends on."""
    said = [torch.__version__, torch.backends.cpu.get_cpu_capability(), _processor(), graph.code, sizes]
    constants = [attrgetter(str(node.target))(graph) for node in graph.graph.nodes if node.op == "get_attr"]
    said += [(tuple(x.shape), x.stride(), x.dtype) for x in (*example, *constants)]
    digest = blake2b(repr(said).encode(), digest_size=12)
    for x in constants:
        digest.update(x.detach().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return cache_folder() / "compiled" / f"{digest.hexdigest()}.so"


@lru_cache(maxsize=1)
def _processor() -> str:
    """Libraries use whatever instructions this processor has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), platform.processor())


def _output(graph: fx.GraphModule) -> Any:
    return next(node for node in graph.graph.nodes if node.op == "output").args[0]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


@contextmanager
def _quiet() -> Iterator[None]:
    with catch_warnings(), redirect_stderr(StringIO()):
        simplefilter("ignore")
        yield
