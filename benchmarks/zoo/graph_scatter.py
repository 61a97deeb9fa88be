"""Message passing along lists of edges: gather the sources, add up at the ends with `index_add` and `scatter_add`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import generator
from steepest import Task

NODES, EDGES = 12, 40


class Messages(nn.Module):
    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.kinds = nn.Embedding(6, width)
        self.message, self.update = nn.Linear(2 * width, width), nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, kinds: Tensor, edges: Tensor) -> Tensor:
        b = len(kinds)
        x = self.kinds(kinds).flatten(0, 1)  # [b · NODES, width]
        first = NODES * torch.arange(b, device=kinds.device).unsqueeze(-1)
        source, end = (edges[:, :, i] + first for i in range(2))
        source, end = source.flatten(), end.flatten()
        for _ in range(2):
            messages = F.relu(self.message(torch.cat([x[source], x[end]], -1)))
            gathered = torch.zeros_like(x).index_add(0, end, messages)
            x = torch.tanh(self.update(torch.cat([x, gathered], -1)))
        graph = torch.arange(b, device=kinds.device).repeat_interleave(NODES).unsqueeze(-1).expand_as(x)
        whole = torch.zeros(b, x.shape[-1], dtype=x.dtype, device=x.device).scatter_add(0, graph, x)
        return self.head(whole).squeeze(-1)


def molecules(n: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Nodes of six kinds and random edges; the target counts edges between nodes of one kind."""
    g = generator()
    kinds = torch.randint(6, (n, NODES), generator=g)
    edges = torch.randint(NODES, (n, EDGES, 2), generator=g)
    ends = kinds.gather(1, edges.flatten(1)).view(n, EDGES, 2)
    same = (ends[:, :, 0] == ends[:, :, 1]).float().sum(1)
    return (kinds, edges), (same - same.mean()) / same.std()


task = Task(model=Messages, data=molecules(800), loss=F.mse_loss, metric="r2", batch_size=32, epochs=5)
