"""The options of a study, each declared once: name, type, default and help.

The command line reads its flags from these classes, `compare` and `plan` take their fields as keyword arguments, and
`design.study_spec` turns their values into what `study.json` holds. Loads no torch, so `steepest run --help` is quick.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, Protocol, TypeVar, get_type_hints

from cyclopts import Group, Parameter

from steepest.errors import UnknownName
from steepest.messages import Language
from steepest.records.progress_record import Progress
from steepest.records.question import Question
from steepest.records.trials import DtypeName, EngineName

Axes = Mapping[str, Any] | Sequence[str] | str
"""{"dropout": [0, 0.2]}, or "dropout=0,0.2", or several of these."""

OWN = Group("Your own data file, without code", sort_key=0)
STUDY = Group("What to compare", sort_key=0)
EFFORT = Group("How much to run", sort_key=1)
MACHINE = Group("How to run it", sort_key=2)
OUTPUT = Group("Where it goes", sort_key=3)


class _Token(Protocol):
    """A word of the command line, as cyclopts hands it to a converter."""

    value: str


def _as_typed(_: object, tokens: Sequence[_Token]) -> str:
    return ",".join(token.value for token in tokens)  # -o adam -o sgd is -o adam,sgd


def _all_as_typed(_: object, tokens: Sequence[_Token]) -> list[str]:
    return [token.value for token in tokens]


WORD = Parameter(metavar="STR", n_tokens=1, converter=_as_typed, negative="")
"""An option that Python may also give as a number or an object; on the command line it is a word."""
WORDS = Parameter(metavar="STR...", n_tokens=1, converter=_all_as_typed, negative="", accepts_keys=False)
PYTHON_ONLY = Parameter(parse=False)

Workers = Annotated[
    int | None,
    Parameter(group=MACHINE, help="Number of worker processes, one thread each. Default and maximum: one per core."),
]
On = Annotated[
    str,
    WORD,
    Parameter(
        group=MACHINE,
        help="Where to train: local, slurm, ray, or module:factory for a cluster of your own. Options follow a colon: "
        "slurm:nodes=4,cpus=8,partition=cpu.",
    ),
]
Margin = Annotated[
    float | None,
    Parameter(
        group=STUDY,
        help="Smallest difference that matters, in the metric's units, such as 0.0025. Smaller ones are ties.",
    ),
]
AskedQuestion = Annotated[
    Question | None,
    Parameter(
        group=STUDY,
        help="What differences and levels hold for: trained-again (these rows, other seeds), split-again (these rows, "
        "other splits) or new-rows (other rows of the same kind). Default: new-rows, where it can be answered.",
    ),
]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], group=OUTPUT, negative="", help="Hide progress.")]
Trust = Annotated[
    bool,
    Parameter(
        group=MACHINE,
        negative="",
        help="Run task files that the study names, even if you have not run them before. Without it you are asked.",
    ),
]
RetryKilled = Annotated[
    bool, Parameter(group=EFFORT, negative="", help="Train again the runs that ran out of memory or were killed.")
]
Reuse = Annotated[
    bool | None,
    Parameter(
        name="--reuse",
        negative="--no-reuse",
        group=EFFORT,
        help="Take trials that another study on this machine has trained already, bit for bit. Default: on, unless "
        "STEEPEST_REUSE is 0.",
    ),
]
"""Options shared by several commands."""


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """What to run on the tasks of a study. Every option has a default that suits most studies."""

    optimizers: Annotated[
        str | Sequence[Any] | Mapping[str, Any] | None,
        WORD,
        Parameter(
            name=["--optimizers", "-o"],
            group=STUDY,
            help="Optimizers to compare, separated by commas. Add settings after a colon: adam:b2=0.99. "
            "`steepest optimizers` lists them. default: the classic ones as frameworks have them; article: these, the "
            "articles' printed forms, full batches and batches of one example.",
        ),
    ] = field(default=None, kw_only=False)
    axes: Annotated[
        Axes | None,
        WORDS,
        Parameter(
            name="--axis",
            group=STUDY,
            help="Values to compare for every optimizer, such as dropout=0,0.2,0.5. Axes: dropout, l1, l2, decay, "
            "augment, word-dropout, label-smoothing, early-stopping.",
        ),
    ] = None
    batch_sizes: Annotated[
        str | Sequence[int | str] | None,
        WORD,
        Parameter(
            name="--batch-size",
            group=STUDY,
            help="Batch sizes to compare, such as 1,64,full, at equal numbers of examples and at equal time.",
        ),
    ] = None
    rates: Annotated[
        str | Sequence[float] | None,
        WORD,
        Parameter(
            group=STUDY,
            allow_leading_hyphen=True,  # so that the message on a rate below 0 is ours
            help="Learning rates to try, such as 0.001,0.01. Default: a grid for each optimizer.",
        ),
    ] = None
    schedule: Annotated[
        str, Parameter(group=STUDY, help="Learning-rate schedule; own: that of each optimizer's authors.")
    ] = "constant"
    reference: Annotated[
        str | None, Parameter(group=STUDY, help="Optimizer to compare all others with, in addition to the best one.")
    ] = None
    baseline: Annotated[
        Any,
        WORD,
        Parameter(
            metavar="STR",
            group=STUDY,
            help="What you use now, such as adamw:lr=3e-4:weight_decay=0.1:schedule=cosine. It is trained as it is, "
            "one run per seed, and the verdict says whether to keep it.",
        ),
    ] = None
    accept: Annotated[
        str | Sequence[str] | None,
        WORD,
        Parameter(
            group=STUDY,
            help="Ids of severe warnings to accept, separated by commas. Without it, they stop a study. "
            "`steepest check` shows the warnings of a task.",
        ),
    ] = None
    budget: Annotated[
        str | float | None,
        WORD,
        Parameter(group=EFFORT, help="Time budget, such as 90s, 5m or 1h. The study is planned to fit."),
    ] = None
    seeds: Annotated[
        int | None, Parameter(group=EFFORT, help="Number of seeds. Each seed tunes every optimizer once. Default: 10.")
    ] = None
    tune: Annotated[
        Mapping[str, object] | Sequence[str] | str | None,
        WORD,
        Parameter(
            group=STUDY,
            help="What to tune besides the rate, on every seed: weight_decay,b2 in their usual ranges, or "
            "weight_decay=1e-4..1,schedule=constant|cosine,warmup,batch-size=32|128. See docs/search.md.",
        ),
    ] = None
    search: Annotated[
        str | Sequence[str] | None,
        WORD,
        Parameter(
            group=STUDY,
            help="How to search several dials: sobol, random, gp, cmaes, ga, list:FILE.json, optuna:tpe or "
            "mine.py:search; grid spends all trials on the rate. Several names compare the searches. Default with "
            "--tune: sobol.",
        ),
    ] = None
    trials: Annotated[
        int | None,
        Parameter(
            group=EFFORT,
            help="Trials of every optimizer on every seed. Default: 13 rates; with --tune or --search, 27.",
        ),
    ] = None
    until_sure: Annotated[
        bool,
        Parameter(
            group=EFFORT,
            negative="",
            help="Start with 5 seeds and add more, up to --seeds (default 20), until the verdict is settled.",
        ),
    ] = False
    first_seed: Annotated[
        int, Parameter(group=EFFORT, help="First seed. Another value repeats the study with new random draws.")
    ] = 0
    race: Annotated[
        bool,
        Parameter(group=EFFORT, negative="", help="Stop learning rates early that are clearly behind on their seed."),
    ] = False
    grid: Annotated[
        int | None, Parameter(group=EFFORT, help="Number of learning rates in each optimizer's grid. Default: 9.")
    ] = None
    workers: Workers = None
    memory: Annotated[
        str | float | None,
        WORD,
        Parameter(group=MACHINE, help="Memory for training, such as 4G. Default: half of what is free."),
    ] = None
    engine: Annotated[
        EngineName,
        Parameter(
            group=MACHINE,
            help="How to train: many trials together (fleet), compiled, or one at a time (solo). auto measures "
            "which is fastest.",
        ),
    ] = "auto"
    dtype: Annotated[DtypeName, Parameter(group=MACHINE, help="Floating-point type of the training.")] = "float32"
    parallel: Annotated[
        str,
        Parameter(
            metavar="STR",
            group=MACHINE,
            help="Train each trial on several processes of this machine: ddp:2, or fsdp2:2 with sharded parameters. "
            "Batches are shared out, so curves differ by rounding only.",
        ),
    ] = ""
    device: Annotated[str, Parameter(group=MACHINE, help="torch device. Only cpu is tested.")] = "cpu"


@dataclass(frozen=True, kw_only=True)
class PlanOptions(StudyOptions):
    """The options of a study, and how progress is shown."""

    quiet: Quiet = False
    listener: Annotated[
        Callable[[Progress], None] | None,
        PYTHON_ONLY,
        Parameter(help="Called with the progress instead of showing a table."),
    ] = None
    command: Annotated[str, PYTHON_ONLY, Parameter(help="Command shown in the report to run the study again.")] = ""
    language: Annotated[
        Language | None, PYTHON_ONLY, Parameter(help='Language of the progress, such as "zh". Default: STEEPEST_LANG.')
    ] = None


@dataclass(frozen=True, kw_only=True)
class RunOptions(PlanOptions):
    """The options of a plan, and where to save the study."""

    out: Annotated[
        Path | str | None,
        Parameter(name="--out", metavar="PATH", group=OUTPUT, help="Study folder. Default: runs/<task>-<time>."),
    ] = None
    overwrite: Annotated[bool, Parameter(group=OUTPUT, negative="", help="Replace the study in the folder.")] = False
    reuse: Reuse = None
    on: On = "local"
    margin: Margin = None
    began: Annotated[
        float | None, PYTHON_ONLY, Parameter(help="`time.monotonic()` at which the budget starts. Default: the call.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class ExtendOptions:
    """What to add to a finished study."""

    seeds: Annotated[
        int | None, Parameter(group=STUDY, help="Number of seeds that the study shall have, such as 20.")
    ] = None
    optimizers: Annotated[
        str | Sequence[Any] | None,
        WORD,
        Parameter(name=["--optimizers", "-o"], group=STUDY, help="Optimizers to add, such as +lion,+muon."),
    ] = None
    rates: Annotated[
        str | Sequence[float] | None,
        WORD,
        Parameter(group=STUDY, help="Learning rates to add, in a study that was run with --rates."),
    ] = None
    tasks: Annotated[
        Any, WORD, Parameter(metavar="STR", group=STUDY, help="Tasks to add, such as +fashion-cnn or +my_task.py.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """A file that becomes a task without code, and the options that cannot be guessed from it."""

    data: Annotated[
        Path | None,
        Parameter(
            group=OWN,
            help="Data file: a table (.csv, .tsv, .parquet), arrays (.npz with x and y), or a folder with one folder "
            "of pictures per class.",
        ),
    ] = None
    target: Annotated[str | None, Parameter(group=OWN, help="Column to predict.")] = None
    text: Annotated[str | None, Parameter(group=OWN, help="Text column to predict from.")] = None
    kind: Annotated[
        str | None, Parameter(group=OWN, help="classification or regression. Default: guessed from the target.")
    ] = None
    size: Annotated[
        int | None, Parameter(group=OWN, help="Side length in pixels to which pictures are resized. Default: 32.")
    ] = None
    column: Annotated[
        list[str] | None,
        WORDS,
        Parameter(
            group=OWN,
            help="How to read a column, such as age=category, price=number:de, when=date:%d.%m.%y, note=drop or "
            "NOx=missing:-200. Repeatable; *=… is for all columns.",
        ),
    ] = None
    columns: Annotated[
        Path | None, Parameter(group=OWN, help="File that says how to read the columns, as --columns-out writes it.")
    ] = None
    columns_out: Annotated[Path | None, Parameter(group=OWN, help="File to write how each column was read.")] = None
    group: Annotated[
        str | None,
        Parameter(group=OWN, help="Column of groups, such as patients. All rows of a group go to the same part."),
    ] = None
    time: Annotated[
        str | None,
        Parameter(group=OWN, help="Column of times. Validation and test are the last rows of a window of time."),
    ] = None
    folds: Annotated[
        str | None, Parameter(group=OWN, help="Column of folds, or of the names train, valid and test.")
    ] = None
    split: Annotated[
        str | None, Parameter(group=OWN, help="random or stratified. Default: stratified for classes, else random.")
    ] = None


# ---- options as keyword arguments ------------------------------------------------------------------------------------

P = ParamSpec("P")
Options = TypeVar("Options", bound=StudyOptions)
Tasks = TypeVar("Tasks")
Returned = TypeVar("Returned")


def takes(
    options: Callable[P, Options],
) -> Callable[[Callable[[Tasks, Options], Returned]], Callable[Concatenate[Tasks, P], Returned]]:
    """A decorator for a function of tasks and options: callers give each option by its name, as in
    `compare(task, seeds=5)`. Its signature and its help list them all; an unknown one raises UnknownName."""

    def decorate(function: Callable[[Tasks, Options], Returned]) -> Callable[Concatenate[Tasks, P], Returned]:
        types = get_type_hints(options)
        own = [x.replace(annotation=types[x.name]) for x in inspect.signature(options).parameters.values()]
        first, _ = inspect.signature(function).parameters.values()

        @wraps(function)
        def call(tasks: Tasks, *args: P.args, **kwargs: P.kwargs) -> Returned:
            for name in kwargs:
                if name not in types:
                    raise UnknownName.among("option", name, types)
            return function(tasks, options(*args, **kwargs))

        call.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]
        call.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{described(options)}"
        return call

    return decorate


def described(options: Any) -> str:
    """A line for each option: its name and its help."""
    return "\n".join(
        f"    {name}: {next(part.help for part in reversed(hint.__metadata__) if part.help)}"
        for name, hint in get_type_hints(options, include_extras=True).items()
    )
