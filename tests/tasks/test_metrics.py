"""Metrics against scikit-learn, and under vmap, as a fleet measures them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from engine.small import shard
from sklearn import metrics as reference
from torch import nn
from torch.nn import functional as F

from steepest.engine import fleet, solo
from steepest.errors import BadTask, UnknownName
from steepest.records.trials import Lane
from steepest.tasks.check import check
from steepest.tasks.loss_calls import calls_of_library
from steepest.tasks.metrics import NAMED, SAME_SHAPE, Metric, constant_level, metric_of, named, read_as
from steepest.tasks.readings import PLAIN, Reading, reading_of
from steepest.tasks.task import Task

draw = torch.Generator().manual_seed(0)
SCORES = torch.randn(50, 4, generator=draw)
LABELS = torch.randint(4, (50,), generator=draw)
TARGETS = torch.randn(50, 2, generator=draw)
GUESSES = TARGETS + 0.5 * torch.randn(50, 2, generator=draw)


def test_accuracy_is_scikit_learns():
    expected = reference.accuracy_score(LABELS.numpy(), SCORES.argmax(1).numpy())
    assert float(NAMED["accuracy"].fn(SCORES, LABELS)) == pytest.approx(expected)


def test_accuracy_of_logits_is_scikit_learns():
    logits, truth = GUESSES[:, :1], (TARGETS[:, :1] > 0).float()
    expected = reference.accuracy_score(truth.numpy() > 0, logits.numpy() > 0)
    assert 0.5 < expected < 1
    assert float(NAMED["accuracy"].fn(logits, truth)) == pytest.approx(expected)


def test_accuracy_of_sequences_leaves_padding_out():
    scores = torch.randn(6, 4, 5, generator=draw)  # [B, C, T]
    labels = scores.argmax(1)  # all right
    labels[0, 0] = (labels[0, 0] + 1) % 4  # but one
    labels[:, 3:] = -100
    assert float(NAMED["accuracy"].fn(scores, labels)) == pytest.approx(17 / 18)


def test_errors_are_scikit_learns():
    y, guess = TARGETS.numpy(), GUESSES.numpy()
    assert float(NAMED["r2"].fn(GUESSES, TARGETS)) == pytest.approx(reference.r2_score(y, guess), rel=1e-5)
    assert float(NAMED["mse"].fn(GUESSES, TARGETS)) == pytest.approx(reference.mean_squared_error(y, guess), rel=1e-5)
    assert float(NAMED["mae"].fn(GUESSES, TARGETS)) == pytest.approx(reference.mean_absolute_error(y, guess), rel=1e-5)


@pytest.mark.parametrize("name", [*NAMED, "top2"])
def test_a_fleet_measures_all_its_replicas_at_once(name):
    metric = named(name)
    is_regression = metric.fn in SAME_SHAPE
    outputs, targets = (GUESSES, TARGETS) if is_regression else (SCORES, LABELS)
    many = torch.stack([outputs + 0.1 * r for r in range(3)]) * torch.tensor([1.0, -1.0, 0.5])[:, None, None]
    together = torch.func.vmap(metric.fn, in_dims=(0, None))(many, targets)
    one_by_one = torch.stack([metric.fn(one, targets) for one in many])
    assert torch.allclose(together, one_by_one, rtol=1e-5)
    assert len(set(together.tolist())) > 1


# ---- metrics of classification ---------------------------------------------------------------------------------------

BITS = (torch.rand(50, generator=draw) > 0.7).long()
LOGITS = torch.randn(50, generator=draw).round(decimals=1) + BITS  # with ties
MANY = (torch.rand(50, 3, generator=draw) > 0.6).float()
MANY_LOGITS = torch.randn(50, 3, generator=draw) + MANY
PROBABILITIES = SCORES.double().softmax(1).numpy()


def value(name: str, outputs, targets, reading=PLAIN) -> float:
    return float(read_as(named(name), reading).fn(outputs, targets))


def test_metrics_of_classes_are_scikit_learns():
    truth, guess = LABELS.numpy(), SCORES.argmax(1).numpy()
    assert value("macro-f1", SCORES, LABELS) == pytest.approx(reference.f1_score(truth, guess, average="macro"))
    assert value("balanced-accuracy", SCORES, LABELS) == pytest.approx(reference.balanced_accuracy_score(truth, guess))
    assert value("auroc", SCORES, LABELS) == pytest.approx(
        reference.roc_auc_score(truth, PROBABILITIES, multi_class="ovr"), rel=1e-6
    )
    for k in (1, 2, 3):
        expected = reference.top_k_accuracy_score(truth, SCORES.numpy(), k=k)
        assert value(f"top-{k}", SCORES, LABELS) == pytest.approx(expected)
    assert value("perplexity", SCORES, LABELS) == pytest.approx(
        np.exp(reference.log_loss(truth, PROBABILITIES)), rel=1e-5
    )


def test_a_class_that_never_occurs_is_left_out_of_the_mean_as_scikit_learn_does():
    scores = SCORES.clone()
    scores[:, 3] = -9.0
    truth = LABELS.where(LABELS < 3, 0)
    expected = reference.f1_score(truth.numpy(), scores.argmax(1).numpy(), average="macro")
    assert value("macro-f1", scores, truth) == pytest.approx(expected)
    assert value("balanced-accuracy", scores, truth) == pytest.approx(
        reference.balanced_accuracy_score(truth.numpy(), scores.argmax(1).numpy())
    )


@pytest.mark.parametrize("shape", ["row", "column", "column against row"])
@pytest.mark.parametrize("kind", [torch.int64, torch.float32])
def test_metrics_of_two_classes_are_scikit_learns(shape, kind):
    truth, scores = BITS.numpy(), LOGITS.numpy()
    outputs = LOGITS if shape == "row" else LOGITS[:, None]
    targets = (BITS[:, None] if shape == "column" else BITS).to(kind)
    assert value("accuracy", outputs, targets) == pytest.approx(reference.accuracy_score(truth, scores > 0))
    assert value("auroc", outputs, targets) == pytest.approx(reference.roc_auc_score(truth, scores))
    assert value("macro-f1", outputs, targets) == pytest.approx(reference.f1_score(truth, scores > 0, average="macro"))
    expected = reference.balanced_accuracy_score(truth, scores > 0)
    assert value("balanced-accuracy", outputs, targets) == pytest.approx(expected)


def test_two_logits_have_the_area_of_their_difference():
    pair = torch.stack([torch.zeros(50), LOGITS], 1)
    assert value("auroc", pair, BITS) == pytest.approx(reference.roc_auc_score(BITS.numpy(), LOGITS.numpy()))


def test_metrics_of_several_questions_are_scikit_learns():
    truth, scores = MANY.numpy(), MANY_LOGITS.numpy()
    assert value("accuracy", MANY_LOGITS, MANY) == pytest.approx(np.mean((scores > 0) == truth))
    assert value("auroc", MANY_LOGITS, MANY) == pytest.approx(reference.roc_auc_score(truth, scores))
    assert value("macro-f1", MANY_LOGITS, MANY) == pytest.approx(reference.f1_score(truth, scores > 0, average="macro"))
    expected = np.mean([reference.balanced_accuracy_score(truth[:, k], scores[:, k] > 0) for k in range(3)])
    assert value("balanced-accuracy", MANY_LOGITS, MANY.long()) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["accuracy", "macro-f1", "balanced-accuracy", "auroc", "top2", "perplexity"])
@pytest.mark.parametrize("ignored", [-100, 255, 0])
def test_ignored_labels_do_not_count(name, ignored):
    reading = reading_of(calls_of_library(torch.nn.CrossEntropyLoss(ignore_index=ignored), has_classes=True))
    kept = torch.arange(50) % 3 > 0
    kept &= ignored != LABELS
    labels = LABELS.where(kept, ignored)
    with_padding = value(name, SCORES, labels, reading)
    assert with_padding == pytest.approx(value(name, SCORES[kept], LABELS[kept]), rel=1e-5)


@pytest.mark.parametrize("shape", [(50, 4, 6), (50, 6, 4), (50, 4, 3, 3), (50, 3, 3, 4), (300, 4)])
def test_classes_may_come_second_or_last_or_with_the_examples_joined(shape):
    axis = 1 if shape[1] == 4 else -1
    outputs = torch.randn(shape, generator=draw)
    labels = outputs.argmax(axis)
    labels = labels.reshape(50, 6) if shape == (300, 4) else labels
    assert value("accuracy", outputs, labels) == 1.0
    wrong = (labels + 1) % 4
    half = torch.cat([labels[:25], wrong[25:]])
    assert value("accuracy", outputs, half) == 0.5


def test_probabilities_and_one_hot_rows_are_read_by_the_loss():
    one_hot = F.one_hot(LABELS, 4).float()
    reading = reading_of(calls_of_library(F.cross_entropy, has_classes=False))
    assert value("accuracy", SCORES, one_hot, reading) == pytest.approx(value("accuracy", SCORES, LABELS))
    probable = reading_of(calls_of_library(F.binary_cross_entropy, has_classes=False))
    assert value("accuracy", LOGITS.sigmoid(), BITS.float(), probable) == value("accuracy", LOGITS, BITS.float())


# ---- in a task -------------------------------------------------------------------------------------------------------

PIXELS = torch.randint(0, 3, (120, 8, 8), generator=draw)
COLOURS = F.one_hot(PIXELS, 3).permute(0, 3, 1, 2).float()
VOID = PIXELS.where(torch.rand(120, 8, 8, generator=draw) > 0.3, 255)


class Exact(torch.nn.Module):
    """Gives the colour itself, which tells the class, with its classes where they are asked for."""

    def __init__(self, last: bool = False) -> None:
        super().__init__()
        self.scale, self.last = torch.nn.Parameter(torch.ones(())), last

    def forward(self, x):
        return (self.scale * x).movedim(1, -1) if self.last else self.scale * x


def measured(task: Task) -> float:
    check(task)
    splits = task.splits(0)
    inputs, targets = task.batch(splits, splits.test)
    return float(task.quality.fn(task.build_model(0)(*inputs).detach(), targets))


def flat(outputs, targets):
    return F.cross_entropy(outputs.flatten(0, -2), targets.flatten(), ignore_index=255)


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (Exact, torch.nn.CrossEntropyLoss(ignore_index=255)),
        (Exact, partial(F.cross_entropy, ignore_index=255)),
        (lambda: Exact(last=True), flat),
        (Exact, lambda o, t: F.nll_loss(F.log_softmax(o, 1), t, ignore_index=255)),
    ],
)
def test_void_pixels_do_not_count_whoever_ignores_them(model, loss):
    assert measured(Task(model=model, data=(COLOURS, VOID), loss=loss, metric="accuracy", batch_size=8)) == 1.0


class Graph(torch.nn.Module):
    """All nodes of one graph, classes last, as graph libraries have them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(30, 2)

    def forward(self, x, links):
        return links @ self.layer(x)


