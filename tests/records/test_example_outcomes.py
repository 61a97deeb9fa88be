"""What came of each test example, as it is stored and checked."""

from dataclasses import replace

import numpy as np
import pytest
from study import toy

from steepest.errors import StudyFolderError
from steepest.records.example_outcomes import MAX_EXAMPLES, Contributions, ExampleOutcomes, candidates, packed
from steepest.records.files import read_trace, write_trace

rng = np.random.default_rng(0)
MASK = np.arange(50) % 3 == 0  # 17 of 50
RIGHT = {lane: Contributions(MASK, rng.integers(0, 2, 17).astype(float), 17, True) for lane in (1, 4)}
ERRORS = {lane: Contributions(np.roll(MASK, lane), rng.normal(size=17) * 1e6, 17, False) for lane in (0, 2)}


def test_bits_come_back_as_they_were_and_numbers_nearly():
    for given, error in ((RIGHT, 0), (ERRORS, 1e3)):
        found = packed(given)
        assert found is not None
        for lane, expected in given.items():
            stored = found.of(lane)
            assert stored is not None
            np.testing.assert_array_equal(stored.mask, expected.mask)
            np.testing.assert_allclose(stored.values, expected.values, atol=error)
            assert (stored.size, stored.right) == (17, expected.right)
        assert found.of(3) is None


def test_seven_hundred_right_answers_take_a_hundred_bytes():
    mask = np.ones(700, dtype=bool)
    found = packed({i: Contributions(mask, np.ones(700), 700, True) for i in range(5)})
    assert found is not None and len(found.values) == 5 * 88
    assert found.masks.size == 88  # all alike, stored once


def test_trials_of_another_form_are_not_mixed():
    assert packed({}) is None
    assert packed({1: RIGHT[1], 2: ERRORS[2]}) is None


def test_of_many_examples_the_same_ones_are_kept_for_every_seed():
    pool, tested = 200_000, 40_000
    kept = candidates(pool, tested)
    seeds = [np.random.default_rng(seed).permutation(pool)[:tested] for seed in range(2)]
    counts = [int(np.isin(kept, each).sum()) for each in seeds]
    assert all(abs(count - MAX_EXAMPLES) < 400 for count in counts)
    np.testing.assert_array_equal(kept, candidates.__wrapped__(pool, tested))
    assert len(candidates(100, 20)) == 100


# ---- on disk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path):
    trace = toy.trace(toy.shard())
    sound = [lane for lane, each in enumerate(trace.outcome) if each == "ok"][:1]
    metric = np.array(trace.test_metric)
    found = {}
    for lane in sound:
        values = (np.arange(17) < 9 + lane).astype(float)
        metric[lane] = values.mean()
        found[lane] = Contributions(MASK, values, 17, True)
    return tmp_path / "curves.npz", replace(trace, test_metric=metric, examples=packed(found))


def test_a_file_gives_back_the_examples(stored):
    path, trace = stored
    write_trace(path, trace)
    found = read_trace(path).examples
    for name in ("lanes", "masks", "values", "scales", "sizes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(trace.examples, name))
    first = path.read_bytes()
    write_trace(path, trace)
    assert path.read_bytes() == first


HOSTILE = {
    "a lane that does not exist": lambda x: replace(x, lanes=x.lanes + 1000),
    "a lane below 0": lambda x: replace(x, lanes=x.lanes - 1000),
    "a lane twice": lambda x: replace(
        x, lanes=x.lanes.repeat(2), values=np.tile(x.values, 2), sizes=x.sizes[[0, 0, 1]]
    ),
    "other bits": lambda x: replace(x, values=~x.values),
    "bits missing": lambda x: replace(x, values=x.values[:-1]),
    "a mask cut short": lambda x: replace(x, masks=x.masks[:, :-1]),
    "nothing in the mask": lambda x: replace(x, masks=x.masks * 0),
    "a test part smaller than the mask": lambda x: replace(x, sizes=x.sizes // 2),
    "more candidates than memory": lambda x: replace(x, sizes=x.sizes * 2**40),
    "numbers of another type": lambda x: replace(x, values=x.values.astype(np.float64)),
    "another shape": lambda x: replace(x, masks=x.masks[0]),
    "no trial": lambda x: replace(x, lanes=x.lanes[:0], sizes=x.sizes[-1:]),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_cannot_be_is_refused(stored, change):
    path, trace = stored
    write_trace(path, replace(trace, examples=change(trace.examples)))
    with pytest.raises(StudyFolderError, match="is damaged"):
        read_trace(path)


def test_half_a_set_of_arrays_and_numbers_beyond_the_scale_are_refused(stored):
    path, trace = stored
    found = packed({int(lane): ERRORS[0] for lane in trace.examples.lanes})
    for values, scales in ((found.values * 3, found.scales), (found.values, found.scales * np.float32(np.inf))):
        write_trace(path, replace(trace, examples=replace(found, values=values, scales=scales)))
        with pytest.raises(StudyFolderError, match="impossible value"):
            read_trace(path)


def test_every_flipped_bit_of_the_examples_is_found(stored):
    path, trace = stored
    write_trace(path, trace)
    sound = path.read_bytes()
    place = sound.index(trace.examples.values.tobytes())
    for i in range(len(trace.examples.values.tobytes())):
        spoilt = bytearray(sound)
        spoilt[place + i] ^= 1 << (i % 8)
        path.write_bytes(bytes(spoilt))
        with pytest.raises(StudyFolderError, match="is damaged"):
            read_trace(path)


def test_curves_without_examples_are_read_as_before(stored):
    path, trace = stored
    write_trace(path, replace(trace, examples=None))
    assert read_trace(path).examples is None
    assert isinstance(trace.examples, ExampleOutcomes)
