"""Evaluation is a function: the same at each pass, and for an example whatever its neighbours are."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from unseen.looking import draw, look, said_by, warned

from steepest import Task

X = torch.randn(200, 12, generator=draw(0))
Y = (X[:, 0] + X[:, 1] > 0).long()
SERIES = torch.randn(200, 7, 4, generator=draw(1))
NEIGHBOURS = "neighbour|other examples|rest of the batch|batch"
TWICE = "two passes|twice|differ|random|not the same|changes"


def task(model, inputs: Tensor = X, targets: Tensor = Y, loss=F.cross_entropy) -> Task:
    return Task(model=model, data=(inputs, targets), loss=loss, metric="loss", batch_size=20, epochs=3)


def test_dropout_that_never_ends():
    """Credit scores: `F.dropout(h, 0.5)` in `forward`, which drops in evaluation too."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.head = nn.Linear(12, 16), nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.dropout(torch.relu(self.hidden(x)), 0.5))

    warned(lambda: task(Net), TWICE, "eval")


def test_batch_norm_without_running_statistics():
    """Style transfer: `track_running_stats=False`, so that an example is normalized by whoever comes with it."""

    def model() -> nn.Module:
        norm = nn.BatchNorm1d(16, track_running_stats=False)
        return nn.Sequential(nn.Linear(12, 16), norm, nn.ReLU(), nn.Linear(16, 2))

    warned(lambda: task(model), NEIGHBOURS, "BatchNorm1d|track_running_stats")


def test_attention_over_the_batch():
    """Satellite series: `TransformerEncoderLayer` with sequences first, given batches first."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = nn.TransformerEncoderLayer(4, 2, 16, dropout=0.0), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.encoder(x).mean(1))

    warned(lambda: task(Net, SERIES), NEIGHBOURS, "batch_first|TransformerEncoderLayer|encoder")


def test_a_batch_is_centred_inside_the_model():
    """Gene expression: `x - x.mean(0)` in `forward`, meant as a cheap normalization."""

    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2))

        def forward(self, x: Tensor) -> Tensor:
            return self.net((x - x.mean(0)) / (x.std(0) + 1e-6))

    warned(lambda: task(Centred), NEIGHBOURS)


def test_a_state_is_carried_from_call_to_call():
    """A stateful recurrent network of a control system: the hidden state of the last batch starts the next one."""

    class Carries(nn.Module):
        state: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.gru, self.head = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 2)
            self.register_buffer("state", torch.zeros(8))

        def forward(self, x: Tensor) -> Tensor:
            out, last = self.gru(x, self.state.expand(1, len(x), 8).contiguous())
            self.state.copy_(last[0].mean(0).detach())
            return self.head(out[:, -1])

    warned(lambda: task(Carries, SERIES), TWICE + "|state|buffer")


def test_a_variational_autoencoder_that_always_draws():
    """Molecules: the code is drawn in evaluation too, so that a score is another one each time."""

    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.Linear(12, 8), nn.Linear(4, 12)

        def forward(self, x: Tensor) -> Tensor:
            mean, log_variance = self.encoder(x).chunk(2, -1)
            code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            divergence = (mean**2 + log_variance.exp() - log_variance - 1).sum(-1) / 2
            return (((self.decoder(code) - x) ** 2).sum(-1) + divergence).mean()

    warned(lambda: Task(model=Draws, data=X, batch_size=20, epochs=3), TWICE, "eval|draw|random")


def test_probabilities_over_the_batch_instead_of_the_classes():
    """Traffic signs: `Softmax(dim=0)`, then the logarithm and `NLLLoss`."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.share = nn.Linear(12, 2), nn.LogSoftmax(dim=0)

        def forward(self, x: Tensor) -> Tensor:
            return self.share(self.net(x))

    warned(lambda: task(Net, loss=nn.NLLLoss()), NEIGHBOURS, "LogSoftmax|share|dim")


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.BatchNorm1d(16),
        lambda: nn.LayerNorm(16),
        lambda: nn.GroupNorm(4, 16),
        lambda: nn.Dropout(0.5),
        lambda: nn.RReLU(),
        lambda: nn.AlphaDropout(0.2),
    ],
    ids=["batch norm", "layer norm", "group norm", "dropout", "randomized ReLU", "alpha dropout"],
)
def test_what_is_random_or_looks_around_in_training_only_is_fine(layer):
    """Everyday layers: none of them is reported."""
    seen = look(lambda: task(lambda: nn.Sequential(nn.Linear(12, 16), layer(), nn.ReLU(), nn.Linear(16, 2))))
    assert not seen.refused
    assert not said_by(seen.warnings, "severe", "warning")
