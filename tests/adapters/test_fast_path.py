"""Steps like the last one: the numbers of eager steps, whatever happens between two of them, and no memory but that
of the tensors as they are now.
"""

from __future__ import annotations

import copy
import gc
import io
import operator
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from steepest.adapters import fast_path, stepping
from steepest.adapters.torch import RuleOptimizer, build
from steepest.codegen.toolchain import NoCompiler
from steepest.optim.catalogue import CATALOGUE, entry
from steepest.optim.entry import Entry

pytestmark = pytest.mark.compile

SHAPES = ((5, 3), (7,), (2, 3, 2, 2), (1,), (0, 2), ())
ELEMENTWISE = [item for item in CATALOGUE if item.rule.scope == "element" and not item.rule.second]
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def here() -> None:
    if fast_path.library() is None:
        pytest.skip("no compiler, or no headers of torch")


def parameters(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=draw, dtype=dtype)) for shape in SHAPES]


def give_gradients(ps: list[Tensor], k: int) -> None:
    draw = torch.Generator().manual_seed(k + 1)
    for p in ps:
        g = torch.randn(p.shape, generator=draw, dtype=torch.float64).to(p.dtype)
        p.grad = torch.empty_like(p, requires_grad=False).copy_(g) if p.requires_grad else None


def follow(optimizer: torch.optim.Optimizer, ps: list[Tensor], steps: range) -> None:
    for k in steps:
        give_gradients(ps, k)
        optimizer.step()


def is_repeating(optimizer: RuleOptimizer, place: int = 0) -> bool:
    return optimizer._kernels is not None and optimizer._kernels.repeat(place) is not None


def settled(name: str, ps: list[Tensor], **settings: Any) -> RuleOptimizer:
    """An optimizer whose steps repeat, unless it was asked to be eager."""
    optimizer = build(name, ps, lr=0.05, **settings)
    follow(optimizer, ps, range(4))
    assert is_repeating(optimizer) is optimizer.is_compiled
    return optimizer


@pytest.mark.parametrize("item", [*ELEMENTWISE, entry("momentum+decay+ema")], ids=operator.attrgetter("name"))
def test_repeated_steps_are_the_eager_ones(item: Entry) -> None:
    ends = []
    for is_compiled in (True, False):
        ps = parameters()
        optimizer = build(item, ps, lr=0.05, compile=is_compiled)
        for k in range(10):
            give_gradients(ps, k)
            optimizer.param_groups[0]["lr"] *= 0.9
            optimizer.step()
        assert is_repeating(optimizer) is is_compiled
        states = [optimizer.state[p][name] for p in ps for name in item.rule.state]
        ends.append(torch.cat([x.detach().reshape(-1) for x in (*ps, *states)]))
        assert {state["step"] for state in optimizer.state.values()} == {10}
    assert torch.allclose(ends[0], ends[1], rtol=1e-11, atol=1e-13)


def test_a_repeated_step_looks_at_no_tensor_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    ps = parameters()
    optimizer = settled("adam", ps)
    monkeypatch.setattr(RuleOptimizer, "_batches", None)
    before = [p.detach().clone() for p in ps]
    follow(optimizer, ps, range(4, 8))
    assert all(not torch.equal(p, b) for p, b in zip(ps, before, strict=True) if p.numel())


# ---- what may happen between two steps -------------------------------------------------------------------------------
# Each takes the optimizer and its parameters, and may give another optimizer to go on with.


def new_memory(_: Any, ps: list[Tensor]) -> None:
    for p in ps:
        p.data = p.data.clone() * 2


def other_type(optimizer: Any, ps: list[Tensor]) -> None:
    for p in ps:
        p.data = p.data.float()
        state = optimizer.state[p]
        state.update({name: x.float() for name, x in state.items() if isinstance(x, Tensor)})


def one_other_type(optimizer: Any, ps: list[Tensor]) -> None:
    other_type(optimizer, ps[1:2])


def other_shape(optimizer: Any, ps: list[Tensor]) -> None:
    ps[0].data = torch.ones(4, 4, dtype=torch.float64)
    optimizer.state.pop(ps[0], None)


