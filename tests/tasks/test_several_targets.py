"""Tasks with several targets, heads or losses, with example weights, and models that return objects."""

from collections import namedtuple
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from engine.small import shard
from engine.test_fleet import assert_moves_as_alone
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from steepest.checks import model_checks
from steepest.checks.specimen import Specimen
from steepest.engine.fleet_support import unsupported_reason
from steepest.errors import BadTask
from steepest.records.trials import Lane
from steepest.tasks.check import check
from steepest.tasks.measuring import outputs_tree
from steepest.tasks.task import Task

draw = torch.Generator().manual_seed(0)
X = torch.randn(120, 6, generator=draw)
KIND = (X[:, 0] > 0).long() + (X[:, 1] > 0.5).long()
SIZE = X[:, 2:3] + 0.1 * torch.randn(120, 1, generator=draw)
WEIGHTS = torch.rand(120, generator=draw) + 0.5


class Two(nn.Module):
    """A shared layer and two heads, returned in the form asked for."""

    def __init__(self, form: str = "dict") -> None:
        super().__init__()
        self.shared, self.kind, self.size, self.form = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 1), form

    def forward(self, x):
        h = torch.tanh(self.shared(x))
        found = {"kind": self.kind(h), "size": self.size(h)}
        return FORMS[self.form](found)


Pair = namedtuple("Pair", ["kind", "size"])


@dataclass
class Heads:
    kind: torch.Tensor
    size: torch.Tensor
    hidden: torch.Tensor | None = None


FORMS = {
    "dict": lambda found: found,
    "tuple": lambda found: tuple(found.values()),
    "list": lambda found: [*found.values()],
    "namedtuple": lambda found: Pair(**found),
    "dataclass": lambda found: Heads(**found),
}


def joint(outputs, targets):
    return F.cross_entropy(outputs["kind"], targets["kind"]) + 0.5 * F.mse_loss(outputs["size"], targets["size"])


def two(**changes) -> Task:
    what = {"model": Two, "data": (X, {"kind": KIND, "size": SIZE}), "loss": joint, "batch_size": 16}
    return Task(**{**what, **changes})


def number(x: torch.Tensor) -> float:
    return float(x.detach())


def own_values(task: Task) -> tuple[float, float]:
    """Loss and metric as the engines compute them, on the validation part of seed 0 with the weights of seed 0."""
    splits = task.splits(0)
    inputs, targets = task.batch(splits, splits.valid)
    outputs = task.build_model(0).eval()(*inputs)
    return number(task.measured_loss(outputs, targets)), number(task.quality.fn(outputs.detach(), targets))


def valid(task: Task, *columns: torch.Tensor) -> list[torch.Tensor]:
    positions = task.splits(0).valid
    return [column[positions] for column in columns]


@pytest.mark.parametrize("form", ["tuple", "list", "namedtuple", "dataclass"])
def test_heads_and_targets_reach_the_loss_as_they_were_given(form):
    by_name = form in ("namedtuple", "dataclass")

    def loss(outputs, targets):
        kind, size = (outputs.kind, outputs.size) if by_name else outputs
        assert kind.shape[1:] == (3,)
        assert targets[0].dtype == torch.int64
        return F.cross_entropy(kind, targets[0]) + 0.5 * F.mse_loss(size, targets[1])

    task = two(model=lambda: Two(form), data=(X, (KIND, SIZE)), loss=loss, metric="accuracy")
    check(task)
    usual = two(metric="accuracy")
    assert own_values(task) == pytest.approx(own_values(usual))


def test_a_dict_of_losses_is_their_sum_and_the_first_metric_decides():
    task = two(
        loss={"kind": F.cross_entropy, "size": nn.MSELoss()}, metric={"size": "mae", "kind": "balanced-accuracy"}
    )
    check(task)
    splits = task.splits(0)
    inputs, targets = task.batch(splits, splits.valid)
    model = task.build_model(0).eval()
    found = model.model(*inputs)
    kind, size = valid(task, KIND, SIZE)
    loss, metric = own_values(task)
    assert loss == pytest.approx(number(F.cross_entropy(found["kind"], kind) + F.mse_loss(found["size"], size)))
    assert metric == pytest.approx(number((found["size"] - size).abs().mean()), rel=1e-5)
    facts = task.facts()
    assert (facts.metric, facts.higher_is_better) == ("MAE", False)
    assert facts.margin == pytest.approx(0.0025 * number((SIZE - SIZE.median()).abs().mean()), rel=0.02)
    (other,) = task.other_metrics.values()
    (said,) = model_checks.other_metrics(Specimen(task))
    assert str(said.message).startswith("Only the first metric, MAE, is measured. Those of kind are checked")
    right = found["kind"].argmax(1) == kind
    expected = np.mean([number(right[kind == c].float().mean()) for c in kind.unique()])
    assert number(other.fn(model(*inputs), targets)) == pytest.approx(expected)


