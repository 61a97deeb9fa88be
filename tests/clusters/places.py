"""Clusters of agents in this process, as users name their own: `--on clusters.places:two`."""

from steepest.clusters.near import NearCluster


def two(folder, workers):
    return NearCluster(workers or 2)


def pair(folder, workers):
    """One agent of two cores."""
    return NearCluster(1, 2)


def nothing(folder, workers):
    return object()
