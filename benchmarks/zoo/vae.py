"""A variational autoencoder (Kingma and Welling, 2014), which draws its codes and returns its loss among others."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import pictures
from steepest import Task


class VAE(nn.Module):
    def __init__(self, code: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(144, 64), nn.LeakyReLU(0.1))
        self.mean, self.log_variance = nn.Linear(64, code), nn.Linear(64, code)
        self.decoder = nn.Sequential(nn.Linear(code, 64), nn.LeakyReLU(0.1), nn.Linear(64, 144))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        error = F.mse_loss(self.decoder(code), x.flatten(1), reduction="sum") / len(x)
        distance = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return {"loss": error + distance, "distance": distance}


x, _ = pictures(1000, 1, 12, classes=6)
task = Task(model=VAE, data=x, metric="loss", batch_size=50, epochs=4)
