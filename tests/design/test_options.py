"""One option is declared once: the command line, Python and the spec of a study agree on its name, type and default."""

import inspect
from dataclasses import fields

import pytest

import steepest
from steepest.api import plan
from steepest.cli.main import app
from steepest.design.options import RunOptions, StudyOptions, described
from steepest.design.study_spec import study_spec
from steepest.errors import BadSetting, UnknownName
from steepest.study.environment import cores

PYTHON_ONLY = {"listener", "command", "language", "began"}
TYPED = {
    "optimizers": ("--optimizers", "sgd,adam", "sgd,adam"),
    "axes": ("--axis", "l2=0,0.1", ["l2=0,0.1"]),
    "batch_sizes": ("--batch-size", "1,full", "1,full"),
    "rates": ("--rates", "-0.1", "-0.1"),
    "schedule": ("--schedule", "cosine", "cosine"),
    "reference": ("--reference", "sgd", "sgd"),
    "baseline": ("--baseline", "adamw:lr=3e-4", "adamw:lr=3e-4"),
    "budget": ("--budget", "90", "90"),
    "seeds": ("--seeds", "3", 3),
    "until_sure": ("--until-sure", None, True),
    "first_seed": ("--first-seed", "7", 7),
    "race": ("--race", None, True),
    "grid": ("--grid", "5", 5),
    "workers": ("--workers", "2", 2),
    "memory": ("--memory", "4G", "4G"),
    "engine": ("--engine", "solo", "solo"),
    "dtype": ("--dtype", "float64", "float64"),
    "device": ("--device", "cpu", "cpu"),
    "parallel": ("--parallel", "ddp:2", "ddp:2"),
    "quiet": ("-q", None, True),
    "out": ("--out", "here", "here"),
    "overwrite": ("--overwrite", None, True),
    "on": ("--on", "slurm:nodes=2,cpus=4", "slurm:nodes=2,cpus=4"),
    "reuse": ("--no-reuse", None, False),
    "margin": ("--margin", "0.1", 0.1),
    "accept": ("--accept", "idle-parameters", "idle-parameters"),
    "tune": ("--tune", "weight_decay=1e-4..1,b2", "weight_decay=1e-4..1,b2"),
    "search": ("--search", "sobol,grid", "sobol,grid"),
    "trials": ("--trials", "27", 27),
}


def options_of(*words: str) -> RunOptions:
    _, bound, unused, _ = app.parse_known_args(words)
    assert not unused
    return bound.arguments["options"]


@pytest.mark.parametrize(("function", "options"), [(steepest.compare, RunOptions), (plan, RunOptions)])
def test_python_takes_every_option_by_its_name_with_its_default(function, options):
    _, *parameters = inspect.signature(function).parameters.values()
    assert [(each.name, each.default) for each in parameters] == [(each.name, each.default) for each in fields(options)]
    assert [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY] == ["optimizers"]


def test_plan_takes_every_flag_of_run() -> None:
    run, forecast = (app[name].assemble_argument_collection() for name in ("run", "plan"))
    flags = {name for argument in run for name in argument.names}
    assert {"--out", "--overwrite", "--suite", "--data", "--baseline", "--parallel", "--open", "--json"} <= flags
    assert flags == {name for argument in forecast for name in argument.names}


def test_every_option_is_a_flag_or_known_to_be_for_python_only():
    assert {each.name for each in fields(RunOptions)} == {*TYPED} | PYTHON_ONLY


@pytest.mark.parametrize("name", TYPED)
def test_a_flag_sets_the_option_of_its_name_and_no_other(name):
    flag, word, value = TYPED[name]
    given = options_of("run", flag, *([] if word is None else [word]))
    assert vars(given) == vars(RunOptions()) | {name: value if name != "out" else given.out}
    assert str(getattr(given, name)) == str(value)


def test_every_option_has_help_which_python_shows_as_well():
    lines = described(RunOptions).splitlines()
    assert len(lines) == len(fields(RunOptions))
    assert all(line in steepest.compare.__doc__ for line in lines)


def test_an_unknown_option_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match=r"Unknown option 'sedes'\. Did you mean seeds"):
        steepest.compare("digits", sedes=3)
    with pytest.raises(UnknownName, match="Unknown option 'overwite'"):
        plan("digits", overwite=True)
    with pytest.raises(UnknownName, match="optimizer"):
        steepest.recommend("digits", optimizer="adam")


def test_words_and_values_make_the_same_study():
    words = StudyOptions(optimizers="sgd,adam", rates="0.1,0.01", batch_sizes="8,full", budget="1m", memory="1G")
    values = StudyOptions(
        optimizers=["sgd", "adam"], rates=[0.01, 0.1], batch_sizes=[8, "full"], budget=60, memory=2**30
    )
    first, second = (study_spec("digits", each)[0].model_dump(exclude={"created"}) for each in (words, values))
    assert first == second


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"seeds": 10**11}, "at most 10,000"),
        ({"first_seed": 10**20}, "numbers from 0"),
        ({"rates": list(range(1, 10**6))}, "There are 999,999 learning rates; at most 500"),
        ({"grid": 10**9}, "at most 500"),
        ({"batch_sizes": list(range(1, 10**6))}, "There are 999,999 batch sizes"),
        ({"optimizers": ["adam"] * 10**6}, "There are 1,000,000 optimizers; at most 500"),
        ({"axes": {"l1": range(1000), "l2": range(1000)}}, "7,000,000 contenders; at most 500"),
        ({"optimizers": "adam,sgd", "batch_sizes": list(range(1, 400))}, "798 contenders; at most 500"),
        ({"seeds": 10_000, "grid": 500}, "trials; at most 1,000,000"),
        ({"workers": 0}, "at least 1 worker"),
    ],
)
def test_a_study_without_end_is_refused_at_once(asked, words):
    with pytest.raises(BadSetting, match=words):
        study_spec("line", StudyOptions(**asked))


def test_there_is_at_most_one_worker_for_each_core():
    spec, *_ = study_spec("line", StudyOptions(workers=100_000))
    assert spec.workers == cores()
