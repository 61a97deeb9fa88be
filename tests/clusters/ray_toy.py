"""A toy study on a real Ray of several nodes on this machine: `python ray_toy.py FOLDER`, in a process of its own.

The only node with a core is killed and another one joins; then, in a second study, Ray's head dies. It prints what was
seen as JSON.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
os.environ["PYTHONPATH"] = os.pathsep.join((str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")))
sys.path.insert(0, str(Path(__file__).parents[1]))

from study import toy

from steepest.clusters import ray_actors
from steepest.clusters.ray_actors import RayAgent, RayCluster
from steepest.clusters.remote import RemoteExecutor
from steepest.errors import TrialFailed
from steepest.study.run import run

SHARD_SECONDS = {"float32": 0.5, "float64": 5.0}
SPEC = toy.spec("inside", "edge", "low", workers=4)


class Slow:
    """The connection of a worker that takes its time before each shard."""

    def __init__(self, connection):
        self.connection = connection

    def send_bytes(self, content):
        self.connection.send_bytes(content)

    def recv_bytes(self):
        content = self.connection.recv_bytes()
        job = json.loads(content)
        if job["kind"] == "train":
            time.sleep(SHARD_SECONDS[job["shard"]["dtype"]])
        return content


def serve(connection, folder):
    toy.serve(Slow(connection), folder)


class ToyAgent(RayAgent):
    serve = staticmethod(serve)


class ClusterOfNodes:
    """Ray's own cluster for tests. Its nodes are added in the main thread."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        head = {**self.small, "num_cpus": 0, "include_dashboard": False}
        self.ray = Cluster(initialize_head=True, head_node_args=head)
        self.second = self.ray.add_node(**self.small)

    def when_training(self, do):
        def listen(progress):
            if progress.message:
                self.said.append(str(progress.message))
            if progress.phase == "training" and time.monotonic() - self.began > 1 and not self.is_done:
                self.is_done = True
                do()

        self.began, self.is_done, self.said = float("inf"), False, []

        def first(progress):
            if progress.phase == "training":
                self.began = min(self.began, time.monotonic())
            listen(progress)

        return first

    def replace_a_node(self):
        self.ray.remove_node(self.second, allow_graceful=False)
        self.ray.add_node(**self.small)


def main(folder: Path) -> None:
    cluster = ClusterOfNodes()
    RayCluster.agent = ToyAgent
    found = {}
    try:
        executor = RemoteExecutor(folder / "node", RayCluster(folder / "node", cluster.ray.address, 4))
        run(SPEC, folder / "node", executor, cluster.when_training(cluster.replace_a_node))
        found["node"] = cluster.said
        ray_actors.SILENT_SECONDS = 4.0
        executor = RemoteExecutor(folder / "head", RayCluster(folder / "head", cluster.ray.address, 4))
        slow = SPEC.model_copy(update={"dtype": "float64"})
        try:
            run(slow, folder / "head", executor, cluster.when_training(cluster.ray.head_node.kill_gcs_server))
        except TrialFailed as error:
            found["head"] = str(error)
    finally:
        print(json.dumps(found), flush=True)
        for node in cluster.ray.list_all_nodes():
            node.kill_all_processes(check_alive=False, allow_graceful=False)
        os._exit(0)  # Ray's own way out waits for its head


if __name__ == "__main__":
    main(Path(sys.argv[1]))
