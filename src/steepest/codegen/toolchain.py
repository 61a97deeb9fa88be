"""Compiles C++ text to a library with the compiler of this machine and loads it; libraries are cached on disk.

The cache is kernels/ in $STEEPEST_CACHE, or in steepest/ in $XDG_CACHE_HOME or ~/.cache.
"""

import os
import platform
import shutil
import subprocess
import sys
from ctypes import CDLL
from functools import cache
from hashlib import sha256
from pathlib import Path

import torch

from steepest.messages import NOTHING, Message, say
from steepest.records.files import write_bytes
from steepest.records.litter import scratch
from steepest.records.loading_marks import loading, remove_deadly
from steepest.records.private_cache import private_folder

_COMMON_FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-fopenmp-simd",
)
_PROCESSOR_FLAGS = {
    "AVX2": ("-mavx2", "-mfma"),
    "AVX512": ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"),
}
"""By the processor's capability as torch reports it."""
COMPILE_TIMEOUT_SECONDS = 120


def unavailable_reason() -> Message:
    """Why nothing is compiled here, in words; NOTHING if it is."""
    if os.environ.get("STEEPEST_COMPILE", "") == "0":
        return say("compilation is switched off by STEEPEST_COMPILE=0")
    return NOTHING if compiler() else say("there is no C++ compiler; install g++")


class NoCompiler(OSError):
    """A program could not be compiled or loaded. The message gives the reason, as a clause that follows "because"."""


@cache
def compiler() -> str | None:
    """The C++ compiler: $CXX, else g++, else clang++; None if there is none."""
    found = (shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)
    return next((path for path in found if path), None)


@cache
def load(program: str, flags: tuple[str, ...] = (), libraries: tuple[str, ...] = ()) -> CDLL:
    """Compile C++ for this processor, unless the cache holds the library already, and load it. Raises NoCompiler.

    `flags` follow the common ones; `libraries` are files to link with.
    """
    processor = _PROCESSOR_FLAGS.get(torch.backends.cpu.get_cpu_capability(), ())
    flags = (*_COMMON_FLAGS, *processor, *flags)
    try:
        return _load(program, (*flags, "-fopenmp"), libraries)
    except NoCompiler:  # without OpenMP it runs on one thread
        return _load(program, flags, libraries)


def _load(program: str, flags: tuple[str, ...], libraries: tuple[str, ...]) -> CDLL:
    key = (sys.platform, platform.machine(), *flags, *libraries, program)
    name = sha256("\n".join(key).encode()).hexdigest()[:32]
    try:
        library = _cached(name) or _compile(flags, libraries, program, name)
        with loading(library):
            return CDLL(str(library))
    except NoCompiler:
        raise
    except OSError as error:
        raise NoCompiler(f"a kernel could not be stored or loaded ({error})") from None


def _cached(name: str) -> Path | None:
    """The library of a program in the cache, if it is intact and has not ended a process that loaded it.

    Its name ends in the hash of its content: a torn library would end this process, and a changed one do anything."""
    remove_deadly(folder())
    for library in folder().glob(f"{name}-*.so"):
        if library.name == _named(name, library.read_bytes()):
            return library
        library.unlink()
    return None


def _named(name: str, content: bytes) -> str:
    return f"{name}-{sha256(content).hexdigest()[:32]}.so"


def _compile(flags: tuple[str, ...], libraries: tuple[str, ...], program: str, name: str) -> Path:
    """Compile in a temporary folder, then write the library to its place, so that no process sees half of it, even
    after a power cut.

    The OpenMP runtime is not linked in: loading finds it in the library that torch has loaded already, so that both
    share one team of threads.
    """
    path = compiler()
    if path is None:
        raise NoCompiler("there is no C++ compiler")
    with scratch(".making", folder()) as apart:
        text, compiled, linked = (apart / name for name in ("kernel.cpp", "kernel.o", "kernel.so"))
        text.write_text(program)
        for command in (
            [path, *flags, "-c", str(text), "-o", str(compiled)],
            [path, "-shared", str(compiled), "-o", str(linked), *libraries],
        ):
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                raise NoCompiler(f"{path} took more than {COMPILE_TIMEOUT_SECONDS} seconds") from None
            if done.returncode:
                raise NoCompiler(
                    f"{path} failed ({(done.stderr.strip() or 'without an error message').splitlines()[0]})"
                )
        content = linked.read_bytes()
        library = folder() / _named(name, content)
        write_bytes(library, content)
        return library


@cache
def folder() -> Path:
    """The folder of compiled libraries, private to the user."""
    return private_folder("kernels")
