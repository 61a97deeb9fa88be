"""Every model of the zoo can become a program, and what torch does in it is known. Nothing is compiled: `python -m
benchmarks.zoo` does that, and compares numbers.
"""

from types import SimpleNamespace

import pytest
import torch
from codegen.test_programs import native

from benchmarks import zoo
from steepest.engine import programs
from steepest.engine.compiled import program

BY_TORCH = {
    "conv3d": {
        "aten.convolution.default",
        "aten.convolution_backward.default",
        "aten.max_pool3d_with_indices.default",
        "aten.max_pool3d_with_indices_backward.default",
    },
    "experts": {"aten.topk.default"},
}


@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_model_of_the_zoo_has_a_program(name, monkeypatch):
    if name.startswith("keras"):
        pytest.importorskip("keras")
    monkeypatch.setattr(program, "load", lambda *_: SimpleNamespace(train=SimpleNamespace()))
    monkeypatch.setattr(programs, "gives_same", lambda *_: True)
    programs.programs.cache_clear()
    try:
        found = native(zoo.task(name), torch.float32)
    finally:
        programs.programs.cache_clear()
    assert {*found.torch_calls} == BY_TORCH.get(name, set())
    assert "void" in found.text
