"""The agent of a bundle and a coordinator, with the workers of the toy engine: a shard takes a moment and no torch.

python slow_toy.py PLACE ARRAY is an agent; python slow_toy.py run FOLDER is a coordinator.

With the file `hold` beside the study's folder, shards wait from the moment when as many were trained as it says, until
it is gone. So a test knows that there is work under way when it kills something.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from study import toy

from steepest.clusters import slurm_agent
from steepest.clusters.remote import RemoteExecutor
from steepest.clusters.slurm import SlurmCluster
from steepest.clusters.slurm_options import SlurmOptions
from steepest.records.job_records import TrainJob
from steepest.study.run import run

SHARD_SECONDS = 0.2
SPEC = toy.spec("inside", "edge", "low", workers=4)


def executor(folder: Path) -> RemoteExecutor:
    cluster = SlurmCluster(folder, SlurmOptions.parse("nodes=3,cpus=1,bundle=0.5,grace=1"))
    cluster.agent = (sys.executable, __file__)
    return RemoteExecutor(folder, cluster)


def hold(folder: Path, after: int) -> None:
    """Have shards wait once this many were trained."""
    (folder.parent / "hold").write_text(str(after))


def release(folder: Path) -> None:
    (folder.parent / "hold").unlink()


def trained(folder: Path) -> dict[str, int]:
    """Shard → how often it was trained."""
    return {path.stem: path.stat().st_size for path in folder.parent.glob("*.trained")}


def slowly(job, place, study, agent, work):
    if isinstance(job, TrainJob):
        time.sleep(SHARD_SECONDS)
        while len(trained(study)) >= held_after(study):
            if os.getppid() != agent:
                os._exit(0)
            time.sleep(0.02)
        with (study.parent / f"{job.id}.trained").open("a") as file:
            file.write("x")
    work(job, place)


def held_after(study: Path) -> float:
    try:
        return float((study.parent / "hold").read_text())
    except (OSError, ValueError):
        return float("inf")


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(SPEC, Path(sys.argv[2]), executor(Path(sys.argv[2])))
    else:
        study, agent = Path(sys.argv[1]).parent, os.getpid()
        toy.work = partial(slowly, study=study, agent=agent, work=toy.work)
        slurm_agent.main(sys.argv[1], sys.argv[2], serve=toy.serve)
