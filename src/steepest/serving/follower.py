"""The view of a running study for repeated reading by one process: `steepest watch`."""

import time
from pathlib import Path

from steepest.report.schema import StudyView, View
from steepest.serving.feed import MIN_REST_SECONDS, REST_RATIO
from steepest.serving.snapshot import StudyFolder
from steepest.serving.status import Standstill, progress
from steepest.study.spec import read_spec
from steepest.verdict.words import numbers


class Follower:
    """Called, it gives the view as it was last judged, with the current number of trials.

    A study is judged again once it has changed and this process has rested long enough for the training not to feel it,
    and in any case when it is finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._study = StudyFolder(folder)
        self._seen: Standstill | None = None
        self._view: View | None = None
        self._rest_until = 0.0

    def __call__(self) -> View:
        """Raises StudyFolderError."""
        now, known = Standstill.of(self.folder), self._view
        if known is None:
            return self._read(now)
        if now == self._seen:
            return known
        state = progress(self.folder, read_spec(self.folder))
        if state["state"] == "finished" or time.monotonic() >= self._rest_until:
            return self._read(now)
        study: StudyView = {
            **known["study"],
            "trials": state["trials"],
            "planned": state["planned"],
            "failed": state["failed"],
            "time": numbers.duration(state["seconds"]),
        }
        return {**known, "study": study}

    def _read(self, now: Standstill) -> View:
        """Judge the study again."""
        began = time.thread_time()
        self._view, self._seen = self._study.snapshot(1).view, now
        self._rest_until = time.monotonic() + max(MIN_REST_SECONDS, REST_RATIO * (time.thread_time() - began))
        return self._view