def test_one_graph_is_judged_on_the_nodes_of_each_part():
    sides, order = torch.arange(30) % 2, torch.randperm(30, generator=draw)
    links = ((sides[:, None] == sides) | torch.eye(30).bool()).float() / 15

    def part(nodes):
        return (torch.eye(30)[None], links[None]), torch.full((30,), -100).index_put((nodes,), sides[nodes])[None]

    def loss(outputs, targets):
        return F.cross_entropy(outputs.reshape(-1, 2), targets.reshape(-1), ignore_index=-100)

    parts = {"train": part(order[:12]), "valid": part(order[12:20]), "test": part(order[20:])}
    task = Task(model=Graph, **parts, loss=loss, metric="accuracy", batch_size=1, epochs=1)
    value, nodes = measured(task), order[20:]
    outputs = task.build_model(0)(torch.eye(30), links)
    assert value == pytest.approx(float((outputs.argmax(1)[nodes] == sides[nodes]).float().mean()))


X, NOISE = torch.randn(90, 4, generator=draw), torch.randint(0, 2, (90,), generator=draw)


def small(**changes) -> Task:
    what = {"model": lambda: torch.nn.Linear(4, 2), "data": (X, NOISE), "loss": F.cross_entropy, "batch_size": 8}
    return Task(**{**what, **changes})


