"""The command line: its commands, the module of each, and its exit codes.

The module of a command is imported when the command is used, so `steepest --help` loads nothing else.
"""

import re
from collections.abc import Sequence
from typing import Annotated, NoReturn

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError

from steepest import __version__
from steepest.cli import ending
from steepest.design.options import OUTPUT
from steepest.errors import BadInput, Interrupted, SteepestError, UnknownName
from steepest.messages import languages, speaking
from steepest.report.rounding import one_line

COMMANDS = {
    "run_study": {
        "run": "Train and compare optimizers, and print the verdict. Default: the digits task and the classic "
        "optimizers.",
        "plan": "Show what a run would train, how long it would take, and the smallest difference it could detect. "
        "Trains nothing.",
        "extend": "Add seeds, optimizers, learning rates or tasks to a finished study. Only what is new is trained.",
        "merge": "Put finished studies of the same task together in a new folder, as if they had been run at once.",
        "resume": "Continue a study that was interrupted or killed. Finished trials are not repeated.",
    },
    "study_results": {
        "verdict": "Print the verdict of a study, also while it is running, or of a table of your own results (--csv).",
        "report": "Write the report as one HTML file that works offline.",
        "export": "Export a study: all trials as CSV, Parquet or TensorBoard events, the ranking, or the view as JSON.",
        "use": "Print code that builds the recommended optimizer with its tuned learning rate.",
    },
    "watch": {
        "serve": "Show studies in a browser, also while they run. The printed link works on this machine only.",
        "watch": "Watch a running study in the terminal: progress, and the learning curve of every optimizer.",
        "playground": "Write the playground: one offline page that shows optimizers moving on landscapes, with their "
        "formulas and curves.",
    },
    "lookup": {
        "show": "Describe an optimizer (formula, defaults, source, differences between frameworks), a task, or the "
        "setup of a study.",
        "optimizers": "List the optimizers.",
        "tasks": "List the built-in tasks, by kind, and the suites.",
    },
    "doctor": {"doctor": "Check this machine: versions, cores, memory, compiler, data, and what is missing."},
    "own_task": {
        "init": "Write a task file with comments. It runs as it is; put your own model and data into it.",
        "check": "Check in seconds whether a task can be trained, and with which engine.",
    },
    "diagnose": {
        "why": "Explain the result of a finished study: retrain its optimizers at the recommended rates and look "
        "inside the training.",
        "claims": "Test the articles' claims: run the studies that they need, and judge each claim by criteria stated "
        "in advance.",
    },
}
"""Module → its commands (functions of the same name) and their help."""
DATA_COMMANDS = {
    "list": "List the data sets with their licences, and whether they are on this machine.",
    "fetch": "Download data sets into the cache: those named, or all. If one fails, the others are still fetched.",
    "show": "Show the source, licence and size of a data set, and whether it is on this machine.",
}

LONGEST_WORD = 150
"""Characters of a word that a message shows: a number may have thousands of digits."""

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
data = App(name="data", help="List, fetch or show the data sets of the built-in tasks.")
for name, line in DATA_COMMANDS.items():
    data.command(f"steepest.cli.data_sets:{name}_data", name=name, help=line)
app.command(data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code: 0, 1 for a failure, 2 for bad input, 130 when interrupted, 128 + n when
    ended by another signal n."""
    ending.show_any_name()
    with ending.heeding_signals() as heard:
        try:
            app.meta(arguments, exit_on_error=False, print_error=False)
            ending.flush()
        except UnknownCommandError as error:  # its own message would import every command
            (unknown, *_), known = error.unused_tokens or [""], [name for name in error.app or () if name[0] != "-"]
            _leave(f"{UnknownName.among('command', unknown, known)} See steepest --help.", UnknownName.exit_code)
        except CycloptsError as error:
            _leave(f"{' '.join(str(error).split())} See steepest --help.", BadInput.exit_code)
        except Interrupted as error:
            _leave(str(error), heard.exit_code)
        except SteepestError as error:
            _leave(str(error), error.exit_code)
        except KeyboardInterrupt as error:
            _leave(ending.how_to_go_on(error), heard.exit_code)
        except BrokenPipeError:  # `steepest optimizers | head`
            ending.drop_output()
        except OSError as error:
            if error.filename is not None:  # rights that are missing, a disk that fails
                _leave(f"{error.filename} cannot be used: {error.strerror or error}.", BadInput.exit_code)
            ending.drop_output()
            _leave(f"The output cannot be written: {error.strerror or error}.", SteepestError.exit_code)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    lang: Annotated[
        str | None, Parameter(group=OUTPUT, help="Language of the output, such as zh. Default: STEEPEST_LANG.")
    ] = None,
) -> None:
    if lang is not None and lang not in languages():
        raise UnknownName.among("language", lang, languages())
    with speaking(lang):
        app(tokens, exit_on_error=False, print_error=False)


def _leave(message: str, code: int) -> NoReturn:
    shorter = re.sub(rf"(\w{{{LONGEST_WORD}}})\w{{{LONGEST_WORD},}}", r"\1…", message)
    ending.leave("\n".join(map(one_line, shorter.split("\n"))), code)
