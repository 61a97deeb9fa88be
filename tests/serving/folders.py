"""Study folders for the server's tests: the store's own files, filled from SYNTHETIC studies, whole or in part."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from steepest.records.files import file_digest, write_json, write_trace
from steepest.records.outcomes import Trace
from steepest.records.study_record import StudyRecord
from steepest.records.task_facts import TaskRef
from steepest.study.database import DATABASE, changing, put_rows, writer
from steepest.study.spec import SPEC, Plan, StudySpec, TaskSpec


class Folder:
    """A study folder that grows shard by shard, as a coordinator would make it."""

    def __init__(self, path: Path, study: StudyRecord, traces: Mapping[str, Trace]) -> None:
        self.path, self.study, self.traces = path, study, traces
        self.waiting = list(dict.fromkeys(row.shard for row in study.results))
        (path / "curves").mkdir(parents=True)
        plan = Plan(
            protocol=study.protocol,
            facts=study.tasks,
            times=study.times,
            runs=(),
            trials=len(study.results),
            seconds=60.0,
            resolution=None,
        )
        spec = StudySpec(
            name=study.name,
            command=study.command,
            created=study.created,
            tasks=tuple(TaskSpec(ref=TaskRef(task.name, "catalogue", task.name)) for task in study.tasks),
            contenders=study.contenders,
            reference=study.reference,
            protocol=study.protocol,
            versions=dict(study.versions),
            hardware=dict(study.hardware),
            plan=plan,
        )
        write_json(path / SPEC, spec.to_json())
        self.database = writer(path / DATABASE)
        self.database.execute("PRAGMA synchronous = OFF")  # a test's folder need not outlive a power cut
        with changing(self.database) as database:
            database.add("sitting", [(1, "2026-08-01T12:00:00Z", 34.0)])

    def grow(self, shards: int | None = None) -> None:
        """Finish so many more shards, or all that are left."""
        for _ in range(len(self.waiting) if shards is None else shards):
            shard = self.waiting.pop(0)
            file = self.path / "curves" / f"{self._safe(shard)}.npz"
            with patch.object(os, "fsync", lambda line: None):
                write_trace(file, self.traces[shard])
            rows = tuple(self._named(row) for row in self.study.results if row.shard == shard)
            with changing(self.database) as database:
                database.add("shard", [(self._safe(shard), file_digest(file), 1.0, 1)])
                put_rows(database, rows)

    def finish(self) -> None:
        self.grow()
        with changing(self.database) as database:
            database.add("finish", [("2026-08-01T12:01:00Z",)])

    def _safe(self, shard: str) -> str:
        """As the protocol names shards: safe as a file, whatever its contender is called."""
        return f"shard-{list(self.traces).index(shard)}"

    def _named(self, row):
        return replace(row, shard=self._safe(row.shard))


def finished(path: Path, study: StudyRecord, traces: Mapping[str, Trace]) -> Path:
    folder = Folder(path, study, traces)
    folder.finish()
    folder.database.close()
    return path
