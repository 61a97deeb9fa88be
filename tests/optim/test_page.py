"""The page about optimizers is made from the table, and what stands on disk is what the table gives today."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from steepest.adapters.torch import build
from steepest.optim.choosing import numbers_kept

DOCS = Path(__file__).parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
assert _spec and _spec.loader
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", generate.PAGES)
def test_the_page_on_disk_is_what_the_table_gives(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == generate.PAGES[name](), "run `make docs`"


def test_worked_numbers_are_those_of_a_calculation_by_hand() -> None:
    by_name = {item.name: item for item in generate.CATALOGUE}
    assert generate.worked(by_name["sgd"]) == pytest.approx([0.95, 0.9, 0.925])
    assert generate.worked(by_name["momentum"]) == pytest.approx([0.95, 0.855, 0.7945])  # v = 0.5, 0.95, 0.605
    assert generate.worked(by_name["momentum-averaged"]) == pytest.approx([0.995, 0.9855, 0.97945])
    assert generate.worked(by_name["adagrad"])[1] == pytest.approx(0.9 - 0.1 / 2**0.5)


def test_the_state_of_the_table_is_that_which_an_optimizer_holds() -> None:
    for item in generate.CATALOGUE:
        parameters = [torch.ones(shape, requires_grad=True) for shape in ((256, 784), (256,), (10, 256), (10,))]
        optimizer = build(item, parameters)

        def closure(parameters: list[torch.Tensor] = parameters, optimizer: Any = optimizer) -> None:
            optimizer.targets(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
            for p in parameters:
                p.grad = torch.ones_like(p)

        if item.rule.scope == "matrix":  # its first step takes seconds
            continue
        optimizer.step(closure)
        names = item.rule.state
        held = sum(state[name].nbytes for state in optimizer.state.values() for name in names)
        assert held / 203_530 == pytest.approx(4 * numbers_kept(item)), item.name
