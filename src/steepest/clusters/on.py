"""Where a study runs, as `--on` says: from its words to a cluster."""

import sys
from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path

from steepest.clusters.cluster import Cluster
from steepest.clusters.ray_actors import RayCluster
from steepest.clusters.slurm import SlurmCluster
from steepest.clusters.slurm_options import SlurmOptions
from steepest.errors import BadSetting, BadTask, first_line

LOCAL = "local"
Place = Callable[[Path, int | None], Cluster]
"""Makes the cluster for a study folder, and for a number of workers if the user asks for one. Until something is sent,
it leaves the folder alone."""
_DUTIES = ("workers", "grace", "send", "receive", "held", "forget", "news", "close")


def place(words: str) -> Place | None:
    """The place that `--on` names; None for this machine. Raises BadSetting."""
    kind, _, rest = words.partition(":")
    if words == LOCAL:
        return None
    if kind == "slurm":
        options = SlurmOptions.parse(rest)
        return lambda folder, workers: SlurmCluster(folder, options, workers)
    if kind == "ray":
        return lambda folder, workers: RayCluster(folder, rest, workers)
    if kind and rest:
        return _own(kind, rest)
    raise BadSetting(f"Unknown place {words!r} for --on. Use local, slurm, ray or module:factory (your own cluster).")


def _own(module: str, name: str) -> Place:
    """The user's own: a function of a module, also of one in the current folder."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        factory = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise BadSetting(f"--on {module}:{name}: {first_line(error)}. Is it installed, or in this folder?") from None
    except AttributeError:
        raise BadSetting(f"--on {module}:{name}: the module {module} has no {name}.") from None

    def make(folder: Path, workers: int | None) -> Cluster:
        cluster = factory(folder, workers)
        if missing := [duty for duty in _DUTIES if not hasattr(cluster, duty)]:
            raise BadSetting(
                f"--on {module}:{name} makes a {type(cluster).__name__}, which has no {missing[0]}. "
                f"A cluster has {', '.join(_DUTIES)}: see docs/clusters.md."
            )
        return cluster

    return make


def refuse_objects(tasks: Collection[str], optimizers: Collection[str]) -> None:
    """Raise BadTask or BadSetting for what exists only in this process."""
    if tasks:
        raise BadTask(
            f"The task {min(tasks)!r} is a Python object, which other machines cannot see. Define it as `task` in a "
            "Python file, and pass the file: steepest init writes one to start from."
        )
    if optimizers:
        raise BadSetting(
            f"The optimizer {min(optimizers)!r} is a Python object, which other machines cannot see. Compare it on "
            "this machine, without --on."
        )