def other_order_in_memory(_: Any, ps: list[Tensor]) -> None:
    ps[2].data = ps[2].data.contiguous(memory_format=torch.channels_last)


def swapped(_: Any, ps: list[Tensor]) -> None:
    for p in ps:
        p.grad = None
        torch.utils.swap_tensors(p, nn.Parameter(p.detach() + 1))


def moved_by_a_module(_: Any, ps: list[Tensor]) -> None:
    module = nn.ParameterList(ps)
    module.float()
    module.double()


def loaded_weights(_: Any, ps: list[Tensor]) -> None:
    module = nn.ParameterList(ps)
    module.load_state_dict({name: x + 1 for name, x in module.state_dict().items()})
    module.load_state_dict({name: nn.Parameter(x + 1) for name, x in module.state_dict().items()})


def assigned_weights(optimizer: Any, ps: list[Tensor]) -> None:
    """The module has other parameters by now, and the optimizer still the old ones."""
    module = nn.ParameterList(ps)
    module.load_state_dict({name: nn.Parameter(x + 1) for name, x in module.state_dict().items()}, assign=True)


def other_state_tensor(optimizer: Any, ps: list[Tensor]) -> None:
    for p in ps:
        optimizer.state[p]["v"] = torch.ones_like(p)


def other_memory_of_a_state(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.state[ps[0]]["v"].data = torch.full_like(ps[0], 3.0)


def state_of_another_type(optimizer: Any, ps: list[Tensor]) -> None:
    for p in ps:
        optimizer.state[p]["v"] = optimizer.state[p]["v"].float()


def state_changed_in_place(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.state[ps[0]]["v"].mul_(2)


def state_swapped(optimizer: Any, ps: list[Tensor]) -> None:
    torch.utils.swap_tensors(optimizer.state[ps[0]]["v"], torch.full_like(ps[0], 2.0, requires_grad=False))


def other_count_of_all(optimizer: Any, ps: list[Tensor]) -> None:
    for p in ps:
        optimizer.state[p]["step"] = 1000


def other_count_of_one(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.state[ps[3]]["step"] = 2000


def state_forgotten(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.state.clear()


def state_of_one_forgotten(optimizer: Any, ps: list[Tensor]) -> None:
    del optimizer.state[ps[1]]


def state_in_another_order(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.state[ps[1]] = optimizer.state.pop(ps[1])


def states_exchanged(optimizer: Any, ps: list[Tensor]) -> None:
    for p in ps:
        optimizer.state[p] = {**copy.deepcopy(optimizer.state[p]), "note": "mine"}


def state_loaded(optimizer: Any, ps: list[Tensor]) -> None:
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    follow(optimizer, ps, range(20, 22))
    optimizer.load_state_dict(torch.load(file))


def another_rate_and_decay(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.param_groups[0].update(lr=torch.tensor(0.5), weight_decay=0.3)


def rate_of_a_tensor_filled(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.param_groups[0]["lr"] = torch.tensor(0.5)
    follow(optimizer, ps, range(20, 22))
    optimizer.param_groups[0]["lr"].fill_(0.25)


def list_replaced(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.param_groups[0]["params"] = ps[::-1]


def list_shortened(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.param_groups[0]["params"].pop(1)


def list_no_list(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.param_groups[0]["params"] = tuple(ps)


def group_in_front(optimizer: Any, ps: list[Tensor]) -> None:
    ps.append(nn.Parameter(torch.ones(3, dtype=torch.float64)))
    optimizer.add_param_group({"params": [ps[-1]], "lr": 0.01})
    optimizer.param_groups.reverse()


def one_frozen(_: Any, ps: list[Tensor]) -> None:
    ps[0].requires_grad_(False)


def a_copy_goes_on(optimizer: Any, ps: list[Tensor]) -> Any:
    both = copy.deepcopy((optimizer, ps))
    ps[:] = both[1]
    return both[0]


def a_pickle_goes_on(optimizer: Any, ps: list[Tensor]) -> Any:
    both = pickle.loads(pickle.dumps((optimizer, ps)))
    ps[:] = both[1]
    return both[0]


def switched_off_and_on(optimizer: Any, ps: list[Tensor]) -> None:
    was, optimizer.is_compiled = optimizer.is_compiled, False
    follow(optimizer, ps, range(20, 22))
    optimizer.is_compiled = was


def no_gradients_at_all(optimizer: Any, ps: list[Tensor]) -> None:
    optimizer.zero_grad()
    optimizer.step()


def gradients_zeroed_in_place(optimizer: Any, ps: list[Tensor]) -> None:
    give_gradients(ps, 30)
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()


def one_gradient_missing(optimizer: Any, ps: list[Tensor]) -> None:
    give_gradients(ps, 30)
    ps[1].grad = None
    optimizer.step()


def gradients_of_any_layout(optimizer: Any, ps: list[Tensor]) -> None:
    give_gradients(ps, 30)
    ps[0].grad = torch.arange(15.0, dtype=torch.float64).reshape(3, 5).t()
    ps[1].grad = torch.tensor(2.0, dtype=torch.float64).expand(7)
    ps[3].grad = torch.tensor([1 + 2j], dtype=torch.complex128).conj().imag
    assert ps[3].grad.is_neg()
    optimizer.step()


def gradients_that_are_parts(optimizer: Any, ps: list[Tensor]) -> None:
    """As those of a bucket that all processes share: views into one memory."""
    bucket = torch.randn(64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    at = 3
    for p in ps:
        p.grad = bucket[at : at + p.numel()].view(p.shape)
        at += p.numel()
    optimizer.step()


DISTURBANCES = [
    *(new_memory, other_type, one_other_type, other_order_in_memory, swapped, moved_by_a_module, loaded_weights),
    *(assigned_weights, other_state_tensor, other_memory_of_a_state, state_of_another_type, state_changed_in_place),
    *(state_swapped, other_count_of_all, other_count_of_one, state_forgotten, state_of_one_forgotten, other_shape),
    *(state_in_another_order, states_exchanged, state_loaded, another_rate_and_decay, rate_of_a_tensor_filled),
    *(list_replaced, list_shortened, list_no_list, group_in_front, one_frozen, a_copy_goes_on, a_pickle_goes_on),
    *(switched_off_and_on, no_gradients_at_all, gradients_zeroed_in_place, one_gradient_missing),
    *(gradients_of_any_layout, gradients_that_are_parts),
]


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=operator.attrgetter("__name__"))
@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_what_happens_between_two_steps_is_seen(disturb: Callable[..., Any], name: str) -> None:
    if name == "sgd" and "state" in disturb.__name__ and disturb not in (state_forgotten, state_loaded):
        pytest.skip("it has no state")
    ends = []
    for is_compiled in (True, False):
        ps = parameters()
        optimizer = settled(name, ps, compile=is_compiled)
        optimizer = disturb(optimizer, ps) or optimizer
        follow(optimizer, ps, range(4, 9))
        states = [x for state in optimizer.state.values() for x in state.values() if isinstance(x, Tensor)]
        counts = [state["step"] for state in optimizer.state.values()]
        ends.append((torch.cat([x.detach().reshape(-1).double() for x in (*ps, *states)]), counts))
    assert torch.allclose(ends[0][0], ends[1][0], rtol=1e-5, atol=1e-8)
    assert ends[0][1] == ends[1][1]


def test_tables_with_sparse_gradients_and_dense_ones_in_turn() -> None:
    ends = []
    for is_compiled in (True, False):
        ps = parameters()
        optimizer = settled("sgd", ps, compile=is_compiled)
        place = torch.tensor([[0, 4]])
        for k in range(4, 8):
            give_gradients(ps, k)
            ps[0].grad = torch.sparse_coo_tensor(
                place, torch.ones(2, 3, dtype=torch.float64), (5, 3), check_invariants=True
            )
            optimizer.step()
            follow(optimizer, ps, range(k, k + 3))
        ends.append(torch.cat([p.detach().reshape(-1) for p in ps]))
    assert torch.allclose(ends[0], ends[1], rtol=1e-12)


def test_parameters_without_gradient_stay_as_they_are_beside_those_that_move() -> None:
    ps = parameters()
    ps[1].requires_grad_(False)
    before = ps[1].detach().clone()
    optimizer = settled("adam", ps)
    follow(optimizer, ps, range(4, 8))
    assert is_repeating(optimizer)
    assert torch.equal(ps[1], before)
    assert ps[1] not in optimizer.state
    ps[1].requires_grad_(True)
    follow(optimizer, ps, range(8, 12))
    assert optimizer.state[ps[1]]["step"] == 4
    assert not torch.equal(ps[1], before)


def test_groups_repeat_on_their_own() -> None:
    ends = []
    for is_compiled in (True, False):
        ps, still = parameters(), parameters()
        optimizer = build("adam", [{"params": ps}, {"params": still, "lr": 0.2}], lr=0.05, compile=is_compiled)
        for k in range(12):
            give_gradients(ps, k)
            give_gradients(still if k % 5 else still[:2], k)  # the second is disturbed now and then
            optimizer.step()
            optimizer.zero_grad()
        assert is_repeating(optimizer) is is_compiled
        ends.append(torch.cat([p.detach().reshape(-1) for p in (*ps, *still)]))
    assert torch.allclose(ends[0], ends[1], rtol=1e-11)


# ---- a training script -----------------------------------------------------------------------------------------------


def trained(is_compiled: bool, name: str = "adamw", **how: Any) -> Tensor:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).double()
    if how.get("channels_last"):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build(name, model.parameters(), lr=0.01, compile=is_compiled)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0, enabled=how.get("scaled", False))
    for k in range(20):
        optimizer.zero_grad(set_to_none=how.get("set_to_none", True))
        x = torch.randn(6, 1, 8, 8, dtype=torch.float64)
        loss = nn.functional.cross_entropy(model(x), torch.arange(6) % 5)
        if how.get("scaled") and k == 7:
            loss = loss * float("inf")
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
    assert is_repeating(optimizer) is is_compiled
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(
    "how", [{}, {"set_to_none": False}, {"channels_last": True}, {"scaled": True}], ids=lambda how: "-".join(how)
)
def test_a_training_script_repeats_and_ends_where_the_eager_one_does(how: dict[str, Any]) -> None:
    assert torch.allclose(trained(True, **how), trained(False, **how), rtol=1e-7)


def test_hooks_and_closures_are_called_in_repeated_steps() -> None:
    ps = parameters()
    optimizer = settled("adam", ps)
    called = []
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))

    def closure() -> float:
        called.append("closure")
        give_gradients(ps, 1)
        return 2.0

    assert optimizer.step(closure) == 2.0
    assert called == ["before", "closure", "after"]
    assert is_repeating(optimizer)


def test_an_optimizer_may_step_while_gradients_are_computed() -> None:
    w = nn.Parameter(torch.ones(3))
    optimizer = build("sgd", [w], lr=0.1)

    def move(p: Tensor) -> None:
        optimizer.step()
        p.grad = None

    w.register_post_accumulate_grad_hook(move)
    for _ in range(6):
        w.sum().backward()
    assert is_repeating(optimizer)
    assert torch.allclose(w, torch.full((3,), 0.4))


def test_autograd_sees_that_a_repeated_step_has_changed_a_parameter() -> None:
    ps = parameters()
    optimizer = settled("adam", ps)
    give_gradients(ps, 1)
    loss = sum((p * p).sum() for p in ps)
    version = ps[0]._version
    optimizer.step()
    assert ps[0]._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[union-attr]


def test_without_the_library_steps_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ps, qs = parameters(), parameters()
    follow(settled("adam", ps), ps, range(4, 8))
    monkeypatch.setattr(stepping, "library", lambda: None)
    optimizer = build("adam", qs, lr=0.05)
    follow(optimizer, qs, range(8))
    assert not is_repeating(optimizer)
    assert all(map(torch.equal, ps, qs))


def test_a_missing_library_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise NoCompiler("torch has no headers here")

    monkeypatch.setattr(fast_path, "load", refuse)
    assert fast_path.library.__wrapped__() is None


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_nothing_is_kept_that_others_have_let_go() -> None:
    ps = parameters()
    optimizer = settled("adam", ps)
    follow(optimizer, ps, range(4, 8))
    gradients = [weakref.ref(p.grad) for p in ps]
    optimizer.zero_grad()
    gc.collect()
    assert not any(g() is not None for g in gradients)
    watched = [weakref.ref(optimizer), *(weakref.ref(p) for p in ps)]
    del optimizer, ps
    gc.collect()
    assert not any(x() is not None for x in watched)


def test_a_step_leaves_no_reference_behind() -> None:
    ps = parameters()
    optimizer = settled("nadam", ps)
    other_count_of_all(optimizer, ps)  # small integers are everybody's
    state = optimizer.state[ps[0]]
    follow(optimizer, ps, range(4, 8))
    things = (ps[0], state, state["m"], ps, optimizer.state, state["step"], next(iter(optimizer.rule.carry)))
    before = [*map(sys.getrefcount, things)]
    for _ in range(1000):
        optimizer.step()
    things = (*things[:5], state["step"], things[6])
    assert [*map(sys.getrefcount, things)] == before


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_two_threads_may_step_at_once(two_threads: None) -> None:
    ps = [nn.Parameter(torch.ones(100_000)) for _ in range(3)]
    for p in ps:
        p.grad = torch.ones_like(p)
    optimizer = build("adam", ps, lr=0.001)
    failed: list[BaseException] = []

    def step() -> None:
        try:
            for _ in range(300):
                optimizer.step()
        except BaseException as error:
            failed.append(error)

    steppers = [threading.Thread(target=step) for _ in range(2)]
    for thread in steppers:
        thread.start()
    for thread in steppers:
        thread.join()
    assert not failed
    for p in ps:
        assert 300 <= optimizer.state[p]["step"] <= 600  # a step that both take at once may count once
        assert p.isfinite().all() and p.max() < 1


FREED = """
import torch
from steepest.adapters.torch import build
torch.set_num_threads(1)
for lost in ("p", "p.grad", "optimizer.state[p]['v']"):
    ps = [torch.nn.Parameter(torch.ones(1000)) for _ in range(3)]
    optimizer = build("adam", ps, lr=0.1)
    for k in range(6):
        for p in ps:
            p.grad = torch.ones(1000)
        if k == 5:
            p = ps[1]
            eval(lost).untyped_storage().resize_(0)
        try:
            optimizer.step()
        except Exception as error:
            print(type(error).__name__, k)
"""


def test_memory_that_was_given_back_is_a_sentence_and_no_crash() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["BadInput 5"] * 3


RANDOM_WALK = """
import random, torch
from steepest.adapters.torch import build
from tests.adapters.test_fast_path import DISTURBANCES, follow, parameters
torch.set_num_threads(1)
lot = random.Random(0)
unlike = ("other_type", "one_other_type", "state_of_another_type", "other_shape", "list_no_list")
chosen = [d for d in DISTURBANCES if d.__name__ not in unlike]  # after these some others would fail
for _ in range(6):
    walk, ends = lot.choices(chosen, k=30), []
    for is_compiled in (True, False):
        ps, taken = parameters(), 0
        optimizer = build("adam", ps, lr=0.01, compile=is_compiled)
        follow(optimizer, ps, range(3))
        for k, disturb in enumerate(walk):
            if len(ps) < 10 and all("m" in optimizer.state[p] for p in ps):
                optimizer = disturb(optimizer, ps) or optimizer
                taken += 1
            for p in ps:
                p.requires_grad_(True)
            if len(optimizer.param_groups) == 1:
                optimizer.param_groups[0]["params"] = [*ps]
            follow(optimizer, ps, range(k, k + 1 + k % 5))
        ends.append(torch.cat([p.detach().reshape(-1) for p in ps]))
    assert torch.allclose(*ends, rtol=1e-5, atol=1e-6), walk
    print(taken)
"""


def test_a_random_walk_through_all_of_it_reads_no_memory_that_is_free() -> None:
    """Memory is overwritten as it is freed: what is read from there is no number that an eager step would see."""
    done = subprocess.run(
        [sys.executable, "-c", RANDOM_WALK],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GLIBC_TUNABLES": "glibc.malloc.perturb=170"},
    )
    assert sum(map(int, done.stdout.split())) > 90, done.stderr
    assert done.returncode == 0, done.stderr
