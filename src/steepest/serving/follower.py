"""A running study's view for one who looks at it again and again from this very process: `steepest watch`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from steepest.serving.feed import LEAST_REST, REST
from steepest.serving.snapshot import StudyFolder
from steepest.serving.status import Standstill, progress
from steepest.study.spec import read_spec
from steepest.verdict.words import numbers


class Follower:
    """Called, it gives the view as it was last judged, with the trials counted anew.

    A study is judged again once it has changed and this process has rested long enough for the training not to feel it,
    and in any case when it is finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._study = StudyFolder(folder)
        self._seen: Standstill | None = None
        self._view: dict[str, Any] = {}
        self._rest_until = 0.0

    def __call__(self) -> dict[str, Any]:
        """Raises StudyFolderError."""
        now = Standstill.of(self.folder)
        if now == self._seen:
            return self._view
        state: dict[str, Any] = progress(self.folder, read_spec(self.folder)) if self._view else {}
        if not self._view or state["state"] == "finished" or time.monotonic() >= self._rest_until:
            began = time.thread_time()
            self._view, self._seen = self._study.snapshot(1).view, now
            self._rest_until = time.monotonic() + max(LEAST_REST, REST * (time.thread_time() - began))
            return self._view
        spent = numbers.duration(state["seconds"])
        counted = {key: state[key] for key in ("trials", "planned", "failed")}
        return self._view | {"study": self._view["study"] | counted | {"time": spent}}
