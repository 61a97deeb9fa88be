"""A small GPT with what GPTs are trained with: AdamW that decays matrices only, clipping, warm-up and cosine."""

import inspect

import torch
from torch import nn
from torch.nn import functional as F

from steepest import Task

SETUP = "adamw+clip-norm:betas=0.9/0.95:weight_decay=0.1:vectors.weight_decay=0:max_norm=1:schedule=warmup-cosine"
T, C, HEADS = 16, 32, 4
text = inspect.getsource(F)[:8192]
chars = sorted(set(text))
tokens = torch.tensor([chars.index(c) for c in text[: len(text) // (T + 1) * (T + 1)]]).view(-1, T + 1).unique(dim=0)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.qkv, self.proj = nn.LayerNorm(C), nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.mlp = nn.Sequential(nn.LayerNorm(C), nn.Linear(C, 4 * C), nn.GELU(), nn.Linear(4 * C, C))

    def forward(self, x):
        q, k, v = (y.unflatten(2, (HEADS, -1)).transpose(1, 2) for y in self.qkv(self.ln1(x)).chunk(3, dim=2))
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.mlp(x)


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(len(chars), C), nn.Embedding(T, C)
        self.h, self.ln, self.head = nn.Sequential(Block(), Block()), nn.LayerNorm(C), nn.Linear(C, len(chars))

    def forward(self, x):
        return self.head(self.ln(self.h(self.words(x) + self.places.weight))).transpose(1, 2)


task = Task(model=GPT, data=(tokens[:, :-1], tokens[:, 1:]), loss=F.cross_entropy, batch_size=32, epochs=4)
