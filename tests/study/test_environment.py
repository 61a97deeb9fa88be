"""What a study ran on."""

import json
import os

from steepest.study.environment import boot_id, cores, hardware, versions


def test_versions_name_all_that_can_change_a_result():
    found = versions()
    assert {"python", "steepest", "torch", "numpy"} <= set(found)
    assert "not installed" not in found.values()


def test_hardware_is_described_in_words():
    found = hardware()
    assert found["cores"] == str(cores())
    assert found["memory"].endswith("GiB")
    assert all(isinstance(value, str) and value for value in found.values())
    json.dumps(found, allow_nan=False)


def test_cores_are_those_that_this_process_may_use():
    assert cores() == len(os.sched_getaffinity(0))


def test_the_boot_is_the_same_until_the_machine_starts_again():
    assert boot_id() == boot_id() != ""
