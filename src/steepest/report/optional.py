"""Libraries that not everybody needs: loaded when asked for, and missed in one sentence."""

import importlib
from typing import Any

from steepest.errors import BadSetting


def extra(module: str, purpose: str, name: str) -> Any:
    """The module, or BadSetting: what it is needed for, and the extra of this package that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        library = module.partition(".")[0]
        raise BadSetting(
            f"{purpose} needs {library}, which is not installed; pip install 'steepest[{name}]' brings it."
        ) from None