AMOUNTS, BOTH, SQUARE = X[:, :1], (X[:, :1] > 0).float(), torch.randn(90, 4, 4, generator=draw)


def amounts(loss, targets, **changes) -> dict:
    """A model with one output per example, and accuracy as metric."""
    return {"metric": "accuracy", "model": lambda: nn.Linear(4, 1), "data": (X, targets), "loss": loss, **changes}


def padded(targets):
    """Targets with a third of them marked as not counting, in every part."""
    return targets.where(torch.arange(len(targets))[:, None] % 3 > 0, -100.0)


UNMEASURED = [
    ({"metric": lambda outputs, targets: torch.tensor(0.5)}, "for all outputs"),
    ({"metric": lambda outputs, targets: (outputs.softmax(1).sum(1) > 0.5).float().mean()}, "for all outputs"),
    ({"metric": lambda outputs, targets: (outputs.argmax(0)[:0] == 1).float().sum()}, "for all outputs"),
    ({"metric": "top2"}, "100 % for every model, since there are 2 classes"),
    ({"metric": "auroc", "data": None, "train": (X, NOISE), "valid": (X[:20], NOISE[:20] * 0)}, "AUROC is undefined"),
    (
        {"metric": "accuracy", "data": None, "train": (X, NOISE), "valid": (X[:20], NOISE[:20] * 0 - 100)},
        "measured on nothing: all labels of the validation part",
    ),
    (
        {"metric": "macro-f1", "data": None, "train": (X, NOISE), "test": (X[:20], NOISE[:20] * 0 - 100)},
        "measured on nothing: all labels of the test part",
    ),
    ({"metric": "perplexity", "data": (X, X), "model": lambda: nn.Linear(4, 4), "loss": F.mse_loss}, "each class"),
    ({"metric": "rmse"}, "RMSE needs outputs and targets of the same shape"),
    (amounts(F.mse_loss, AMOUNTS), "targets are amounts: 18 different numbers, such as .* use r2, mae or rmse"),
    (amounts(F.mse_loss, AMOUNTS, metric="auroc"), "AUROC is for classes and yes-or-no answers, but"),
    (amounts(lambda o, t: F.l1_loss(o, t.float()), (AMOUNTS * 10).long()), "targets are amounts: "),
    (amounts(F.poisson_nll_loss, (AMOUNTS * 10).abs().round()), "but the loss expects logarithms of rates"),
    (
        amounts(lambda o, t: (t[:, None] - o).abs().mean(), AMOUNTS[:, 0], model=lambda: nn.Linear(4, 3)),
        "for classes, but the targets are amounts, such as",
    ),
    (amounts(F.mse_loss, BOTH + 1), "compares yes-or-no answers, .* but the targets are 1, 2"),
    (
        amounts(lambda o, t: F.binary_cross_entropy_with_logits(o[t >= 0], t[t >= 0]), padded(BOTH)),
        "but the targets are -100, 0, 1.*a mask",
    ),
    ({"metric": "perplexity", "loss": nn.MultiMarginLoss()}, "perplexity needs the logarithm of a likelihood"),
    (
        {"metric": "perplexity", "loss": lambda o, t: (1 + o - o.gather(1, t[:, None])).clamp(min=0).mean()},
        "perplexity needs the logarithm of a likelihood",
    ),
    (
        {"metric": "r2", "model": lambda: nn.Linear(4, 4), "data": (X, X.softmax(1))},
        "R² compares predictions with targets, but the loss expects logits",
    ),
    (
        {
            "metric": "accuracy",
            "data": (SQUARE, SQUARE.argmax(-1)),
            "model": Exact,
            "loss": lambda o, t: -o.log_softmax(-1).gather(2, t[..., None]).mean(),
        },
        "unclear whether the second or the last axis",
    ),
]


