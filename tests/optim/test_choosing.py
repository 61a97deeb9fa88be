"""What a reader who chooses is told is what the rules do."""

import operator
import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import steepest
from steepest.adapters.torch import build
from steepest.design.contenders import enter
from steepest.errors import UnknownName
from steepest.optim import choosing
from steepest.optim.catalogue import CATALOGUE, entry
from steepest.optim.entry import Entry
from steepest.optim.rule import hyperparameters
from steepest.optim.schedules import schedule

by_name = operator.attrgetter("name")
M, N = 24, 40


def value(terms: dict[str, int] | str) -> int:
    """Of a formula in m and n: "2mn + 2m² + 2n²"."""
    if not isinstance(terms, str):
        return sum(count * value(term) for term, count in terms.items())
    total = 0
    for term in terms.split(" + "):
        count, letters = re.fullmatch(r"(\d*)([mn²³]*)", term).groups()
        product = int(count or 1)
        for letter, power in re.findall(r"([mn])([²³]?)", letters):
            product *= {"m": M, "n": N}[letter] ** {"": 1, "²": 2, "³": 3}[power]
        total += product
    return total


@pytest.mark.parametrize("item", CATALOGUE, ids=by_name)
def test_state_and_products_of_a_matrix_are_those_of_the_formulas(item: Entry) -> None:
    w = torch.ones(M, N, requires_grad=True)
    optimizer = build(item, [w], lr=1e-3)

    def closure() -> None:
        optimizer.targets(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
        w.grad = torch.randn(M, N, generator=torch.Generator().manual_seed(1))

    for _ in range(2):
        optimizer.step(closure)
    held = [x for x in optimizer.state[w].values() if isinstance(x, torch.Tensor)]
    assert sum(x.numel() for x in held) == value(choosing.state_formula(item))

    if item.rule.__name__ in choosing.PRODUCTS and item.rule.__name__ not in choosing.PERIODIC:
        with FlopCounterMode(display=False) as counter:
            optimizer.step(closure)
        assert counter.get_total_flops() == value(choosing.PRODUCTS[item.rule.__name__])


@pytest.mark.parametrize("name", ["shampoo", "shampoo-grafted", "soap"])
def test_products_between_two_renewals_are_those_of_the_formulas(name: str) -> None:
    w = torch.ones(M, N, requires_grad=True)
    optimizer = build(name, [w], lr=1e-3, every=2.0)
    flops = []
    for _ in range(8):
        w.grad = torch.randn(M, N, generator=torch.Generator().manual_seed(1))
        with FlopCounterMode(display=False) as counter:
            optimizer.step()
        flops.append(counter.get_total_flops())
    assert min(flops[4:]) == value(choosing.PRODUCTS[entry(name).rule.__name__]) < max(flops[4:])


def test_counted_operations_are_those_that_one_counts() -> None:
    assert choosing.operations(entry("sign-sgd")) == 3  # sign, times η, minus
    assert choosing.operations(entry("muon")) < choosing.operations(entry("muon+cautious"))


def test_what_is_said_of_single_optimizers_names_what_there_is() -> None:
    names = {item.name for item in CATALOGUE}
    assert {*choosing.TUNE, *choosing.OWN_SCHEDULES} <= names
    assert all(name in hyperparameters(entry(key).rule) for key, tune in choosing.TUNE.items() for name in tune)
    for words in choosing.OWN_SCHEDULES.values():
        schedule(words)
    rules = {item.rule.__name__ for item in CATALOGUE}
    assert {*choosing.PRODUCTS, *choosing.PERIODIC, *choosing.TREATMENT} <= rules
    assert {choosing.kind_of(item) for item in CATALOGUE} == {*choosing.KINDS.values()}
    assert {need for item in CATALOGUE for need in choosing.needs_of(item)} == {*choosing.NEEDS}
    assert all(choosing.choice_of(item)["treatment"] for item in CATALOGUE)


def test_lists_are_filtered_and_sorted() -> None:
    every = [row["name"] for row in steepest.api.optimizers()]
    none = steepest.api.optimizers(needs="none", state=2, sort="name")
    assert [row["name"] for row in none] == sorted(row["name"] for row in none)
    assert {"adam", "lion"} <= {row["name"] for row in none} < {*every}
    assert not {"muon", "sophia-g", "prodigy", "schedule-free-adamw", "amsgrad"} & {row["name"] for row in none}
    assert {"muon", "scion"} <= {row["name"] for row in steepest.api.optimizers(needs="roles")}
    years = [row["paper"]["year"] for row in steepest.api.optimizers(kind="matrices", sort="year")]
    assert years == sorted(years)
    kept = [row["numbers_kept"] for row in steepest.api.optimizers(sort="state")]
    assert kept == sorted(kept)
    with pytest.raises(UnknownName, match=r"Unknown kind of optimizers 'matrix'\. Did you mean matrices\?"):
        steepest.api.optimizers(kind="matrix")
    for unknown in ({"needs": "role"}, {"sort": "price"}):
        with pytest.raises(UnknownName):
            steepest.api.optimizers(**unknown)


def test_the_command_lists_some_and_says_if_there_are_none(typed) -> None:
    listed = typed("optimizers", "--needs", "second-gradient").out
    assert "sophia-g" in listed and "adam " not in listed
    assert typed("optimizers", "--kind", "matrices", "--state", "0.5").out.startswith("No optimizer is like that")
    assert "Did you mean" in typed("optimizers", "--sort", "years", code=2).err


def test_own_gives_each_optimizer_the_schedule_of_its_authors() -> None:
    found, _ = enter("adam,muon+cautious,schedule-free-adamw,adamw:schedule=linear,soap", "own")
    assert [each.schedule for each in found] == [
        "constant",
        "warmup-cosine",
        "warmup-constant",
        "linear",
        "warmup-cosine",
    ]
    found, _ = enter("muon:schedule=own,muon#2")
    assert [each.schedule for each in found] == ["warmup-cosine", "constant"]
    found, _ = enter([torch.optim.SGD], "own")
    assert found[0].schedule == "constant"
