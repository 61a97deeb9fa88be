"""A variational autoencoder (D. Kingma, M. Welling, 2014): it draws random numbers, and returns its own loss."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from steepest import Task


class VAE(nn.Module):
    def __init__(self, code: int = 4, hidden: int = 48) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, 64))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 64], each 0 … 1 → a bound on the negative log-likelihood, in nats, the mean over the batch."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        noise = torch.randn_like(mean) if self.training else 0
        code = mean + noise * (log_variance / 2).exp()
        wrong = binary_cross_entropy_with_logits(self.decoder(code), x, reduction="none").sum(-1)
        divergence = (mean**2 + log_variance.exp() - log_variance - 1).sum(-1) / 2
        return (wrong + divergence).mean()


x, _ = load_digits(return_X_y=True)
task = Task(model=VAE, data=x / 16, batch_size=64, epochs=8)
