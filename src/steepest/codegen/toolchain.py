"""The C++ compiler of this machine: from the text of a program to a library that is loaded, by way of a cache on disk.

The cache is kernels/ in $STEEPEST_CACHE, or in steepest/ in $XDG_CACHE_HOME or ~/.cache.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from ctypes import CDLL
from functools import cache
from hashlib import sha256
from pathlib import Path

import torch

from steepest.messages import NOTHING, Message, say
from steepest.records.files import cache_folder

_ALWAYS = ("-std=c++17", "-O3", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fopenmp-simd")
_PROCESSOR = {
    "AVX2": ("-mavx2", "-mfma"),
    "AVX512": ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"),
}
"""By what torch has found the processor to be."""
SECONDS = 120
"""After which a compiler is given up."""


def obstacle() -> Message:
    """Why nothing is compiled here, in words; NOTHING if it is."""
    if os.environ.get("STEEPEST_COMPILE", "") == "0":
        return say("compilation is switched off by STEEPEST_COMPILE=0")
    return NOTHING if compiler() else say("there is no C++ compiler; install g++")


class NoCompiler(OSError):
    """No library could be made; says why, as what follows "because"."""


@cache
def compiler() -> str | None:
    """The C++ compiler: $CXX, else g++, else clang++; None if there is none."""
    found = (shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)
    return next((path for path in found if path), None)


@cache
def load(program: str, flags: tuple[str, ...] = (), libraries: tuple[str, ...] = ()) -> CDLL:
    """The library that this C++ becomes, compiled for this processor if no earlier process has. Raises NoCompiler.

    `flags` come after those that are always given; `libraries` are files that it is linked with.
    """
    processor = _PROCESSOR.get(torch.backends.cpu.get_cpu_capability(), ())
    flags = (*_ALWAYS, *processor, *flags)
    try:
        return _load(program, (*flags, "-fopenmp"), libraries)
    except NoCompiler:  # one thread is better than none
        return _load(program, flags, libraries)


def _load(program: str, flags: tuple[str, ...], libraries: tuple[str, ...]) -> CDLL:
    key = (sys.platform, platform.machine(), *flags, *libraries, program)
    name = sha256("\n".join(key).encode()).hexdigest()[:32]
    library = folder() / f"{name}.so"
    try:
        if not library.exists():
            _compile(flags, libraries, program, library)
        return CDLL(str(library))
    except NoCompiler:
        raise
    except OSError as error:
        raise NoCompiler(f"a kernel could not be stored or loaded ({error})") from None


def _compile(flags: tuple[str, ...], libraries: tuple[str, ...], program: str, library: Path) -> None:
    """Compile in a folder apart and move the outcome to its place, where others never see half of it.

    What the program calls to run in parallel is not linked in, but found as it is loaded: in the library that torch
    has loaded for itself, so that there is one team of threads, not two that get in each other's way.
    """
    path = compiler()
    if path is None:
        raise NoCompiler("there is no C++ compiler")
    with tempfile.TemporaryDirectory(dir=library.parent, prefix=".making-") as apart:
        text, compiled, linked = (Path(apart) / name for name in ("kernel.cpp", "kernel.o", "kernel.so"))
        text.write_text(program)
        for command in (
            [path, *flags, "-c", str(text), "-o", str(compiled)],
            [path, "-shared", str(compiled), "-o", str(linked), *libraries],
        ):
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            except subprocess.TimeoutExpired:
                raise NoCompiler(f"{path} took more than {SECONDS} seconds") from None
            if done.returncode:
                raise NoCompiler(f"{path} failed ({(done.stderr.strip() or 'without a word').splitlines()[0]})")
        linked.replace(library)


@cache
def folder() -> Path:
    """Where libraries lie, private to the user; where the cache cannot be written, a new folder for this process."""
    place = cache_folder() / "kernels"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(place, os.W_OK):
            return place
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="steepest-kernels-"))
