"""A GPT that writes its attention out, with a mask among its buffers, dropout and rotary places (Su et al., 2021)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.zoo._data import sentences
from steepest import Task

WORDS, LENGTH, WIDTH, HEADS = 64, 24, 48, 3


class Attention(nn.Module):
    mask: Tensor
    cos: Tensor
    sin: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.drop = nn.Dropout(0.1)
        self.register_buffer("mask", torch.tril(torch.ones(LENGTH, LENGTH)).view(1, 1, LENGTH, LENGTH))
        angle = torch.arange(LENGTH)[:, None] / 100 ** (torch.arange(0, WIDTH // HEADS, 2) * HEADS / WIDTH)
        self.register_buffer("cos", angle.cos().repeat(1, 2))
        self.register_buffer("sin", angle.sin().repeat(1, 2))

    def turned(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, -1)
        return x * self.cos + torch.cat([-right, left], -1) * self.sin

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = (part(x).view(b, t, HEADS, c // HEADS).transpose(1, 2) for part in (self.q, self.k, self.v))
        q, k = self.turned(q), self.turned(k)
        weights = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        weights = weights.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        seen = self.drop(F.softmax(weights, dim=-1)) @ v
        return self.out(seen.transpose(1, 2).contiguous().view(b, t, c))


class SwiGLU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = (nn.Linear(a, b) for a, b in ((48, 96), (48, 96), (96, 48)))

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class GPT(nn.Module):
    def __init__(self, depth: int = 2) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WORDS)
        self.attention = nn.ModuleList(Attention() for _ in range(depth))
        self.mlps = nn.ModuleList(SwiGLU() for _ in range(depth))
        self.norms = nn.ModuleList(nn.RMSNorm(WIDTH) for _ in range(2 * depth + 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.words(x)
        for i, (attention, mlp) in enumerate(zip(self.attention, self.mlps, strict=True)):
            x = x + attention(self.norms[2 * i](x))
            x = x + mlp(self.norms[2 * i + 1](x))
        return self.head(self.norms[-1](x))


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(outputs.transpose(1, 2), targets)


text = sentences(600, LENGTH + 1, WORDS)
task = Task(model=GPT, data=(text[:, :-1], text[:, 1:]), loss=loss, metric="loss", batch_size=32, epochs=3)