@pytest.mark.parametrize(("changes", "words"), UNMEASURED, ids=[words for _, words in UNMEASURED])
def test_a_metric_that_measures_nothing_is_refused_before_training(changes, words):
    with pytest.raises(BadTask, match=words):
        check(small(**changes))


ROWS = F.one_hot(SQUARE[:, 0].argmax(1), 4).float()
READ = [
    (lambda o, t: F.cross_entropy(o.transpose(1, 2), t), SQUARE, SQUARE.argmax(-1)),
    (lambda o, t: F.cross_entropy(o.reshape(-1, 4), t.reshape(-1)), SQUARE, SQUARE.argmax(-1)),
    (lambda o, t: F.nll_loss(o.log_softmax(-1).transpose(1, 2), t), SQUARE, SQUARE.argmax(-1)),
    (lambda o, t: F.cross_entropy(o[t > 0], t[t > 0]), SQUARE, SQUARE.argmax(-1)),
    (lambda o, t: F.cross_entropy(o.transpose(1, 2).reshape(-1, 4), t.reshape(-1)), SQUARE, SQUARE.argmax(1)),
    (F.cross_entropy, SQUARE, SQUARE.argmax(1)),
    (F.mse_loss, 0.4 + 0.2 * BOTH, BOTH),
    (F.mse_loss, 0.2 * BOTH - 0.1, 2 * BOTH - 1),
    (lambda o, t: ((o - t) ** 2).mean(), 0.4 + 0.2 * BOTH, BOTH),
    (lambda o, t: F.mse_loss(o.sigmoid(), t), BOTH - 0.5, BOTH),
    (lambda o, t: F.binary_cross_entropy(o.sigmoid(), t), BOTH - 0.5, BOTH),
    (lambda o, t: -F.logsigmoid(o * (2 * t - 1)).mean(), BOTH - 0.5, BOTH),
    (lambda o, t: (1 - o * t).clamp(min=0).mean(), BOTH - 0.5, 2 * BOTH - 1),
    (F.mse_loss, 0.1 * SQUARE[:, 0], ROWS),
    (lambda o, t: -(t * o.log_softmax(1)).sum(1).mean(), SQUARE[:, 0] - 9, ROWS),
    (lambda o, t: F.mse_loss(o.softmax(1), t), SQUARE[:, 0] - 9, ROWS),
    (F.binary_cross_entropy_with_logits, SQUARE[:, 0] - 9, ROWS),
]


