"""Bands over seeds: NumPy's quantiles where all is well, and the worst where seeds have failed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steepest.report.curve_bands import band

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(FINITE, min_size=1, max_size=12), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans())
def test_without_failures_a_band_is_the_quantile(values, share, higher):
    [[found]] = band(np.array(values)[:, None], higher, [share])
    assert found == pytest.approx(np.quantile(values, share), rel=1e-3, abs=1e-6)


def test_the_median_of_mostly_failed_seeds_is_failed():
    values = np.array([1.0] * 4 + [np.nan] * 6)[:, None]
    assert band(values, False, [0.5]) == [[None]]
    assert band(values, True, [0.5]) == [[None]]


def test_few_failures_reach_only_the_worse_end_of_the_band():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, np.nan, np.inf])[:, None]
    loss_low, loss_mid, loss_high = (row[0] for row in band(values, False, [0.1, 0.5, 0.9]))
    assert (loss_low, loss_mid, loss_high) == (1.9, 5.5, None)
    metric_low, metric_mid, metric_high = (row[0] for row in band(values, True, [0.1, 0.5, 0.9]))
    assert (metric_low, metric_mid) == (None, 3.5)
    assert metric_high == 7.1
