"""A study folder as people meet it: its verdict, its report and its exports. Reads only, and needs no torch."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from steepest import messages
from steepest.errors import BadTable, StudyFolderError
from steepest.messages import Language, speaking
from steepest.records.files import read_probes, write_bytes
from steepest.records.outcomes import Trace
from steepest.records.probe_trace import ProbeTrace
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
    """What a study folder says, read when first asked for. `margin` replaces each metric's own practical margin.

    `language` is that of its words and figures (`study.language = "zh"`). It begins with the one in force, which the
    variable STEEPEST_LANG names.
    """

    def __init__(self, folder: Path | str, margin: float | None = None) -> None:
        self.folder = Path(folder)
        self.margin = margin
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
        """What probes saw, where anyone has looked: see `steepest why`."""
        return tuple(read_probes(path) for path in sorted((self.folder / "probes").glob("*.npz")))

    @cached_property
    def verdict(self) -> Verdict:
        """What the study concludes; `str()` of it is the verdict in words."""
        return decide(self.record, margin=self.margin, traces=self.traces, probes=self.probes)

    @cached_property
    def view(self) -> View:
        """All that text and page show: rounded, with units."""
        return view(self.record, self.verdict, self.traces, self.probes)

    def text(self, language: Language | None = None) -> str:
        """The verdict in words and tables, in colour where standard output is a terminal that wants it."""
        with speaking(language or self.language):
            return text.text(self.view, text.wants_colour(sys.stdout))

    def export(self, form: str, language: Language | None = None) -> str:
        """The study as "csv" (a row a trial), "ranking-csv", "json" (the view) or "latex" (the ranking).

        language: of the words in the LaTeX table; that of the study if left out.
        """
        with speaking(language or self.language):
            return export.export(form, self.record, self.view)

    def write_export(self, form: str, path: Path, language: Language | None = None) -> Path:
        """The study as a "parquet" file with a row a trial, as a folder of "tensorboard" events, or as a file in a form
        of `export`. Raises BadSetting where a library is missing, StudyFolderError where nothing can be written."""
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
        """Every trial as a row of a pandas DataFrame, metrics raw. Raises BadSetting where pandas is missing."""
        return frames.to_pandas(self.record)

    @property
    def plot(self) -> Plots:
        """Figures of matplotlib: `study.plot.rates()`, `.curves()`, `.forest()`, `.ranking()`, `.best_of_k()` and
        `.probes()`."""
        return Plots(self.view, self.language)

    def _repr_html_(self) -> str:
        """What a notebook shows: the verdict and the ranking."""
        with speaking(self.language):
            return notebook.notebook(self.view)

    def write_report(self, path: Path | None = None, language: Language | None = None) -> Path:
        """Write the report, by default into the study folder, and say where it is. Raises StudyFolderError.

        language: what it opens in, that of the study if left out; a switch on the page shows the others.
        """
        path = self.folder / "report.html" if path is None else path
        with speaking(language or self.language):
            content = html.html(self.view, trials(self.record, self.traces)).encode()
        try:
            write_bytes(path, content)
        except OSError as error:
            raise StudyFolderError(f"{path} cannot be written: {error.strerror or error}.") from None
        return path

    def with_margin(self, margin: float | None) -> Self:
        """The same study, judged with another practical margin."""
        judged = type(self)(self.folder, margin)
        judged.language = self.language
        return judged


def judge_table(
    path: Path | str,
    metric: str = "value",
    higher_is_better: bool | None = None,
    margin: float | None = None,
) -> tuple[Verdict, str]:
    """The verdict on a CSV table of results from anywhere, and the same in words and tables.

    Columns: optimizer and value, with task, seed, rate and valid where there are any; or, for a row that sums up n
    runs, optimizer, mean, sd and n. higher_is_better: None takes it from the metric's name. margin: differences below
    it are ties; a quarter of a point for accuracies between 0 and 1, else 0. Raises BadTable or BadSetting.
    """
    path = Path(path)
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadTable(f"{path} is not a text table in UTF-8; save it as CSV.") from None
    except OSError as error:
        raise BadTable(f"{path} cannot be read: {error.strerror or error}.") from None
    study = study_of_table(content, path.stem, metric, higher_is_better)
    verdict = decide(study, margin=margin)
    return verdict, text.text(view(study, verdict, {}), text.wants_colour(sys.stdout))