@pytest.mark.parametrize(("loss", "outputs", "targets"), READ)
def test_accuracy_reads_outputs_as_the_loss_does(loss, outputs, targets):
    """Axes of one size, numbers near 0 and 1, signs and one-hot rows: a model that is right has 100 %."""
    assert measured(Task(model=Exact, data=(outputs, targets), loss=loss, metric="accuracy", batch_size=8)) == 1.0


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        (F.poisson_nll_loss, (AMOUNTS.abs() + 0.1).log(), AMOUNTS.abs() + 0.1),
        (F.binary_cross_entropy_with_logits, X, X.sigmoid()),
    ],
)
def test_errors_are_those_of_the_predictions_and_not_of_logarithms_or_logits(loss, outputs, targets):
    task = Task(model=Exact, data=(outputs, targets), loss=loss, metric="mae", batch_size=8)
    assert measured(task) == pytest.approx(0, abs=1e-6)


def test_the_second_head_is_read_by_its_own_loss():
    def make():
        return Heads({"kind": nn.Linear(4, 3), "sign": nn.Identity()})

    targets = {"kind": NOISE, "sign": (X > 0).float()}
    losses = {"kind": F.cross_entropy, "sign": lambda o, t: F.binary_cross_entropy_with_logits(o, t)}
    task = Task(model=make, data=(X, targets), loss=losses, metric={"sign": "accuracy"}, batch_size=8)
    assert measured(task) == 1.0


class Heads(torch.nn.ModuleDict):
    def forward(self, x):
        return {name: head(x) for name, head in self.items()}


@pytest.mark.parametrize("name", ["macro-F1", "balanced accuracy", "AUROC", "top-1", "perplexity", "f1", "auc"])
def test_metrics_by_name_in_people_s_spelling(name):
    check(small(metric=name))


