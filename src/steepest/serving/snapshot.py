"""One moment of a study, ready to be shown: its view, its trials, its page. What was read once stays in memory."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

from steepest.messages import Language, language
from steepest.records.files import read_probes
from steepest.records.node_records import NodeState, read_nodes
from steepest.records.outcomes import Trace
from steepest.records.study_record import StudyRecord
from steepest.report import html
from steepest.report.schema import Block, View
from steepest.report.trial_pack import trials
from steepest.report.view import view
from steepest.study import store
from steepest.verdict.decide import decide


@dataclass(frozen=True)
class Snapshot:
    """What a study looked like when it was read; `version` counts the snapshots of one server."""

    version: int
    record: StudyRecord
    view: View
    traces: Mapping[str, Trace]
    known: MutableMapping[str, Block]
    """Trials packed earlier, of this snapshot or another one of the same folder."""
    nodes: Sequence[NodeState] = ()
    """The machines that train beside this one."""
    _making: Lock = field(default_factory=Lock, repr=False, compare=False)
    """Held while a page or its trials are made: twenty who ask at once wait for one, and do not make twenty."""

    @cached_property
    def trials(self) -> list[dict[str, Block]]:
        """Every trial, packed."""
        return trials(self.record, self.traces, self.known)

    def trial_lines(self) -> bytes:
        """The trials as the page takes them in."""
        with self._making:
            return self._trial_lines

    @cached_property
    def _trial_lines(self) -> bytes:
        return html.trial_lines(self.trials).encode()

    @cached_property
    def sections(self) -> dict[str, str]:
        """The parts of the page that are words and tables, by the name that the page gives them."""
        return html.sections(self.view, self.nodes)

    @cached_property
    def data(self) -> html.PageData:
        """What the page's figures are drawn from."""
        return html.data(self.view, self.trials)

    @cached_property
    def _pages(self) -> dict[Language, bytes]:
        return {}

    def page(self) -> bytes:
        """The whole page, for a browser that will follow the study from here, in the language in force."""
        with self._making:
            if language() not in self._pages:
                self._pages[language()] = html.html(self.view, live=self.version, nodes=self.nodes).encode()
            return self._pages[language()]


class StudyFolder:
    """Reads one study folder, again and again: only shards that are new are opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._traces: dict[str, Trace] = {}
        self._blocks: dict[str, Block] = {}

    def snapshot(self, version: int) -> Snapshot:
        """The study as it stands. Raises StudyFolderError."""
        record = store.read(self.folder)
        wanted = {row.shard for row in record.results}
        self._traces |= store.traces(self.folder, record, known=self._traces)
        traces = {shard: trace for shard, trace in self._traces.items() if shard in wanted}
        probes = tuple(read_probes(path) for path in sorted((self.folder / "probes").glob("*.npz")))
        shown = view(record, decide(record, traces=traces, probes=probes), traces, probes)
        return Snapshot(version, record, shown, traces, self._blocks, read_nodes(self.folder))
