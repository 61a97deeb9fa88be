"""Reads a study folder: verdict, report and exports. Does not load torch."""

import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from steepest import messages
from steepest.errors import BadTable, StudyFolderError
from steepest.messages import Language, speaking
from steepest.records.bounded import read_stream
from steepest.records.files import read_probes, write_bytes
from steepest.records.limits import MAX_TABLE_BYTES
from steepest.records.node_records import read_nodes
from steepest.records.outcomes import Trace
from steepest.records.probe_trace import ProbeTrace
from steepest.records.question import Question
from steepest.records.study_record import StudyRecord
from steepest.report import export, frames, html, notebook, tensorboard, text
from steepest.report.plot import Plots
from steepest.report.schema import View
from steepest.report.trial_pack import trials
from steepest.report.view import view
from steepest.study import store
from steepest.verdict.decide import decide
from steepest.verdict.external import study_of_table
from steepest.verdict.results import Verdict


class StudyReader:
    """A study folder. Each part is read when it is first used. `margin` replaces each metric's default margin.
    `question` is what differences and levels hold for: "trained-again", "split-again" or "new-rows". Default: the last,
    where it can be answered.

    `language` is the language of texts and figures (`study.language = "zh"`). Default: the current language, which
    the environment variable STEEPEST_LANG sets.
    """

    def __init__(self, folder: Path | str, margin: float | None = None, question: Question | None = None) -> None:
        self.folder = Path(folder)
        self.margin = margin
        self.question: Question | None = question
        self.language: Language = messages.language()

    @cached_property
    def record(self) -> StudyRecord:
        """Spec, plan and results. Raises StudyFolderError."""
        return store.read(self.folder)

    @cached_property
    def traces(self) -> dict[str, Trace]:
        """Shard → curves."""
        return dict(store.traces(self.folder, self.record))

    @cached_property
    def probes(self) -> tuple[ProbeTrace, ...]:
        """The measurements that `steepest why` has made; empty before that."""
        return tuple(read_probes(path) for path in sorted((self.folder / "probes").glob("*.npz")))

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict. `str(study.verdict)` is its text."""
        return decide(self.record, margin=self.margin, traces=self.traces, probes=self.probes, question=self.question)

    @cached_property
    def view(self) -> View:
        """All values that text and report show, rounded, with units."""
        return view(self.record, self.verdict, self.traces, self.probes)

    def text(self, language: Language | None = None, full: bool = True) -> str:
        """The verdict as text with tables, in colour if standard output is a terminal that supports it. full: every
        sentence; without it, what fits on a screen."""
        with speaking(language or self.language):
            return text.text(self.view, text.wants_colour(sys.stdout), full)

    def export(self, form: str, language: Language | None = None) -> str:
        """The study as "csv" (one row per trial), "ranking-csv", "json" (the view) or "latex" (the ranking).

        language: language of the LaTeX table. Default: that of the study.
        """
        with speaking(language or self.language):
            return export.export(form, self.record, self.view)

    def write_export(self, form: str, path: Path, language: Language | None = None) -> Path:
        """Write the study to `path`: as "parquet" (one row per trial), as a folder of "tensorboard" events, or in a
        format of `export`. Raises BadSetting if a library is missing, StudyFolderError if `path` is not writable."""
        try:
            if form == "tensorboard":
                tensorboard.write_events(self.record, self.traces, path)
            else:
                write_bytes(
                    path, frames.parquet(self.record) if form == "parquet" else self.export(form, language).encode()
                )
        except OSError as error:
            raise StudyFolderError(f"{path} cannot be written: {error.strerror or error}.") from None
        return path

    def to_pandas(self) -> Any:
        """A pandas DataFrame with one row per trial and unrounded metrics. Raises BadSetting if pandas is missing."""
        return frames.to_pandas(self.record)

    @property
    def plot(self) -> Plots:
        """Matplotlib figures: `study.plot.rates()`, `.curves()`, `.forest()`, `.ranking()`, `.best_of_k()` and
        `.probes()`."""
        return Plots(self.view, self.language)

    def _repr_html_(self) -> str:
        """The verdict and the ranking, for notebooks."""
        with speaking(self.language):
            return notebook.notebook(self.view)

    def write_report(self, path: Path | None = None, language: Language | None = None) -> Path:
        """Write the report (default: report.html in the study folder) and return its path. Raises StudyFolderError.

        language: language in which it opens. Default: that of the study. A switch on the page shows the others.
        """
        path = self.folder / "report.html" if path is None else path
        with speaking(language or self.language):
            content = html.html(self.view, trials(self.record, self.traces), nodes=read_nodes(self.folder)).encode()
        try:
            write_bytes(path, content)
        except OSError as error:
            raise StudyFolderError(f"{path} cannot be written: {error.strerror or error}.") from None
        return path

    def with_margin(self, margin: float | None) -> Self:
        """The same study with another margin."""
        return self._judged(margin, self.question)

    def with_question(self, question: Question | None) -> Self:
        """The same study, with differences and levels that hold for this question."""
        return self._judged(self.margin, question)

    def _judged(self, margin: float | None, question: Question | None) -> Self:
        judged = type(self)(self.folder, margin, question)
        judged.language = self.language
        return judged


def judge_table(
    path: Path | str,
    metric: str = "value",
    higher_is_better: bool | None = None,
    margin: float | None = None,
    columns: Mapping[str, str] | None = None,
    full: bool = True,
) -> tuple[Verdict, str]:
    """The verdict on a CSV table of your own results, and its text.

    Columns: optimizer and value, and optionally task, seed, rate and valid. A row that summarizes n runs has the
    columns optimizer, mean, sd and n instead. The table may be the export of a tracker: `columns` names its columns,
    {"value": "test/acc", "rate": "lr"}, and those that it leaves out are guessed. metric: default from the column's
    name. higher_is_better: None derives it from the metric's name. margin: smaller differences are ties; default 0.0025
    for accuracies between 0 and 1, else 0. full: as of `StudyReader.text`. Raises BadTable, BadSetting or UnknownName.
    """
    path = Path(path)
    try:
        content = read_stream(path, MAX_TABLE_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise BadTable(f"{path} is not UTF-8 text. Save the table as CSV in UTF-8.") from None
    except OSError as error:
        raise BadTable(f"{path} cannot be read: {error.strerror or error}.") from None
    study = study_of_table(content, path.stem, metric, higher_is_better, columns=columns or {})
    verdict = decide(study, margin=margin)
    return verdict, text.text(view(study, verdict, {}), text.wants_colour(sys.stdout), full)
