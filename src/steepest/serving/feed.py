"""Sends what is new in one study to all its viewers. One reader serves them all, and rests longer than it works.

A page that was opened at version v gets the changes since then as server-sent events: `progress` every second or two,
`update` (changes of data, and the sections of words that are different) whenever trials have come in and the reader
has rested, and `reload` if it has been away for too long.
"""

import asyncio
import json
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from steepest.errors import SteepestError
from steepest.messages import ENGLISH, speaking
from steepest.serving.changes import Change, changes
from steepest.serving.snapshot import Snapshot, StudyFolder
from steepest.serving.status import SILENCE, Standstill, StudyProgress, progress
from steepest.study.spec import read_spec

TICK_SECONDS = 1.0
"""Seconds between two looks at the folder."""
REST_RATIO = 120.0
"""The reader rests this many times as long as reading kept a core busy: a running study loses 1/120 of one core."""
MIN_REST_SECONDS = 2.0
PROGRESS_REST_RATIO = 400.0
"""The same for reading the progress of a study."""
MAX_UPDATES = 50
"""Updates that are kept for viewers who fall behind."""
HEARTBEAT = b": still here\n\n"


class Update(TypedDict):
    """What a page must change to show a newer version."""

    version: int
    changes: list[Change]
    sections: dict[str, str]


class Feed:
    """The shared reader of one study folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._study = StudyFolder(folder)
        self._reading = asyncio.Lock()
        self._news = asyncio.Condition()
        self._current: Snapshot | None = None
        self._seen: Standstill | None = None
        self._cost, self._read_at = 0.0, 0.0
        self._updates: deque[tuple[int, bytes]] = deque(maxlen=MAX_UPDATES)
        self._progress: tuple[int, bytes] = (0, HEARTBEAT)
        self._viewers = 0
        self._watcher: asyncio.Task[None] | None = None

    async def snapshot(self) -> Snapshot:
        """The study as it stands, or as it stood when it was last read if the reader still has to rest.

        Raises StudyFolderError.
        """
        async with self._reading:
            if self._current is None or (Standstill.of(self.folder) != self._seen and self._rested):
                await self._read()
            assert self._current is not None
            return self._current

    async def prepare(self) -> None:
        """Read the study and make its page before anybody asks; what is wrong with it is said to who asks."""
        with suppress(SteepestError, sqlite3.Error, OSError):
            snapshot = await self.snapshot()
            with speaking(ENGLISH):
                await asyncio.to_thread(snapshot.page)

    async def events(self, version: int) -> AsyncIterator[bytes]:
        """Server-sent events for a page that shows `version`."""
        self._viewers += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            told = 0
            yield b"retry: 3000\n\n"
            while True:
                number, line = self._progress
                if number != told:
                    told = number
                    yield line
                if self._current is not None and version != self._current.version:
                    waiting = [(v, event) for v, event in self._updates if v > version]
                    if not waiting or waiting[0][0] != version + 1:
                        yield b"event: reload\ndata: {}\n\n"
                        return
                    for _, line in waiting:
                        yield line
                    version = waiting[-1][0]
                async with self._news:
                    try:
                        await asyncio.wait_for(self._news.wait(), 15)
                    except TimeoutError:
                        yield HEARTBEAT
        finally:
            self._viewers -= 1

    @property
    def _rested(self) -> bool:
        return time.monotonic() - self._read_at >= max(MIN_REST_SECONDS, REST_RATIO * self._cost)

    async def _watch(self) -> None:
        """While anybody looks."""
        looked: Standstill | None = None
        next_look = 0.0
        finished = ended = False
        while self._viewers:
            now = Standstill.of(self.folder)
            try:
                if time.monotonic() >= next_look and (now != looked or (not ended and now.age > TICK_SECONDS)):
                    looked = now
                    state, cost = await asyncio.to_thread(self._look)
                    next_look = time.monotonic() + min(PROGRESS_REST_RATIO * cost, SILENCE / 2)
                    finished = state["state"] == "finished"
                    await self._tell_progress(state)
                async with self._reading:
                    stale = self._current is not None and now != self._seen
                    if stale and (self._rested or (finished and not ended)):
                        await self._read()
                ended = finished
            except (SteepestError, sqlite3.Error, OSError):
                pass  # the folder is being moved, removed or repaired: it is looked at again
            await asyncio.sleep(TICK_SECONDS)

    def _look(self) -> tuple[StudyProgress, float]:
        """How far the study is, and the seconds that a core was busy with seeing it."""
        began = time.thread_time()
        found = progress(self.folder, read_spec(self.folder))
        return found, time.thread_time() - began

    async def _tell_progress(self, state: StudyProgress) -> None:
        line = event("progress", state)
        if line != self._progress[1]:
            async with self._news:
                self._progress = (self._progress[0] + 1, line)
                self._news.notify_all()

    async def _read(self) -> None:
        """Read the study, and keep what has changed for those who look. The caller holds `_reading`."""
        seen, old = Standstill.of(self.folder), self._current
        new, difference, cost = await asyncio.to_thread(self._compare, old)
        self._cost, self._read_at, self._seen = cost, time.monotonic(), seen
        if old is not None and difference is None:
            return  # files were written, and say what they said before
        async with self._news:
            self._current = new
            if difference is not None:
                self._updates.append((new.version, event("update", difference, new.version)))
            self._news.notify_all()

    def _compare(self, old: Snapshot | None) -> tuple[Snapshot, Update | None, float]:
        """A new snapshot, what is different from the old one, and the seconds that a core was busy with both."""
        began = time.thread_time()
        new = self._study.snapshot(1 if old is None else old.version + 1)
        difference = None if old is None else _difference(old, new)
        return new, difference, time.thread_time() - began


def event(kind: str, data: object, number: int | None = None) -> bytes:
    """One server-sent event."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {text}\n\n".encode()


def _difference(old: Snapshot, new: Snapshot) -> Update | None:
    """What a page that shows `old` must receive; None if the two look alike."""
    data = changes(old.data, new.data)
    if not data and old.sections == new.sections:
        return None
    return {
        "version": new.version,
        "changes": data,
        "sections": {name: text for name, text in new.sections.items() if old.sections.get(name) != text},
    }
