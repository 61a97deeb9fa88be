"""Measurements of this package. They train every trial: what another study has trained would take no time."""

import os

os.environ.setdefault("STEEPEST_REUSE", "0")
