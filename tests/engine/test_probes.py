"""A look changes nothing and sees what is there: known gradients, known curvature, the same in both engines."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from engine.small import KINDS, digits, shard
from torch import nn

from steepest.builtin.task_table import entry
from steepest.engine.object_registry import ObjectRegistry
from steepest.engine.probes import flips, look, noise_scale, probe, probe_steps
from steepest.engine.random_sources import seed_step
from steepest.engine.shard import run_job
from steepest.engine.solo import Trial
from steepest.errors import StudyFolderError
from steepest.records.contender import TORCH_IN_MEMORY, Contender
from steepest.records.files import read_probes, write_probes
from steepest.records.job_records import ProbeJob
from steepest.records.record import field_names

FIGURES = ("rate", "step", "step_of_layer", "update_to_weight", "loss", "gradient", "flips", "sharpness", "state")


def looked_at(optimizer, rate, steps=12, task=None, at=(0, 5, 10), engine="solo", **choices):
    asked = shard(optimizer, (rate,), (0, 1, 2), steps=steps, evaluate_at=at, engine=engine, **choices)
    return probe(task or digits(), asked)


def test_a_look_changes_no_bit_of_the_training():
    asked = shard("adam", (0.01,), (3,), steps=12)
    weights = []
    for at in ((), (0, 4, 9)):
        trial = Trial(digits(), asked, asked.lanes[0])
        for t in range(1, 13):
            if t - 1 in at:
                look(trial, t - 1)
            seed_step(3, t)
            trial.step(t)
        weights.append([p.detach().clone() for p in trial.model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adagrad"])
def test_both_engines_see_the_same(optimizer):
    solo, fleet = (looked_at(optimizer, 0.02, engine=engine, dtype="float64") for engine in ("solo", "fleet"))
    for name in FIGURES:
        np.testing.assert_allclose(getattr(fleet, name), getattr(solo, name), rtol=1e-5, atol=1e-9, err_msg=name)


APART = [kind for kind in KINDS if kind.name in ("batch norm", "tied weights", "frozen weights")]


@pytest.mark.parametrize("kind", APART, ids=lambda kind: kind.name)
def test_a_fleets_lane_is_put_into_a_trial_with_all_that_belongs_to_it(kind):
    asked = {"task": kind.task(), "at": (0, 6), "steps": 8, "dtype": "float64"}
    solo, fleet = (looked_at("adam", 0.01, engine=engine, **asked) for engine in ("solo", "fleet"))
    for name in ("step", "loss", "gradient", "sharpness"):
        np.testing.assert_allclose(getattr(fleet, name), getattr(solo, name), rtol=1e-4, atol=1e-9, err_msg=name)


def test_the_effective_step_of_plain_descent_is_its_rate_and_momentums_grows_to_ten_times_it():
    plain = looked_at("sgd", 0.05)
    assert plain.step == pytest.approx(np.full((3, 3, 5), 0.05), rel=1e-2)
    assert plain.states == ()
    heavy = looked_at("momentum", 0.001, steps=60, at=(0, 55))
    assert heavy.step[:, 0, 2] == pytest.approx(np.full(3, 0.001), rel=1e-2)
    assert (heavy.step[:, 1, 2] > 0.004).all()


def test_the_reported_rate_is_the_schedules():
    seen = looked_at("sgd", 0.1, schedule="linear")
    assert seen.rate[:, 0] == pytest.approx(np.full(3, 0.1))
    assert (np.diff(seen.rate[0]) < 0).all()


def test_the_sharpness_of_a_quadratic_is_its_largest_curvature():
    task = entry("quadratic").build()
    asked = shard("sgd", (0.1,), (0, 1), steps=20, evaluate_at=(0, 10), batch_size=10)
    assert probe(task, asked).sharpness == pytest.approx(np.ones((2, 2)), rel=0.05)


def test_the_noise_scale_of_known_noise_is_found():
    draw = torch.Generator().manual_seed(0)
    signal = torch.zeros(2000, dtype=torch.float64)
    signal[0] = 10.0  # |G|² = 100; tr Σ of a batch is 2000, so of one example 32 × 2000
    gradients = signal + torch.randn(64, 2000, generator=draw, dtype=torch.float64)
    assert noise_scale(gradients, 32) == pytest.approx(32 * 2000 / 100, rel=0.15)
    assert noise_scale(gradients - gradients.mean(0), 32) == math.inf
    assert noise_scale(signal.expand(8, -1), 32) == 0.0


def test_flips_are_counted_among_what_both_steps_move():
    one, two = torch.tensor([1.0, -1.0, 1.0, 0.0]), torch.tensor([-1.0, -1.0, 1.0, 1.0])
    assert flips(one, two) == pytest.approx(1 / 3)
    assert math.isnan(flips(torch.zeros(2), torch.ones(2)))


def test_parameters_with_a_gradient_in_few_batches_are_reported_separately():
    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.out = nn.Embedding(400, 4), nn.Linear(4, 10)

        def forward(self, x):
            return self.out(self.words(x).mean(1))

    rng = np.random.default_rng(0)
    x = np.where(rng.random((300, 3)) < 0.5, 0, rng.integers(1, 400, (300, 3)))  # word 0 is in every batch
    task = digits(Sparse, data=(x, rng.integers(0, 10, 300)))
    seen = looked_at("adagrad", 0.1, steps=40, task=task, at=(0, 20, 38), batch_size=8)
    assert (seen.share_rare[:, :, 0] > 0.15).all()
    assert (seen.step_of_rare[:, -1, 0] > seen.step_of_rare[:, -1, 1]).all()
    plain = looked_at("sgd", 0.1, steps=40, task=task, at=(0, 20, 38), batch_size=8)
    assert plain.step_of_rare == pytest.approx(np.full((3, 3, 2), 0.1), rel=0.02)


def test_somebody_elses_optimizer_can_be_looked_at():
    theirs = Contender("theirs", TORCH_IN_MEMORY + "theirs", 0.01)
    asked = replace(shard("sgd", (0.01,), (0, 1), steps=10, evaluate_at=(0, 5), engine="solo"), contender=theirs)
    seen = probe(digits(), asked, ObjectRegistry(optimizers={"theirs": torch.optim.AdamW}))
    assert seen.states == ()
    assert np.isfinite(seen.step).all()


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 97, 590, 100_000])
def test_looks_lie_within_the_horizon(steps):
    at = probe_steps(steps)
    assert at[0] == 0 and at[-1] == max(0, steps - 2) and list(at) == sorted(set(at))


def test_findings_survive_their_file_and_a_damaged_file_is_an_error(tmp_path):
    asked = shard("adam", (0.01,), (0, 1, 2), steps=6, evaluate_at=(0, 3))
    run_job(ProbeJob(replace(asked, id="x")), tmp_path, ObjectRegistry(tasks={"test": digits()}))
    path = tmp_path / "probes" / "x.npz"
    seen = read_probes(path)
    assert seen.contender == "adam" and seen.task == "test" and seen.states == ("m", "v")
    again = tmp_path / "again.npz"
    write_probes(again, seen)
    assert again.read_bytes() == path.read_bytes()
    assert seen.step.shape == (3, 2, 5) and set(field_names(type(seen))) >= set(FIGURES)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StudyFolderError, match="damaged"):
        read_probes(path)