def test_a_fleet_trains_several_heads_as_each_alone():
    task = two(metric="accuracy")
    assert not unsupported_reason(task)
    plan = replace(shard("adam", steps=10, dtype="float64"), lanes=(Lane(1e-3, seed=0), Lane(1e-2, seed=1)))
    assert_moves_as_alone(task, plan, steps=10)


def test_own_metrics_see_what_the_model_returned():
    def size_error(outputs, targets):
        return -(outputs["size"] - targets["size"]).abs().mean()

    task = two(metric=size_error)
    check(task)
    assert own_values(task)[1] == pytest.approx(-own_values(two(metric={"size": "mae"}))[1])


class Hidden(nn.Module):
    """Returns its state too, whose examples are the second axis, and a number for the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(2, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        h, state = self.rnn(x.view(-1, 3, 2))
        return self.out(h[:, -1]), state, h.square().mean()


def test_states_and_penalties_beside_the_outputs_keep_their_shapes():
    def loss(outputs, targets):
        scores, state, penalty = outputs
        assert state.shape == (1, len(targets), 8)
        assert penalty.ndim == 0
        return F.cross_entropy(scores, targets) + penalty

    task = two(model=Hidden, data=(X, KIND), loss=loss, metric="accuracy")
    check(task)
    inputs, targets = task.batch(task.splits(0), task.splits(0).valid)
    model = task.build_model(0).eval()
    scores, _, penalty = model.model(*inputs)
    expected = F.cross_entropy(scores, targets) + penalty
    assert number(task.measured_loss(model(*inputs), targets)) == pytest.approx(number(expected), rel=1e-5)


def test_weights_multiply_the_loss_of_each_example():
    def usual(outputs, targets):
        y, w = targets
        return (F.cross_entropy(outputs, y, reduction="none") * w).mean()

    model = lambda: nn.Linear(6, 3)  # noqa: E731
    unreduced = nn.CrossEntropyLoss(reduction="none")
    triple = two(model=model, data=(X, KIND, WEIGHTS), loss=unreduced, metric="accuracy")
    paired = two(model=model, data=(X, (KIND, WEIGHTS)), loss=unreduced, metric="accuracy")
    spelled = two(model=model, data=(X, (KIND, WEIGHTS)), loss=usual, metric="accuracy")
    for task in (triple, paired, spelled):
        check(task)
        assert own_values(task) == pytest.approx(own_values(spelled))
    assert own_values(spelled)[0] != pytest.approx(
        own_values(two(model=model, data=(X, KIND), loss=F.cross_entropy))[0]
    )


class Weighted(Dataset):
    """Examples as dicts, with their weights."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, i):
        return {"x": X[i], "y": KIND[i], "sample_weight": WEIGHTS[i]}


class ByName(nn.Linear):
    def __init__(self) -> None:
        super().__init__(6, 3)

    def forward(self, x):
        return super().forward(x)


TRIPLES = {
    "a loader": (DataLoader(TensorDataset(X, KIND, WEIGHTS), batch_size=16), lambda: nn.Linear(6, 3)),
    "a column of weights": (TensorDataset(X, KIND, WEIGHTS[:, None]), lambda: nn.Linear(6, 3)),
    "a list": ([*zip(X, KIND, WEIGHTS, strict=True)], lambda: nn.Linear(6, 3)),
    "dicts": (DataLoader(Weighted(), batch_size=16), ByName),
}


@pytest.mark.parametrize("kind", TRIPLES)
def test_the_third_item_of_an_example_is_its_weight(kind):
    data, model = TRIPLES[kind]
    unreduced = nn.CrossEntropyLoss(reduction="none")
    task = two(model=model, data=data, loss=unreduced, metric="accuracy")
    check(task)
    assert own_values(task) == own_values(two(model=model, data=(X, KIND, WEIGHTS), loss=unreduced, metric="accuracy"))
    with pytest.raises(BadTask, match="If the examples have weights, give the loss reduction='none'"):
        check(two(model=model, data=data, loss=F.cross_entropy, metric="accuracy"))


def test_weights_without_a_loss_per_example_are_refused():
    with pytest.raises(BadTask, match=r"tuple of 3.*Weights of the examples need a loss with reduction='none'"):
        two(data=(X, KIND, WEIGHTS), loss=F.cross_entropy)


def test_a_mask_among_the_targets_says_what_counts():
    mask = torch.rand(120, generator=draw) > 0.5

    def loss(outputs, targets):
        y, counts = targets
        return (F.cross_entropy(outputs, y, reduction="none") * counts).sum() / counts.sum()

    task = two(model=lambda: nn.Linear(6, 3), data=(X, (KIND, mask)), loss=loss, metric="accuracy")
    check(task)
    kind, counts = valid(task, KIND, mask)
    inputs, _ = task.batch(task.splits(0), task.splits(0).valid)
    right = task.build_model(0)(*inputs).argmax(1) == kind
    assert own_values(task)[1] == pytest.approx(number(right[counts].float().mean()))


class Named(Dataset):
    """Examples with a dict of targets."""

    def __len__(self) -> int:
        return 120

    def __getitem__(self, i):
        return X[i], {"kind": KIND[i], "size": SIZE[i]}


