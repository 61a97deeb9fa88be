"""What trains now, as the words of a baseline: they build the same optimizer again."""

import pytest
import torch
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.optim import lr_scheduler

import steepest
from steepest.design.baseline import add_baseline
from steepest.engine.object_registry import EMPTY_REGISTRY
from steepest.engine.solo import RuleDriver
from steepest.errors import BadSetting
from steepest.optim.schedules import schedule

torch.set_num_threads(1)
STEPS = 50
X, Y = torch.linspace(-1, 1, 40).view(10, 4).double(), torch.arange(10) % 2


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 2)).double()


def without_decay(model):
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim < 2]
    return [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]


def layerwise(model):
    return [{"params": model[0].parameters(), "lr": 1e-3}, {"params": model[1:].parameters()}]


OPTIMIZERS = {
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
    "nesterov": lambda m: torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.8, nesterov=True, weight_decay=1e-3),
    "adam": lambda model: torch.optim.Adam(model.parameters(), lr=3e-4, betas=(0.8, 0.95), eps=1e-6, amsgrad=True),
    "adamw": lambda model: torch.optim.AdamW(without_decay(model), lr=0.0123),
    "layer": lambda model: torch.optim.AdamW(layerwise(model), lr=0.01),
    "rmsprop": lambda model: torch.optim.RMSprop(model.parameters(), lr=0.01, alpha=0.9, momentum=0.5),
    "adagrad": lambda model: torch.optim.Adagrad(model.parameters(), lr=0.05),
    "nadam": lambda model: torch.optim.NAdam(model.parameters(), decoupled_weight_decay=True, weight_decay=0.1),
}
SCHEDULERS = {
    "none": lambda optimizer: None,
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS),
    "linear": lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=STEPS),
    "warm": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.LinearLR(optimizer, 1 / 5, total_iters=4), lr_scheduler.CosineAnnealingLR(optimizer, STEPS - 5)],
        [5],
    ),
    "one-cycle": lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], STEPS, cycle_momentum=False
    ),
    "step": lambda optimizer: lr_scheduler.StepLR(optimizer, 20, 0.5),
}


@pytest.mark.parametrize("chosen", SCHEDULERS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_words_train_as_the_optimizer_does(name, chosen):
    theirs, mine = network(), network()
    optimizer = OPTIMIZERS[name](theirs)
    scheduler = SCHEDULERS[chosen](optimizer)
    given = optimizer if scheduler is None else {"optimizer": optimizer, "lr_scheduler": scheduler}
    if scheduler is not None:
        given["lr_scheduler"] = {"scheduler": scheduler, "interval": "step"}
    found = add_baseline(steepest.setup_of(given, theirs, STEPS), [], {})
    baseline = next(each for each in found.contenders if each.name == found.name)
    (rate,) = baseline.rates
    driver, factor = RuleDriver(EMPTY_REGISTRY.optimizer(baseline), mine, rate), schedule(baseline.schedule)
    for t in range(1, STEPS + 1):
        for model in (theirs, mine):
            model.zero_grad()
            nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        driver.step(rate * factor(t, STEPS), lambda *_: [])
    for p, q in zip(theirs.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)


def test_groups_are_named_by_their_kind_where_they_are_one():
    model = network()
    assert steepest.setup_of(OPTIMIZERS["adamw"](model), model) == (
        "adamw:lr=0.0123:weight_decay=0.1:vectors.weight_decay=0"
    )
    assert "0.weight.lr_scale=0.1" in steepest.setup_of(OPTIMIZERS["layer"](model), model)


class Strange(torch.optim.SGD):
    pass


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda m: [torch.optim.SGD(m.parameters()), torch.optim.SGD(m.parameters())], "There are 2 optimizers"),
        (lambda m: torch.optim.LBFGS(m.parameters()), "LBFGS is not an optimizer that can be written in words"),
        (lambda m: Strange(m.parameters()), "Strange is not an optimizer that can be written in words"),
        (lambda m: torch.optim.AdamW(without_decay(m)), "Pass the model too"),
        (lambda m: 3, "int is not an optimizer of torch or Keras"),
        (
            lambda m: {
                "optimizer": (optimizer := torch.optim.SGD(m.parameters(), lr=0.1)),
                "lr_scheduler": lr_scheduler.LambdaLR(optimizer, lambda t: 1.0),
            },
            "The scheduler LambdaLR cannot be carried over",
        ),
        (
            lambda m: {
                "optimizer": (optimizer := torch.optim.SGD(m.parameters(), lr=0.1)),
                "lr_scheduler": {"scheduler": lr_scheduler.CosineAnnealingLR(optimizer, 10)},
            },
            "CosineAnnealingLR steps once an epoch",
        ),
    ],
)
def test_what_words_cannot_say_is_one_sentence(given, says):
    with pytest.raises(BadSetting, match=says):
        steepest.setup_of(given(network()))


def test_the_solver_of_a_network_of_scikit_learn():
    adam = make_pipeline(StandardScaler(), MLPClassifier(learning_rate_init=3e-3))
    assert steepest.setup_of(adam) == "adam:lr=0.003:betas=0.9/0.999:eps=1e-08"
    assert steepest.setup_of(MLPClassifier(solver="sgd")) == "nesterov:lr=0.001:momentum=0.9"
    with pytest.raises(BadSetting, match="'lbfgs' takes no gradient steps"):
        steepest.setup_of(MLPClassifier(solver="lbfgs"))
