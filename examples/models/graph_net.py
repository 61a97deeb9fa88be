"""A graph convolutional network (T. Kipf, M. Welling, 2017): wines are nodes, each joined to the five most like
it; an example is a node's number, and the graph and the features of all nodes are buffers of the model."""

import torch
from sklearn.datasets import load_wine
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import scale
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from steepest import Task

x, y = load_wine(return_X_y=True)
x = scale(x)
joined = torch.from_numpy(kneighbors_graph(x, 5).toarray()).float()  # [N, N]
joined = ((joined + joined.T) > 0) + torch.eye(len(x))
per_node = joined.sum(1).rsqrt()
SPREAD = per_node[:, None] * joined * per_node  # D^(-1/2) (A + I) D^(-1/2)
FEATURES = torch.from_numpy(x).float()  # [N, 13]


class GraphNet(nn.Module):
    spread: Tensor
    features: Tensor

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.register_buffer("spread", SPREAD.clone())
        self.register_buffer("features", FEATURES.clone())
        self.first, self.second = nn.Linear(13, width), nn.Linear(width, 3)

    def forward(self, nodes: Tensor) -> Tensor:
        """Numbers of nodes [B] → scores [B, 3]."""
        h = relu(self.spread @ self.first(self.features))
        return (self.spread @ self.second(h))[nodes]


task = Task(
    model=GraphNet, data=(torch.arange(len(x)), y), loss=cross_entropy, metric="accuracy", batch_size=32, epochs=20
)
