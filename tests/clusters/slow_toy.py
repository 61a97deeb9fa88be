"""The agent of a bundle and a coordinator, with the workers of the toy engine: a shard takes a moment and no torch.

python slow_toy.py PLACE ARRAY is an agent; python slow_toy.py run FOLDER is a coordinator.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from study import toy

from steepest.clusters import slurm_agent
from steepest.clusters.remote import RemoteExecutor
from steepest.clusters.slurm import SlurmCluster
from steepest.clusters.slurm_options import SlurmOptions
from steepest.records.job_records import TrainJob
from steepest.study.run import run

SHARD_SECONDS = 0.4
SPEC = toy.spec("inside", "edge", "low", workers=4)


def executor(folder: Path) -> RemoteExecutor:
    cluster = SlurmCluster(folder, SlurmOptions.parse("nodes=3,cpus=1,bundle=0.5,grace=1"))
    cluster.agent = (sys.executable, __file__)
    return RemoteExecutor(folder, cluster)


def slowly(job, folder, work=toy.work):
    if isinstance(job, TrainJob):
        time.sleep(SHARD_SECONDS)
    work(job, folder)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(SPEC, Path(sys.argv[2]), executor(Path(sys.argv[2])))
    else:
        toy.work = slowly
        slurm_agent.main(sys.argv[1], sys.argv[2], serve=toy.serve)
