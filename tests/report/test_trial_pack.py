"""Trials packed for the page: no trial is lost, a value keeps four digits, and what ended has no value."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from report.studies import default_study, default_view, looks_into
from verdict.factory import SEVEN, synthetic_study

from steepest.records.dial import Dial, packed
from steepest.report.html import trial_lines
from steepest.report.probe_figures import FIGURES, probe_figures
from steepest.report.trial_pack import pack, trials


def unpack(packed, shape):
    """What `static/trial_data.js` does."""
    codes = np.frombuffer(base64.b64decode(packed["codes"]), dtype="<u2").astype(float)
    shares = (codes - 1) / 65534
    low, high = packed["low"], packed["high"]
    values = low * (high / low) ** shares if packed["log"] else low * (1 - shares) + high * shares
    return np.where(codes == 0, np.nan, values).reshape(shape)


@pytest.mark.parametrize("decades", [0, 1, 6, 20])
def test_a_packed_curve_keeps_four_digits(decades):
    rng = np.random.default_rng(decades)
    values = 10.0 ** rng.uniform(-decades / 2, decades / 2, (5, 40))
    values[2, 10:] = np.nan
    found = unpack(pack(values), values.shape)
    assert np.array_equal(np.isnan(found), np.isnan(values))
    assert np.nanmax(np.abs(found / values - 1)) < 1e-3


def test_curves_without_a_value_or_with_the_largest_floats_are_packed_too():
    assert np.isnan(unpack(pack(np.full((2, 3), np.inf)) | {"low": 1.0, "high": 1.0}, (2, 3))).all()
    extreme = np.array([[-1.7e308, 0.0, 1.7e308]])
    assert np.allclose(unpack(pack(extreme), (1, 3)) / 1.7e308, extreme / 1.7e308, atol=1e-4)


def test_every_trial_of_the_study_is_there_with_its_own_curve():
    study, _, traces = default_study()
    (blocks,) = trials(study, traces)
    assert sum(len(block["rate"]) for block in blocks.values()) == len(study.results)
    failed = sum(outcome != "ok" for block in blocks.values() for outcome in block["outcome"])
    assert failed == default_view()["study"]["failed"]
    row = study.results[77]
    block = list(blocks.values())[list(dict.fromkeys(r.shard for r in study.results)).index(row.shard)]
    place = sorted(r.lane for r in study.results if r.shard == row.shard).index(row.lane)
    assert (block["seed"][place], block["ended"][place]) == (row.seed, row.outcome_step)
    curves = unpack(block["curves"]["valid_metric"], (len(block["rate"]), len(block["at"])))
    assert np.allclose(curves[place], 100 * traces[row.shard].valid_metric[row.lane], rtol=1e-3, equal_nan=True)


def test_blocks_that_are_known_are_not_made_again():
    study, traces = synthetic_study(SEVEN[:2], seeds=2)
    known = {}
    first = trials(study, traces, known)
    again = trials(study, traces, known)
    assert all(again[0][key] is block for key, block in first[0].items())


def test_what_probes_saw_becomes_a_figure_for_each_quantity():
    study, _ = synthetic_study(SEVEN[:2], seeds=2)
    probe = looks_into("momentum")
    figures = probe_figures([probe], "digits", study.contenders)
    assert [figure["title"] for figure in figures] == [title for title, *_ in FIGURES]
    assert all(figure[key].render("zh") != str(figure[key]) for figure in figures for key in ("title", "caption"))
    (line,) = figures[-1]["series"]
    assert line["contender"] == 1
    assert line["steps"] == [0, 10, 100, 400]
    assert line["mid"][0] == pytest.approx(2.0), "the median of λ × rate over the two trials that ran"
    assert (line["low"][0], line["high"][0]) == pytest.approx((1.0, 3.0))
    assert probe_figures([probe], "elsewhere", study.contenders) == []


def test_noise_that_is_only_rounding_is_not_drawn():
    study, _ = synthetic_study(SEVEN[:2], seeds=2)
    full = replace(looks_into("sgd"), noise=np.full((3, 4), 1e-12))
    titles = [figure["title"] for figure in probe_figures([full], "digits", study.contenders)]
    assert "Gradient noise" not in titles
    assert len(titles) == len(FIGURES) - 1


def test_lines_of_trials_hold_every_block_and_cannot_end_their_script():
    study, traces = synthetic_study([replace(SEVEN[0], name="</script>"), SEVEN[1]], seeds=3)
    packed = trials(study, traces)
    found = [{}]
    for line in trial_lines(packed).split("\n"):
        assert not set("<>&") & set(line)
        task, blocks = json.loads(line)
        found[task] |= blocks
    assert found == json.loads(json.dumps(packed))


def test_dials_of_a_trial_are_there_with_defaults_where_it_turns_none_and_only_in_studies_that_have_any():
    study, traces = synthetic_study(SEVEN[:2], seeds=2)
    assert not any("dials" in block for block in trials(study, traces)[0].values())
    dials = (
        Dial("b2", "log", 0.9, 0.999, complement=True, default=0.999),
        Dial("schedule", "choice", choices=("constant", "cosine"), default="constant"),
    )
    first = replace(study.contenders[0], dials=dials, search="sobol")
    turned = replace(study.results[0], dials=packed({"schedule": "cosine", "b2": 0.95}), stage="search")
    study = replace(study, contenders=(first, *study.contenders[1:]), results=(turned, *study.results[1:]))
    (blocks,) = trials(study, traces)
    found = [block for block in blocks.values() if block["contender"] == 0]
    assert found[0]["dials"]["schedule"][turned.lane] == "cosine" and found[0]["dials"]["b2"][turned.lane] == 0.95
    assert {each for block in found for each in block["dials"]["b2"]} == {0.95, 0.999}
    assert not any("dials" in block for block in blocks.values() if block["contender"] == 1)
