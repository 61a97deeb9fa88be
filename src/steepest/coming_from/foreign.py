"""The type of what other frameworks made: this package imports none of them, so their types cannot be named."""

from typing import Any

Foreign = Any
"""A module, trainer, optimizer, batch or data set of another framework."""
