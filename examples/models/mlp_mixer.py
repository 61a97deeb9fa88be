"""An MLP-mixer (I. Tolstikhin et al., 2021) on digits: layers across 16 patches of 2 × 2 pixels, then within."""

from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from steepest import Task


class Mixer(nn.Module):
    def __init__(self, patches: int, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.across = nn.Sequential(nn.Linear(patches, 32), nn.GELU(), nn.Linear(32, patches))
        self.within = nn.Sequential(nn.Linear(channels, 32), nn.GELU(), nn.Linear(32, channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, patches, channels] → the same."""
        x = x + self.across(self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        return x + self.within(self.norms[1](x))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 24, 2, stride=2)
        self.mixers = nn.Sequential(Mixer(16, 24), Mixer(16, 24))
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 8, 8] → scores [B, 10]."""
        h = self.patches(x).flatten(2).transpose(1, 2)  # [B, 16, 24]
        return self.head(self.mixers(h).mean(1))


x, y = load_digits(return_X_y=True)
task = Task(
    model=Network, data=(x.reshape(-1, 1, 8, 8) / 16, y), loss=cross_entropy, metric="accuracy", batch_size=64, epochs=5
)
