"""The rows of the catalogue for rules that look at a whole matrix."""

from __future__ import annotations

from steepest.optim.entry import Entry

ROWS: tuple[Entry, ...] = ()
