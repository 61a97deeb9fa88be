"""One look per optimizer, the same in every study, that needs no perfect eyes to tell apart."""

from itertools import combinations

import numpy as np
import pytest

from steepest.optim.catalogue import CATALOGUE
from steepest.records.contender import Contender
from steepest.report.style import COLOURS, FIXED, Style, styles

# Machado, Oliveira and Fernandes 2009, severity 1, in linear RGB
EYES = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
LMS = np.array([[0.4122215, 0.5363325, 0.051446], [0.2119035, 0.6806996, 0.107397], [0.0883025, 0.2817189, 0.6299787]])
LAB = np.array(
    [[0.2104543, 0.7936178, -0.004072], [1.9779985, -2.4285922, 0.4505937], [0.025904, 0.7827718, -0.8086758]]
)


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    return LAB @ np.cbrt(np.clip(LMS @ rgb, 0, None))


def contrast(a, b):
    light, dark = sorted((float(linear(x) @ [0.2126, 0.7152, 0.0722]) for x in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_any_two_colours_differ_for_all_eyes(eyes, theme):
    seen = [oklab(np.clip(EYES[eyes] @ linear(pair[theme]), 0, 1)) for pair in COLOURS]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 0.07


@pytest.mark.parametrize(("theme", "page"), [(0, "#fdfdfc"), (1, "#15171b")], ids=["light", "dark"])
def test_every_colour_stands_out_from_its_page(theme, page):
    assert min(contrast(pair[theme], page) for pair in COLOURS) >= 2.95


def test_every_optimizer_of_the_catalogue_has_a_look_of_its_own():
    assert [entry.name for entry in CATALOGUE if entry.name not in FIXED] == []
    assert len(set(FIXED.values())) == len(FIXED)


def test_an_optimizer_looks_the_same_in_every_study():
    def contenders(*names):
        return [Contender(name, name, 0.1) for name in names]

    assert styles(contenders("sgd", "adam"))[1] == styles(contenders("adam"))[0] == FIXED["adam"]
    assert styles(contenders("mine"))[0] == styles(contenders("sgd", "mine"))[1]


def test_contenders_that_share_an_optimizer_share_its_colour_and_differ_in_dash():
    looks = styles([Contender("adam@1", "adam", 0.1), Contender("adam@64", "adam", 0.1)])
    assert looks[0].colour == looks[1].colour == FIXED["adam"].colour
    assert looks[0].dash != looks[1].dash


def test_forty_contenders_look_all_different():
    looks = styles([Contender(str(i), f"stranger-{i}", 0.1) for i in range(40)])
    assert len(set(looks)) == 40
    assert all(isinstance(look, Style) for look in looks)
