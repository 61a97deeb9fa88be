"""Fine-tuning: a network that knows even digits learns the odd ones. Early layers are frozen or have smaller rates."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import steepest

SETUP = steepest.with_groups(
    "adamw:weight_decay=0.01:schedule=warmup-linear/steps=10",
    {"1": {"lr_scale": 0.25}, "2": {"lr_scale": 0.5}, "vectors": {"weight_decay": 0}},
)


def network(outputs: int) -> nn.Sequential:
    layers = ((nn.Linear(a, b), nn.ReLU()) for a, b in ((64, 32), (32, 32), (32, 32)))
    return nn.Sequential(*(nn.Sequential(*layer) for layer in layers), nn.Linear(32, outputs))


x, y = load_digits(return_X_y=True)
x, even = torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y % 2 == 0)
torch.manual_seed(0)
known = network(5)
optimizer = torch.optim.Adam(known.parameters(), lr=1e-2)
for _ in range(60):
    optimizer.zero_grad()
    cross_entropy(known(x[even]), torch.tensor(y)[even] // 2).backward()
    optimizer.step()


def pretrained() -> nn.Module:
    model = network(5)
    model[:3].load_state_dict(known[:3].state_dict())
    model[0].requires_grad_(False)
    return model


task = steepest.Task(
    model=pretrained, data=(x[~even], torch.tensor(y)[~even] // 2), loss=cross_entropy, metric="accuracy",
    batch_size=32, epochs=5,
)  # fmt: skip
