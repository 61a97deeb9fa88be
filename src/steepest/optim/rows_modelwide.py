"""The rows of the catalogue for rules that look at all parameters of a model at once."""

from __future__ import annotations

from steepest.optim.entry import Entry

ROWS: tuple[Entry, ...] = ()