def test_a_fleet_scores_as_solo_does_over_the_whole_part():
    """AUROC is not a mean over examples, so it must not be a mean over pieces of a part."""
    task = small(metric="auroc", batch_size=8)
    plan = replace(shard("sgd", steps=3), lanes=(Lane(0.1, seed=0), Lane(0.3, seed=0)))
    together, alone = fleet.train(task, plan), solo.train(task, plan)
    assert np.allclose(together.test_metric, alone.test_metric, atol=1e-6)
    assert len(set(together.test_metric)) == 2 or 0 < together.test_metric[0] < 1


# ---- how a metric is meant -------------------------------------------------------------------------------------------


def test_a_metric_is_meant_by_name_by_function_or_by_itself():
    assert metric_of("R²", F.mse_loss) is NAMED["r2"]
    assert metric_of("loss", F.mse_loss).fn is F.mse_loss
    assert not metric_of("loss", F.mse_loss).higher_is_better
    own = Metric("own", F.l1_loss, higher_is_better=False)
    assert metric_of(own, F.mse_loss).fn.__wrapped__ is F.l1_loss
    assert replace(metric_of(own, F.mse_loss), fn=F.l1_loss) == own

    def skill(outputs, targets):
        return -F.l1_loss(outputs, targets)

    assert replace(metric_of(skill, F.mse_loss), fn=skill) == Metric("skill", skill)


def test_a_metric_may_be_a_plain_number_such_as_scikit_learns():
    metric = metric_of(lambda outputs, targets: np.float64(0.25), F.mse_loss)
    assert metric.fn(torch.zeros(3), torch.zeros(3)) == torch.tensor(0.25)


def test_an_unknown_metric_gets_the_nearest_names():
    with pytest.raises(UnknownName, match="accuracy"):
        metric_of("acuracy", F.mse_loss)
    for nonsense in (3, F, torch.nn.MSELoss, torch.nn.MSELoss(), np.mean(3)):
        with pytest.raises(BadTask, match=r"steepest\.Metric"):
            metric_of(nonsense, F.mse_loss)  # type: ignore[arg-type]


# ---- constant predictions --------------------------------------------------------------------------------------------

YES = torch.tensor([1.0, 1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    "targets, reading, expected",
    [
        (torch.tensor([0, 1, 1, 1, 2]), PLAIN, 0.6),
        (torch.tensor([[0, 1], [1, -100]]), PLAIN, 2 / 3),  # padding does not count
        (torch.tensor([255, 255, 255, 1, 0, 0]), Reading(ignored=255), 2 / 3),
        (YES[:, None], PLAIN, 0.75),
        (torch.stack([YES, 1 - YES, torch.tensor([1.0, 1.0, 0.0, 0.0])], dim=1), PLAIN, (0.75 + 0.75 + 0.5) / 3),
        (2 * YES[:, None] - 1, Reading(signs=True), 0.75),
        (torch.eye(3)[[0, 1, 1, 1]], Reading(one_hot=True), 0.75),
    ],
)
def test_the_accuracy_of_a_constant_is_that_of_the_most_frequent_answer(targets, reading, expected):
    metric = read_as(NAMED["accuracy"], reading)
    assert constant_level(metric, targets) == pytest.approx(expected)


def test_the_error_of_a_constant_is_scikit_learns_of_the_best_one():
    y = TARGETS[:, :1]
    mean, middle = y.mean().expand_as(y), y.median().expand_as(y)
    assert constant_level(NAMED["mse"], y) == pytest.approx(reference.mean_squared_error(y, mean))
    assert constant_level(NAMED["rmse"], y) == pytest.approx(reference.mean_squared_error(y, mean) ** 0.5)
    assert constant_level(NAMED["mae"], y) == pytest.approx(reference.mean_absolute_error(y, middle), rel=1e-4)
    assert constant_level(NAMED["r2"], y) == 0
    assert constant_level(NAMED["auroc"], y) == 0.5
    assert constant_level(Metric("mine", lambda outputs, targets: outputs.sum()), y) is None


def test_the_facts_of_a_task_have_the_level_of_a_constant():
    how = {"loss": F.cross_entropy, "metric": "accuracy", "batch_size": 8, "epochs": 1}
    data = torch.randn(40, 3), torch.tensor([0] * 30 + [1] * 10)
    assert Task(model=lambda: nn.Linear(3, 2), data=data, **how).facts().constant == 0.75
