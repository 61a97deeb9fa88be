"""Speeds can be compared only if all peers do the same training: the same start, the same batches, the same losses."""

from functools import cache

import numpy as np
import pytest

from benchmarks.candidates import ALL, PEERS
from benchmarks.peers.loop import Loop
from benchmarks.peers.ours import Engine
from benchmarks.workloads import RATES, WORKLOADS, trials

STEPS = 6
DIGITS = ("mlp-32", "mlp-128")
"""Workloads whose data need no download."""
OTHERS = tuple(name for name in WORKLOADS if name not in DIGITS)
everywhere = pytest.mark.parametrize(
    "name", [*DIGITS, *(pytest.param(name, marks=[pytest.mark.oracles, pytest.mark.network]) for name in OTHERS)]
)


@cache
def by_hand(name: str, lanes: int = 1) -> np.ndarray:
    """The losses of the plain loop [STEPS, lanes], trial by trial."""
    loops = [Loop(WORKLOADS[name], lane, adam="for-loop", threads=1) for lane in trials(lanes)]
    return np.concatenate([loop.train(0, STEPS) for loop in loops], axis=1)


def moves(losses: np.ndarray) -> bool:
    """Whether the training changes anything that is far above rounding."""
    return np.abs(np.diff(losses, axis=0)).max() > 1e-3


@everywhere
@pytest.mark.parametrize("engine", ["solo", "fleet"])
def test_our_engine_trains_as_the_plain_loop_does(name, engine):
    lanes = 1 if engine == "solo" else len(RATES) + 1  # all rates of a seed, and one of the next seed
    expected = by_hand(name, lanes)
    assert moves(expected)
    found = Engine(WORKLOADS[name], engine, lanes).train(0, STEPS)
    steady = expected < 10  # what blows up magnifies each rounding
    assert steady[:, : len(RATES) - 2].all()
    np.testing.assert_allclose(found[steady], expected[steady], rtol=1e-4)


@pytest.mark.parametrize("adam", ["fused", "foreach"])
def test_all_forms_of_adam_train_alike(adam):
    found = Loop(WORKLOADS["mlp-32"], trials(1)[0], adam, threads=1).train(0, STEPS)
    np.testing.assert_allclose(found, by_hand("mlp-32"), rtol=1e-5)


def test_batches_go_on_where_they_ended():
    whole, parts = (Loop(WORKLOADS["mlp-32"], trials(1)[0], "fused", threads=1) for _ in range(2))
    np.testing.assert_array_equal(whole.train(0, 6), np.concatenate([parts.train(0, 2), parts.train(2, 6)]))


@pytest.mark.slow
def test_joblib_trains_as_the_plain_loop_does():
    from benchmarks.peers.parallel import Parallel

    found = Parallel(WORKLOADS["mlp-32"], "for-loop", processes=2).train(0, STEPS)
    np.testing.assert_allclose(found, by_hand("mlp-32", 2), rtol=1e-6)


@pytest.mark.oracles
@everywhere
def test_jax_trains_as_the_plain_loop_does(name):
    from benchmarks.candidates import CHOICES
    from benchmarks.peers.vmapped import Vmapped

    expected = by_hand(name, len(RATES) + 1)
    for choices in CHOICES.get(name, ({},)):
        jax = Vmapped(WORKLOADS[name], lanes=len(RATES) + 1, devices=1, **{"chunk": STEPS // 2, **choices})
        steady = expected < 10
        np.testing.assert_allclose(jax.train(0, STEPS)[steady], expected[steady], rtol=1e-4)


@pytest.mark.oracles
@everywhere
def test_keras_trains_as_the_plain_loop_does(name, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    from benchmarks.peers.keras_fit import Fit

    keras = Fit(WORKLOADS[name], threads=1, steps_per_execution=1)
    found = np.concatenate([keras.train(t, t + 1) for t in range(STEPS)])
    # one bias in place of two: Adam moves it half as far
    np.testing.assert_allclose(found, by_hand(name), rtol=1e-4 if name == "lstm" else 1e-5)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_peer_has_ways_to_be_tried(name):
    for peer in ("ours", *PEERS):
        ways = ALL[peer](name, 2)
        assert len({way.label for way in ways}) == len(ways) > 0


def test_the_operations_of_a_step_are_those_that_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    for name in DIGITS:
        workload = WORKLOADS[name]
        loop = Loop(workload, trials(1)[0], "for-loop", threads=1)
        with FlopCounterMode(display=False) as counter:
            loop.train(0, 1)
        assert counter.get_total_flops() == workload.flops()
