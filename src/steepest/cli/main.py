"""The command line: which commands there are, where each is written, and with which exit code it ends.

A command's module is imported when the command is used, so that `steepest --help` loads nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError

from steepest import __version__
from steepest.design.options import OUTPUT
from steepest.errors import BadInput, Interrupted, SteepestError, UnknownName
from steepest.messages import languages, speaking
from steepest.report.rounding import one_line

COMMANDS = {
    "run_study": {
        "run": "Train, compare, and give a verdict. Without arguments: the digits task and the methods of the "
        "textbooks.",
        "plan": "What a run would do, what it would cost, and the smallest difference it could resolve. Trains "
        "nothing.",
        "resume": "Go on with a study that was interrupted or killed: nothing finished is run again.",
    },
    "study_results": {
        "verdict": "What a study concludes, in words: also while it is still running. Or what a table of other "
        "results does.",
        "report": "Write the report: one HTML file that opens without a network, in both languages.",
        "export": "Give the study away: every trial as CSV, Parquet or TensorBoard events, the ranking, or all that "
        "is shown.",
        "use": "Print the code that builds the winner, tuned, for your own training.",
    },
    "watch": {
        "serve": "Show studies in a browser, also while they run. Only this machine can look, with the link that is "
        "printed.",
        "watch": "Watch a study in the terminal: how far it is, and every optimizer's curve, until it is finished.",
        "playground": "See the methods move: landscapes, rates, formulas and curves, as one page that needs no "
        "network.",
    },
    "lookup": {
        "show": "All about one optimizer (formula, defaults, source, how frameworks differ), one task, or the "
        "setting of a study.",
        "optimizers": "List the optimizers.",
        "tasks": "List the built-in tasks by kind, and the suites.",
    },
    "doctor": {
        "doctor": "What this machine offers: versions, cores, memory, compiler, data; and what is missing for what.",
    },
    "own_task": {
        "init": "Write a commented task file that runs as it is, to put your own model and data into.",
        "check": "Say in seconds whether a task trains, and which engine it gets and why.",
    },
    "diagnose": {
        "why": "Look into the training of a finished study's optimizers, at the rates recommended, and say why it "
        "came out so.",
        "claims": "Put the articles' claims on trial: run the studies they need, judge each by what was stated "
        "beforehand.",
    },
}
"""Module → its commands, each a function of that name, with their line of help."""
DATA_COMMANDS = {
    "list": "List the data sets, with their licence and whether they are here.",
    "fetch": "Fetch data sets into the cache: those named, or all. One that cannot be had does not keep the "
    "others away.",
    "show": "Where a data set comes from, its licence, its size, and whether it is here.",
}

app = App(
    name="steepest",
    help="Which optimizer, with which learning rate, for your model on your data, and how sure are we?",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
)
for module, commands in COMMANDS.items():
    for name, line in commands.items():
        app.command(f"steepest.cli.{module}:{name}", name=name, help=line)
data = App(name="data", help="The data sets behind the built-in tasks: list, fetch, show.")
for name, line in DATA_COMMANDS.items():
    data.command(f"steepest.cli.data_sets:{name}_data", name=name, help=line)
app.command(data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code: 0, 1 for a failure, 2 for bad input, 130 when interrupted."""
    try:
        app.meta(arguments, exit_on_error=False, print_error=False)
    except UnknownCommandError as error:  # whose own words would import every command
        (unknown, *_), known = error.unused_tokens or [""], [name for name in error.app or () if name[0] != "-"]
        _leave(f"{UnknownName.among('command', unknown, known)} See steepest --help.", UnknownName.exit_code)
    except CycloptsError as error:
        _leave(f"{' '.join(str(error).split())} See steepest --help.", BadInput.exit_code)
    except SteepestError as error:
        _leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        _leave("Interrupted.", Interrupted.exit_code)
    except BrokenPipeError:  # `steepest optimizers | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    lang: Annotated[str | None, Parameter(group=OUTPUT, help="The language of what is printed, such as zh.")] = None,
) -> None:
    if lang is not None and lang not in languages():
        raise UnknownName.among("language", lang, languages())
    with speaking(lang):
        app(tokens, exit_on_error=False, print_error=False)


def _leave(message: str, code: int) -> None:
    print("steepest: " + "\n".join(map(one_line, message.split("\n"))), file=sys.stderr)
    raise SystemExit(code)
