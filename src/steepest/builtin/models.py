"""The small networks of the built-in tasks. Initial weights are those of torch's layers unless stated otherwise."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """A multilayer perceptron with ReLU between its layers; `sizes` = (inputs, hidden …, outputs).

    mlp((64, 64, 10)):  x [B, 64] → Linear → ReLU → h [B, 64] → Linear → scores [B, 10]
    """
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def linear(inputs: int, outputs: int) -> nn.Linear:
    """One dense layer: x [B, inputs] → [B, outputs]. With cross-entropy: softmax regression, which is convex."""
    return nn.Linear(inputs, outputs)


# ---- images ----------------------------------------------------------------------------------------------------------


def cnn(normalized: bool = False) -> nn.Sequential:
    """A small convolutional network; `normalized` adds batch norm after each convolution.

    The first convolution has stride 2, which leaves a quarter of the positions:
    x [B, 1, 28, 28] → [B, 16, 14, 14] → [B, 32, 14, 14] → maximum of 2 × 2 → [B, 32, 7, 7] → [B, 64] → scores [B, 10]
    """

    def norm(maps: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(maps)] if normalized else []

    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=not normalized), *norm(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1, bias=not normalized), *norm(32), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


# ---- tables ----------------------------------------------------------------------------------------------------------


class MixedTable(nn.Module):
    """Numbers and categories: an MLP on the numbers and the embeddings of the categories."""

    def __init__(self, numbers: int, columns: int, categories: int, width: int, hidden: Sequence[int], outputs: int):
        super().__init__()
        self.vectors = nn.Embedding(categories, width)
        self.head = mlp((numbers + columns * width, *hidden, outputs))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """[B, numbers], [B, columns] → scores [B, outputs]."""
        return self.head(torch.cat([numbers, self.vectors(categories).flatten(-2)], dim=-1))


class Factors(nn.Module):
    """Biased matrix factorization (Y. Koren, R. Bell, C. Volinsky, 2009): rating = μ + bᵤ + bᵢ + pᵤ·qᵢ.

    μ starts at 3.5 stars, biases at 0, factors at N(0, 0.1²).
    """

    def __init__(self, users: int, items: int, width: int, sparse: bool = False) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.full((1,), 3.5))
        self.of_user = nn.Embedding(users, width + 1, sparse=sparse)  # the first number of each row is the bias
        self.of_item = nn.Embedding(items, width + 1, sparse=sparse)
        for table in (self.of_user, self.of_item):
            nn.init.normal_(table.weight, std=0.1)
            nn.init.zeros_(table.weight[:, 0])

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        """User [B], item [B] → rating [B]."""
        p, q = self.of_user(user), self.of_item(item)
        return self.mean + p[..., 0] + q[..., 0] + (p[..., 1:] * q[..., 1:]).sum(-1)


class Forecaster(nn.Module):
    """A GRU with a linear shortcut that corrects a seasonal forecast: [B, T, channels] → [B, T].

    The last channel is the value one season ago; outputs are level + swing × (that value + correction).
    """

    def __init__(self, channels: int, seen: int, width: int, level: float, swing: float) -> None:
        super().__init__()
        self.level, self.swing = level, swing
        self.gru = nn.GRU(channels, width, batch_first=True)
        self.head = nn.Linear(width, seen)
        self.shortcut = nn.Linear(channels * seen, seen)
        nn.init.zeros_(self.shortcut.weight)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.gru(x)  # [B, T, width]
        correction = self.head(h[:, -1]) + self.shortcut(x.flatten(1))
        return self.level + self.swing * (x[..., -1] + correction)


# ---- texts: classification -------------------------------------------------------------------------------------------


class BagOfWords(nn.Module):
    """Mean of the word embeddings and a linear layer (A. Joulin et al., Bag of tricks, 2017). Word 0 is padding."""

    def __init__(self, words: int, width: int, classes: int, sparse: bool = False) -> None:
        super().__init__()
        self.mean = nn.EmbeddingBag(words, width, mode="mean", padding_idx=0, sparse=sparse)
        self.head = nn.Linear(width, classes)

    def forward(self, words: Tensor) -> Tensor:
        """[B, T] → scores [B, classes]."""
        return self.head(self.mean(words))


class TextCNN(nn.Module):
    """Convolutions over three, four and five words, maximum of each map, dropout, linear layer (Y. Kim, 2014)."""

    def __init__(self, words: int, width: int, maps: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(words, width, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, maps, size) for size in (3, 4, 5))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(3 * maps, classes)

    def forward(self, words: Tensor) -> Tensor:
        """[B, T] → scores [B, classes]."""
        x = self.vectors(words).transpose(1, 2)  # [B, width, T]
        found = [F.relu(convolution(x)).amax(-1) for convolution in self.convolutions]
        return self.head(self.dropout(torch.cat(found, dim=-1)))


class Recurrent(nn.Module):
    """A recurrent layer over embeddings of words or characters, and the mean of its states except for padding. Dropout
    before the layer and after the mean."""

    def __init__(
        self, layer: type[nn.LSTM] | type[nn.GRU], words: int, width: int, hidden: int, classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.vectors = nn.Embedding(words, width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.layer = layer(width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, words: Tensor) -> Tensor:
        """[B, T] → scores [B, classes]."""
        h, _ = self.layer(self.dropout(self.vectors(words)))  # [B, T, hidden]
        there = (words != 0).to(h.dtype).unsqueeze(-1)  # [B, T, 1]
        return self.head(self.dropout((h * there).sum(1) / there.sum(1).clamp(min=1)))


class BothWays(nn.Module):
    """A bidirectional LSTM over embeddings of characters and of the pairs that begin at them, two positions at a time;
    the maximum and the mean of its states except for padding.

    Character embeddings start at N(0, 0.1²) and those of pairs at 0, so that a rare pair is represented by its
    characters. Dropout before and after the LSTM; a share `missing` of the character and pair embeddings is dropped.
    """

    def __init__(
        self, characters: int, pairs: int, width: int, hidden: int, classes: int, dropout: float, missing: float
    ) -> None:
        super().__init__()
        self.of_character = nn.Embedding(characters, width, padding_idx=0)
        self.of_pair = nn.Embedding(pairs, width, padding_idx=0)
        nn.init.normal_(self.of_character.weight[1:], std=0.1)
        nn.init.zeros_(self.of_pair.weight)
        self.missing = nn.Dropout(missing)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(2 * width, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(4 * hidden, classes)

    def forward(self, characters: Tensor, pairs: Tensor) -> Tensor:
        """[B, T], [B, T] → scores [B, classes]; T is even."""
        x = self._vectors(self.of_character, characters) + self._vectors(self.of_pair, pairs)  # [B, T, width]
        h, _ = self.lstm(self.dropout(x).unflatten(1, (-1, 2)).flatten(2))  # [B, T / 2, 2 hidden]
        there = (characters[:, ::2] != 0).unsqueeze(-1)  # [B, T / 2, 1]
        most = h.masked_fill(~there, -1.0).amax(1)  # states lie between −1 and 1
        mean = (h * there).sum(1) / there.sum(1).clamp(min=1)
        return self.head(self.dropout(torch.cat([most, mean], dim=-1)))

    def _vectors(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        x = table(tokens)  # [B, T, width]
        return x * self.missing(torch.ones_like(x[..., :1]))


# ---- texts: the next character ---------------------------------------------------------------------------------------


class Block(nn.Module):
    """A causal transformer block with pre-normalization: [B, T, D] → [B, T, D]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        parts = self.query_key_value(self.norms[0](x)).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each [B, heads, T, D / heads]
        scores = q @ k.transpose(-1, -2) * (D // self.heads) ** -0.5  # [B, heads, T, T]
        later = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
        weights = scores.masked_fill(later, float("-inf")).softmax(-1)
        x = x + self.mix((weights @ v).transpose(1, 2).reshape(B, T, D))
        return x + self.feed(self.norms[1](x))


class CharacterTransformer(nn.Module):
    """A decoder-only transformer: characters [B, T] → scores of the next one at each position [B, characters, T]."""

    def __init__(self, characters: int, context: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(characters, width)
        self.places = nn.Parameter(0.02 * torch.randn(context, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, characters)
        nn.init.normal_(self.vectors.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.vectors(x) + self.places))).transpose(1, 2)


class CharacterLSTM(nn.Module):
    """An LSTM with tied input and output embeddings (O. Press, L. Wolf, 2017), which start at N(0, 1 / width):
    characters [B, T] → scores [B, characters, T].
    """

    def __init__(self, characters: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(characters))
        nn.init.normal_(self.vectors.weight, std=width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.lstm(self.vectors(x))  # [B, T, width]
        return F.linear(h, self.vectors.weight, self.bias).transpose(1, 2)