def test_loaders_may_yield_several_targets():
    task = two(data=DataLoader(Named(), batch_size=16), metric="accuracy")
    check(task)
    assert own_values(task) == pytest.approx(own_values(two(metric="accuracy")))


# ---- objects with logits ---------------------------------------------------------------------------------------------


@dataclass
class Output:
    loss: torch.Tensor | None
    logits: torch.Tensor


class Classifier(nn.Module):
    """Returns an object with its loss and its logits, as many language models do."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(50, 16), nn.Linear(16, 3)

    def forward(self, input_ids, attention_mask=None, labels=None):
        mask = attention_mask[..., None].float()
        scores = self.out((self.embed(input_ids) * mask).sum(1) / mask.sum(1))
        return Output(F.cross_entropy(scores, labels) if labels is not None else None, scores)


IDS = torch.randint(0, 50, (200, 12), generator=draw)
WORDS = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}


def test_accuracy_is_that_of_the_logits_of_a_model_with_its_own_loss():
    task = Task(model=Classifier, data={**WORDS, "labels": IDS[:, 0] % 3}, metric="accuracy", batch_size=32)
    check(task)
    labels, ids = valid(task, IDS[:, 0] % 3, IDS)
    scores = task.build_model(0).eval().model(ids, torch.ones_like(ids)).logits
    loss, accuracy = own_values(task)
    assert loss == pytest.approx(number(F.cross_entropy(scores, labels)), rel=1e-5)
    assert accuracy == pytest.approx(number((scores.argmax(1) == labels).float().mean()))
    assert 0 < accuracy < 1


def test_a_loss_of_torch_takes_the_logits_of_an_object():
    task = Task(model=Classifier, data=(WORDS, IDS[:, 0] % 3), loss=F.cross_entropy, metric="accuracy", batch_size=32)
    own = Task(model=Classifier, data={**WORDS, "labels": IDS[:, 0] % 3}, metric="accuracy", batch_size=32)
    check(task)
    assert own_values(task)[0] == pytest.approx(own_values(own)[0], rel=0.2)


class Causal(nn.Module):
    """A language model that shifts its labels itself."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.embed, self.out, self.scale = nn.Embedding(50, 16), nn.Linear(16, 50), scale

    def forward(self, input_ids, labels):
        scores = self.out(self.embed(input_ids))
        loss = F.cross_entropy(scores[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return {"loss": self.scale * loss, "logits": scores}


def test_labels_that_a_model_shifts_are_shifted_in_its_accuracy():
    data = {"input_ids": IDS, "labels": IDS}
    task = Task(model=Causal, data=data, metric="accuracy", batch_size=32)
    check(task)
    (ids,) = valid(task, IDS)
    scores = task.build_model(0).eval().model(ids, ids)["logits"]
    assert own_values(task)[1] == pytest.approx(number((scores[:, :-1].argmax(2) == ids[:, 1:]).float().mean()))
    with pytest.raises(BadTask, match="unclear how the model compares"):
        check(Task(model=lambda: Causal(3.0), data=data, metric="accuracy", batch_size=32))


def test_perplexity_of_a_model_with_its_own_loss_is_that_of_its_loss():
    task = Task(model=Causal, data={"input_ids": IDS, "labels": IDS}, metric="perplexity", batch_size=32)
    check(task)
    loss, perplexity = own_values(task)
    assert perplexity == pytest.approx(np.exp(loss), rel=1e-5)


class LossOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x, labels):
        return F.cross_entropy(self.layer(x), labels)


def test_a_metric_of_a_model_that_returns_only_its_loss_is_refused():
    with pytest.raises(BadTask, match=r"cannot be measured.*only its loss"):
        check(Task(model=LossOnly, data={"x": X, "labels": KIND}, metric="accuracy", batch_size=16))


def test_what_cannot_be_taken_apart_is_told():
    with pytest.raises(BadTask, match="returned a dict"):
        check(two(data=(X, KIND), loss=F.cross_entropy))
    with pytest.raises(BadTask, match=r"no target\. Targets: kind, size"):
        check(two(loss={"kind": F.cross_entropy, "size": F.mse_loss, "age": F.mse_loss}))
    with pytest.raises(BadTask, match="empty dict"):
        two(data=(X, {}))
    with pytest.raises(BadTask, match="different lengths, 119 and 120"):
        two(data=(X, {"kind": KIND[:-1], "size": SIZE}))
    with pytest.raises(BadTask, match="other targets"):
        two(data=None, train=(X, {"kind": KIND, "size": SIZE}), test=(X, {"size": SIZE, "kind": KIND}))
    with pytest.raises(BadTask, match="standardize"):
        two(standardize="targets")
    with pytest.raises(BadTask, match="16,777,216"):
        two(data=(X, {"kind": KIND + 2**25, "size": SIZE}))


def test_a_plain_model_is_not_taken_apart():
    assert outputs_tree(lambda n: torch.zeros(n, 3)) is None
    assert two(model=lambda: nn.Linear(6, 3), data=(X, KIND), loss=F.cross_entropy).heads is None
