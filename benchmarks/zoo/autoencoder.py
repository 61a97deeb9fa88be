"""A convolutional autoencoder with transposed convolutions."""

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import pictures
from steepest import Task


class Autoencoder(nn.Module):
    def __init__(self, code: int = 16) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten()
        )
        self.code, self.uncode = nn.Linear(32 * 49, code), nn.Linear(code, 32 * 49)
        self.decode = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 3, 2, 1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.uncode(self.code(self.encode(x)))
        return self.decode(hidden.unflatten(1, (32, 7, 7)))


x, _ = pictures(600, 1, 28)
task = Task(model=Autoencoder, data=(x, x), loss=F.mse_loss, metric="loss", batch_size=32, epochs=3)
