"""A study's folder on disk: `study.json` says what was asked, `curves/` holds what was found, and `study.db` is the
index of it, which can be rebuilt from the curves. One process writes at a time; anybody may read meanwhile.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from steepest.errors import StudyFolderError
from steepest.messages import Message, say
from steepest.records.files import file_digest, read_trace_and_digest, write_checked, write_trace
from steepest.records.litter import clear_litter
from steepest.records.node_records import NODES
from steepest.records.outcomes import LOST, Outcome, Result, Trace
from steepest.records.study_record import StudyRecord
from steepest.records.trials import Shard
from steepest.study import lock
from steepest.study.database import (
    DATABASE,
    Contents,
    changing,
    contents,
    is_damage,
    one_commit,
    put_rows,
    reader,
    rows_of,
    take_out,
    writer,
)
from steepest.study.growth_offer import offer
from steepest.study.journal import journal_of
from steepest.study.known_trials import KnownTrials, Piece, joined, rest_of, with_rest
from steepest.study.lock import FolderLock
from steepest.study.places import FOLDERS, SLURM, check_places
from steepest.study.protocol import POOLED
from steepest.study.result_rows import agree, check_trace, empty_trace, racing_savings, rows
from steepest.study.spec import SPEC, Plan, StudySpec, read_spec
from steepest.study.spec_file import FILES_OF_SPEC, seal_spec, write_spec
from steepest.study.trial_cache import TrialCache

REUSED = ".reused.json"
"""Ends the name of a file in facts/ that says which study each trial of a shard was taken from."""
_STAGES = ("grid", "extend", "refine", "search")


class Store:
    """The sole writer of a study folder. `with Store.create(...)` or `with Store.open(...)`: it holds the lock."""

    def __init__(self, folder: Path, spec: StudySpec, held: FolderLock) -> None:
        self.folder, self.spec = folder, spec
        self._known: KnownTrials | None = None
        self._pieces: dict[str, Mapping[int, Piece]] = {}
        self.cache: TrialCache | None = None
        """Where trials of other studies are looked for, and those of this one kept for them."""
        self.reused: Counter[str] = Counter()
        """Study → trials that were taken from it in this sitting."""
        self.only_known = False
        """Whether nothing can be trained: trials are then taken without test examples that were not kept."""
        self.repairs: list[Message] = []
        """What was damaged and is repaired, one sentence each."""
        self._lock = held
        with _as_study_errors(folder):
            self._database = self._connect()
            self._sitting = self._begin_sitting()
            self._remove_litter()

    @classmethod
    def create(cls, folder: Path, spec: StudySpec, overwrite: bool = False) -> Store:
        """A new study; `overwrite` replaces one that is there. Raises StudyFolderError if there is no place for it."""
        with _as_study_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            check_places(folder)
            if (folder / SPEC).exists() and not overwrite:
                raise StudyFolderError(
                    f"{folder} holds a study already. Continue it with: steepest resume {folder}; "
                    f"or choose another folder; or replace it with --overwrite.{_offer(folder, spec)}"
                )
            # With our lock but no spec, it is what is left of an attempt that was killed before its first word.
            ours = (folder / SPEC).exists() or (folder / lock.NAME).exists()
            if not ours and any(folder.iterdir()):
                raise StudyFolderError(f"{folder} is not empty and holds no study. Choose another folder.")
            held = FolderLock(folder)
            try:
                _clear(folder)
                for name in FOLDERS:
                    (folder / name).mkdir(exist_ok=True)
                write_spec(folder, spec.to_json())
                return cls(folder, spec, held)
            except BaseException:
                held.release()
                raise

    @classmethod
    def open(cls, folder: Path) -> Store:
        """A study that is there, to go on with it. What is damaged is moved aside, to be made again from the rest."""
        spec = read_spec(folder)
        with _as_study_errors(folder):
            held = FolderLock(folder)
            try:
                for name in FOLDERS:
                    (folder / name).mkdir(exist_ok=True)
                seal_spec(folder)
                return cls(folder, spec, held)
            except BaseException:
                held.release()
                raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._lock.release()

    def check_place(self) -> None:
        """Raise StudyFolderError where the folder was moved or deleted since it was opened."""
        self._lock.check_place()

    # ---- trials that are trained in other shards ---------------------------------------------------------------------

    def pieces(self, shard: Shard) -> Mapping[int, Piece]:
        """Lane of the shard → its trial, where an earlier form of this study has trained it, or another study. The
        same until the shard is done."""
        if not self.spec.history and self.cache is None:
            return {}
        if shard.id not in self._pieces:
            higher, mine = self._higher_is_better(shard), self._own_pieces(shard) if self.spec.history else {}
            others = {} if self.cache is None else self.cache.pieces(shard, mine, higher)
            self._pieces[shard.id] = {**mine, **others}
        return self._pieces[shard.id]

    def _own_pieces(self, shard: Shard) -> dict[int, Piece]:
        if self._known is None:
            database = self._database
            results = [row for (each,) in database.execute("SELECT id FROM shard") for row in rows_of(database, each)]
            self._known = KnownTrials(self.folder / "curves", results)
        return self._known.pieces(shard, self._higher_is_better(shard), self.only_known)

    def assemble(self, shard: Shard) -> tuple[Result, ...] | None:
        """The rows of a shard all of whose trials are trained already; None if some must be trained."""
        pieces = self.pieces(shard)
        if len(pieces) < len(shard.lanes):
            return None
        return self._write(shard, pieces)

    def rest(self, shard: Shard) -> Shard:
        """What of a shard is to be trained."""
        return rest_of(shard, self.pieces(shard))

    def _write(self, shard: Shard, pieces: Mapping[int, Piece], seconds: float = 0.0) -> tuple[Result, ...]:
        with _as_study_errors(self.folder):
            write_trace(self._curves(shard.id), joined(shard, pieces, self._higher_is_better(shard)))
            origins = {str(i): piece.origin for i, piece in pieces.items() if piece.origin}
            if origins:
                write_checked(self.folder / "facts" / f"{shard.id}{REUSED}", {"study_by_lane": origins})
                self.reused.update(origins.values())
        self._pieces.pop(shard.id, None)
        return self._keep(shard, *read_trace_and_digest(self._curves(shard.id)), seconds)

    def _higher_is_better(self, shard: Shard) -> bool:
        assert self.spec.plan is not None
        return next(each.higher_is_better for each in self.spec.plan.facts if each.name == shard.task.name)

    # ---- writing -----------------------------------------------------------------------------------------------------

    def save_plan(self, plan: Plan) -> None:
        """Put the plan into study.json: from now on the shards of this study are fixed."""
        self.spec = self.spec.model_copy(update={"plan": plan})
        with _as_study_errors(self.folder):
            write_spec(self.folder, self.spec.to_json())

    def extend(self, spec: StudySpec) -> None:
        """Put the spec of the extended study, with its plan, in place of the old one. From now on, shards are cut as if
        the study had been run at once."""
        self.spec, self._known, self._pieces = spec, None, {}
        with _as_study_errors(self.folder):
            write_spec(self.folder, spec.to_json())
            with changing(self._database) as database:
                database.remove("finish")

    def adopt(self, name: str, trace: Trace, found: Iterable[Result]) -> None:
        """Keep curves of another study under this name, and these of their rows, in place of those of the same trials.
        The shards of this study are put together from them."""
        self._known = None
        with _as_study_errors(self.folder):
            write_trace(self._curves(name), trace)
            digest = file_digest(self._curves(name))
            with changing(self._database) as database:
                database.add("shard", [(name, digest, 0.0, self._sitting)])
                put_rows(database, tuple(replace(row, shard=name) for row in found))

    def add_seconds(self, seconds: float) -> None:
        """Count the wall time of a study that this one was made from."""
        with _as_study_errors(self.folder), changing(self._database) as database:
            (number,) = self._database.execute("SELECT max(id) + 1 FROM sitting").fetchone()
            database.add("sitting", [(number, _now(), seconds)])

    @contextmanager
    def at_once(self) -> Generator[None]:
        """What is taken in within is put into the database by one commit. Were it lost, the curves would still be
        there, from which `recall` makes it again."""
        with _as_study_errors(self.folder), one_commit(self._database):
            yield

    def take_in(self, shard: Shard, seconds: float = 0.0) -> tuple[Result, ...]:
        """Read the curves that a worker left, and keep their rows. Raises StudyFolderError if they are not sound."""
        rest = self.rest(shard)
        trace, digest = read_trace_and_digest(self._curves(rest.id))
        check_trace(rest, trace)
        if rest is shard:
            self._pieces.pop(shard.id, None)
            return self._keep(shard, trace, digest, seconds)
        found = self._write(shard, with_rest(shard, self.pieces(shard), trace), seconds)
        self._curves(rest.id).unlink(missing_ok=True)
        return found

    def give_up(self, shard: Shard, outcome: Outcome) -> tuple[Result, ...]:
        """Keep the trials of a shard without a result as what they are: killed, or out of memory."""
        rest = self.rest(shard)
        with _as_study_errors(self.folder):
            write_trace(self._curves(rest.id), empty_trace(rest, outcome))
        return self.take_in(shard)

    def remark(self, says: Message) -> None:
        """Keep a sentence on how the study was run, for its verdict; once, however often it is said."""
        with _as_study_errors(self.folder):
            stored = json.dumps(says.to_json(), ensure_ascii=False)
            with changing(self._database) as database:
                database.remove("note", "message = ?", (stored,))
                database.add("note", [(stored,)])

    def recall(self, shard: Shard) -> tuple[Result, ...] | None:
        """The rows of a shard that is done, from this sitting or an earlier one; None if it must be trained.

        Curves are read again rather than trusted, since a disk may have spoilt them. Damaged ones are moved aside.
        """
        path = self._curves(shard.id)
        known = self._database.execute("SELECT sha256 FROM shard WHERE id = ?", (shard.id,)).fetchone()
        if not path.exists():
            if known:
                self.repairs.append(say("{file} is missing; its trials are run again.", file=path.name))
                self._forget(shard.id)
            return None
        try:
            trace, digest = read_trace_and_digest(path)
            check_trace(shard, trace)
            if known and known[0] != digest:
                raise StudyFolderError(f"{path} is not the file that was written.")
        except StudyFolderError:
            with _as_study_errors(self.folder):
                path.replace(path.with_name(f"{path.name}.damaged"))
            self.repairs.append(
                say("{file} is damaged; it is moved aside and its trials are run again.", file=path.name)
            )
            self._forget(shard.id)
            return None
        if known and rows_of(self._database, shard.id) == rows(shard, trace):
            return rows(shard, trace)
        return self._keep(shard, trace, digest)  # finished, but its coordinator was killed before it was taken in

    def forget_lost(self) -> int:
        """Forget the trials that the machine has ended, so that they are trained again; how many."""
        marks = ", ".join("?" * len(LOST))
        found = self._database.execute(
            f"SELECT DISTINCT shard FROM result WHERE outcome IN ({marks})", tuple(map(str, LOST))
        ).fetchall()
        count = self.lost_trials()
        for (shard,) in found:
            with _as_study_errors(self.folder):
                self._curves(shard).unlink(missing_ok=True)
            self._forget(shard)
        return count

    def lost_trials(self) -> int:
        """Trials that the machine has ended."""
        marks = ", ".join("?" * len(LOST))
        words = f"SELECT count(*) FROM result WHERE outcome IN ({marks})"
        return self._database.execute(words, tuple(map(str, LOST))).fetchone()[0]

    def keep_only(self, shards: Container[str]) -> None:
        """Forget the rows of all others: since trials were trained again, the search has led elsewhere. Their curves
        stay, unless the study was extended: then its shards hold them."""
        for (shard,) in self._database.execute("SELECT id FROM shard").fetchall():
            if shard not in shards:
                self._forget(shard)
        for path in self.folder.joinpath("curves").glob("*.npz") if self.spec.history else ():
            if path.stem not in shards:
                path.unlink(missing_ok=True)

    def spend(self, seconds: float) -> None:
        """Note the wall time of this sitting so far."""
        with _as_study_errors(self.folder), changing(self._database) as database:
            ((number, started, _),) = database.remove("sitting", "id = ?", (self._sitting,))
            database.add("sitting", [(number, started, seconds)])

    def seconds(self) -> float:
        """Wall time of all sittings."""
        return self._database.execute("SELECT total(seconds) FROM sitting").fetchone()[0]

    def finish(self) -> None:
        """Every trial is done."""
        with _as_study_errors(self.folder), changing(self._database) as database:
            database.remove("finish")
            database.add("finish", [(_now(),)])

    def discard(self) -> None:
        """Take back a study that could not even start, so that its folder is free for the next attempt."""
        self._database.close()
        with suppress(OSError):
            _clear(self.folder)
            (self.folder / lock.NAME).unlink()
            self.folder.rmdir()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _keep(self, shard: Shard, trace: Trace, digest: str, seconds: float = 0.0) -> tuple[Result, ...]:
        found = rows(shard, trace)
        with _as_study_errors(self.folder), changing(self._database) as database:
            take_out(database, shard.id)
            database.add("shard", [(shard.id, digest, seconds, self._sitting)])
            put_rows(database, found)
        return found

    def _begin_sitting(self) -> int:
        (number,) = self._database.execute("SELECT coalesce(max(id), 0) + 1 FROM sitting").fetchone()
        with changing(self._database) as database:
            database.add("sitting", [(number, _now(), 0.0)])
        return number

    def _curves(self, name: str) -> Path:
        return self.folder / "curves" / f"{name}.npz"

    def _connect(self) -> sqlite3.Connection:
        path = self.folder / DATABASE
        try:
            return writer(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            for part in (path, journal_of(path)):
                if part.exists():
                    part.replace(part.with_name(f"{part.name}.damaged"))
            self.repairs.append(
                say("{file} is damaged; it is moved aside and made again from the curves.", file=DATABASE)
            )
            return writer(path)

    def _forget(self, shard: str) -> None:
        with _as_study_errors(self.folder), changing(self._database) as database:
            take_out(database, shard)
            database.remove("finish")

    def _remove_litter(self) -> None:
        """Delete temporary files of killed writers: of workers at once, since only ours write into their folders."""
        clear_litter(self.folder)
        for name in FOLDERS:
            clear_litter(self.folder / name, older_than=0)


# ---- reading ---------------------------------------------------------------------------------------------------------


def read(folder: Path) -> StudyRecord:
    """A study as it stands, finished or not, also while it is being run; raises StudyFolderError."""
    spec = read_spec(folder)
    path = folder / DATABASE
    if not path.exists():
        raise StudyFolderError(f"{path} is missing. It is made again from the curves by: steepest resume {folder}")
    with _as_study_errors(folder), reader(path) as database:
        stored = contents(database)
        _check_names(spec, stored.results)
    return _record(spec, stored)


def _record(spec: StudySpec, stored: Contents) -> StudyRecord:
    found = stored.results
    plan = spec.plan
    given_up = [*plan.given_up] if plan else []
    given_up += stored.remarks
    if (racing := racing_savings(found)) is not None:
        given_up.append(racing)
    return StudyRecord(
        name=spec.name,
        command=spec.command,
        created=spec.created,
        finished=stored.finished,
        protocol=plan.protocol if plan else spec.protocol,
        reference=spec.reference,
        baseline=spec.baseline,
        baseline_tuned=spec.baseline_tuned,
        tasks=plan.facts if plan else (),
        contenders=spec.contenders,
        results=tuple(sorted(found, key=_order(spec))),
        times=plan.times if plan else (),
        trials_planned=len(found) if stored.finished else plan.trials if plan else spec.asked_trials(),
        seconds=stored.seconds,
        given_up=tuple(given_up),
        versions=spec.versions,
        hardware=spec.hardware,
        digests=stored.digests,
        pooled_rates=spec.search == POOLED,
    )


def _check_names(spec: StudySpec, found: Iterable[Result]) -> None:
    """Raise DatabaseError for a row of a task or contender that the study does not have."""
    tasks, contenders = ({row.task for row in found}, {row.contender for row in found})
    unknown = tasks - {task.ref.name for task in spec.tasks} or contenders - {each.name for each in spec.contenders}
    if unknown:
        raise sqlite3.DatabaseError(f"it has a trial of {min(unknown)!r}, which {SPEC} does not name")


def traces(folder: Path, study: StudyRecord | None = None, known: Container[str] = ()) -> Mapping[str, Trace]:
    """The curves of every shard that is done, by its id (`Result.shard`), or of those in `study`, where that has been
    read before; without those that are `known`. Raises StudyFolderError where curves are damaged, or not those that
    their rows were made from."""
    study = study or read(folder)
    wanted: defaultdict[str, list[Result]] = defaultdict(list)
    for row in study.results:
        if row.shard not in known:
            wanted[row.shard].append(row)
    return {shard: _trace(folder, shard, wanted[shard], study.digests.get(shard)) for shard in sorted(wanted)}


def _trace(folder: Path, shard: str, found: Sequence[Result], expected: str | None) -> Trace:
    path = folder / "curves" / f"{shard}.npz"
    again = f"Its trials are run again by: steepest resume {folder}"
    try:
        trace, digest = read_trace_and_digest(path)
    except StudyFolderError as error:
        raise StudyFolderError(f"{error} {again}") from None
    if digest != expected:
        raise StudyFolderError(f"{path} is not the file that was written. {again}")
    if not agree(found, trace):
        raise _damaged(folder / DATABASE, f"its rows of {shard} are not those of the curves")
    return trace


def _damaged(path: Path, reason: str) -> StudyFolderError:
    reason = " ".join(reason.split())  # it may quote what is damaged
    return StudyFolderError(
        f"{path} is damaged ({reason}). It is made again from the curves by: steepest resume {path.parent}"
    )


def _order(spec: StudySpec) -> Callable[[Result], tuple[int, int, int, int, float, str]]:
    """Rows in the order of the study, not the order in which their shards were done."""
    tasks = {task.ref.name: i for i, task in enumerate(spec.tasks)}
    contenders = {contender.name: i for i, contender in enumerate(spec.contenders)}

    def key(row: Result) -> tuple[int, int, int, int, float, str]:
        return (tasks[row.task], contenders[row.contender], _STAGES.index(row.stage), row.seed, row.rate, row.dials)

    return key


# ---- sentences -------------------------------------------------------------------------------------------------------


@contextmanager
def _as_study_errors(folder: Path) -> Generator[None]:
    """Turns the system's errors about files into one sentence for the user."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StudyFolderError(f"{folder} cannot be written: {reason}. Make room or choose another folder.") from None
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise _damaged(folder / DATABASE, str(error)) from None
        raise StudyFolderError(f"{folder / DATABASE} cannot be used: {error}. What is done is kept.") from None


def _offer(folder: Path, spec: StudySpec) -> str:
    """How to add to the study that is there, if it is a part of the one asked for."""
    with suppress(StudyFolderError):
        return offer(read_spec(folder), spec, folder)
    return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _clear(folder: Path) -> None:
    """Remove a study, its spec first, so that a folder with a spec is always whole."""
    for name in (*FILES_OF_SPEC, DATABASE, journal_of(folder / DATABASE).name, "report.html", NODES):
        (folder / name).unlink(missing_ok=True)
    for name in (*FOLDERS, SLURM):
        shutil.rmtree(folder / name, ignore_errors=True)
