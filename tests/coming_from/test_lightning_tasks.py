"""LightningModules of many kinds as tasks, and the code to paste in Lightning's own Trainer."""

import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import steepest
from steepest.adapters.frameworks import code
from steepest.design.contenders import enter
from steepest.engine.object_registry import EMPTY_REGISTRY
from steepest.engine.solo import RuleDriver
from steepest.errors import BadTask
from steepest.optim.schedules import schedule

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    pl = pytest.importorskip(
        "pytorch_lightning", reason="PyTorch Lightning is not installed: pip install 'steepest[lightning]'"
    )

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]
torch.set_num_threads(1)
draws = torch.Generator().manual_seed(0)
X = torch.randn(200, 4, generator=draws)
Y = (X[:, 0] > 0).long()


class Plain(pl.LightningModule):
    def __init__(self, width=8, lr=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x):
        return self.net(x)

    def parts(self, batch):
        x, y = batch
        logits = self(x)
        return nn.functional.cross_entropy(logits, y), (logits.argmax(1) == y).float().mean()

    def training_step(self, batch, batch_idx):
        loss, accuracy = self.parts(batch)
        self.log("train_loss", loss)
        self.log("train_acc", accuracy)
        return loss

    def validation_step(self, batch, batch_idx):
        loss, accuracy = self.parts(batch)
        self.log_dict({"val_loss": loss, "val_acc": accuracy}, prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr, betas=(0.9, 0.95))


class OfDicts(Plain):
    def parts(self, batch):
        return super().parts((batch["x"], batch["y"]))

    def training_step(self, batch, batch_idx):
        loss, accuracy = self.parts(batch)
        return {"loss": loss, "accuracy": accuracy}


class WithoutValidation(Plain):
    validation_step = pl.LightningModule.validation_step


class Torchmetric(Plain):
    def __init__(self):
        super().__init__()
        from torchmetrics.classification import MulticlassAccuracy

        self.measure = MulticlassAccuracy(2, average="micro")

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.measure(self(x), y)
        self.log("val/accuracy", self.measure, on_epoch=True)


class Autoencoder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 4)

    def training_step(self, batch, batch_idx):
        return nn.functional.mse_loss(self.net(batch), batch)


class Dicts(Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return {"x": X[i], "y": Y[i]}


class Tensors(Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i]


class Module(pl.LightningDataModule):
    def setup(self, stage=None):
        self.train, self.valid = TensorDataset(X[:140], Y[:140]), TensorDataset(X[140:], Y[140:])

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=16, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.valid, batch_size=16)


def loader(dataset):
    return DataLoader(dataset, batch_size=16, shuffle=True)


def first(task):
    inputs, targets = task.batch(task.splits(0), task.splits(0).train[:16])
    return inputs, targets


@pytest.mark.parametrize(
    ("make", "metric"),
    [
        (lambda: steepest.from_lightning(Plain(width=5), Module()), "val_acc"),
        (lambda: steepest.from_lightning(Plain, Module()), "val_acc"),
        (lambda: steepest.from_lightning(lambda: Plain(3), train=loader(TensorDataset(X, Y))), "val_acc"),
        (lambda: steepest.from_lightning(OfDicts, train=loader(Dicts())), "val_acc"),
        (lambda: steepest.from_lightning(WithoutValidation, Module()), "loss"),
        (lambda: steepest.from_lightning(Torchmetric, Module()), "val/accuracy"),
        (lambda: steepest.from_lightning(Autoencoder, train=loader(Tensors())), "loss"),
        (lambda: steepest.from_lightning(Plain, Module(), monitor="val_loss"), "val_loss"),
    ],
)
def test_a_module_is_a_task(make, metric):
    task = make()
    assert (task.quality.name, task.batch_size) == (metric, 16)
    model, (inputs, targets) = task.build_model(0), first(task)
    task.training_loss(model(*inputs), targets).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert task.quality.fn(model.eval()(*inputs), targets).isfinite()
    assert not all(torch.equal(p, q) for p, q in zip(model.parameters(), task.build_model(1).parameters(), strict=True))


def test_the_loss_and_the_logged_metric_are_those_of_lightning():
    task = steepest.from_lightning(Plain, Module())
    model, (inputs, targets) = task.build_model(0), first(task)
    loss, accuracy = model.model.module.parts(inputs)
    assert torch.equal(task.training_loss(model(*inputs), targets), loss)
    assert float(task.quality.fn(model.eval()(*inputs), targets)) == pytest.approx(accuracy.item())


def test_a_study_trains_it_with_the_user_s_setup_as_the_baseline(tmp_path):
    task = steepest.from_lightning(Plain, Module(), epochs=2)
    study = steepest.compare(
        task, ["sgd:net.2.lr_scale=0.5"], rates=[0.1], seeds=2, baseline=steepest.setup_of(Plain()), out=tmp_path / "s"
    )
    assert study.record.tasks[0].metric == "val_acc"
    assert "name.startswith('net.2.')" in study.advice(optimizer="sgd:net.2.lr_scale=0.5", framework="lightning").code


class Manual(Plain):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False


class Two(Plain):
    def configure_optimizers(self):
        return [torch.optim.SGD(self.parameters(), lr=0.1), torch.optim.SGD(self.parameters(), lr=0.1)], []


class Silent(Plain):
    def training_step(self, batch, batch_idx):
        self.parts(batch)


class Stepping(Plain):
    def optimizer_step(self, *args, **kwargs):
        pass


class Needy(pl.LightningModule):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Linear(width, 1)

    def training_step(self, batch, batch_idx):
        return self.net(batch).sum()


class TwoLoaders(Module):
    def val_dataloader(self):
        return [super().val_dataloader(), super().val_dataloader()]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: steepest.from_lightning(Manual, Module()), "automatic_optimization = False"),
        (lambda: steepest.from_lightning(Two, Module()), "Two has 2 optimizers"),
        (lambda: steepest.from_lightning(Stepping, Module()), "Stepping overrides optimizer_step"),
        (lambda: steepest.from_lightning(Needy(4), Module()), "did not call save_hyperparameters"),
        (lambda: steepest.from_lightning(Needy, Module()), "Pass a function without arguments"),
        (lambda: steepest.from_lightning(lambda: nn.Linear(2, 2), Module()), "built a Linear, not a LightningModule"),
        (lambda: steepest.from_lightning(Plain, TwoLoaders()), "val_dataloader gives 2 loaders"),
        (lambda: steepest.from_lightning(Plain), "No data is given"),
        (lambda: steepest.from_lightning(Plain, Module(), monitor="val_f1"), "does not log 'val_f1'"),
        (
            lambda: steepest.from_lightning(Silent, Module()).build_model(0)(X[:4], Y[:4]),
            "training_step of Silent returned no loss",
        ),
    ],
)
def test_what_cannot_be_carried_over_is_one_sentence(make, says):
    with pytest.raises(BadTask, match=says):
        make()


@pytest.mark.parametrize(
    "words",
    [
        "adamw+clip-norm:max_norm=0.1:weight_decay=0.1:vectors.weight_decay=0:schedule=warmup-cosine",
        "nesterov:net.2.lr_scale=0.5:schedule=one-cycle",
        "lion",
    ],
)
def test_the_printed_code_follows_the_study_in_lightning_s_own_trainer(words, tmp_path):
    (contender,), _ = enter(words)
    steps, rate = 50, 0.01
    space = {}
    exec(code("lightning", contender, rate, horizon=steps), space)
    torch.manual_seed(3)
    mine = Plain().double()
    pasted = {name: method for name, method in space.items() if name.startswith("configure_")}
    theirs = type("Pasted", (Plain,), pasted)().double()
    theirs.load_state_dict(mine.state_dict())
    batches = DataLoader(TensorDataset(X.double(), Y), batch_size=16)
    trainer = pl.Trainer(
        max_steps=steps, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        enable_model_summary=False, default_root_dir=tmp_path, precision="64-true",
    )  # fmt: skip
    trainer.fit(theirs, batches)
    driver, factor = RuleDriver(EMPTY_REGISTRY.optimizer(contender), mine, rate), schedule(contender.schedule)
    given = [batch for _ in range(-(-steps // len(batches))) for batch in batches][:steps]
    for t, batch in enumerate(given, start=1):
        mine.zero_grad()
        mine.parts(batch)[0].backward()
        driver.step(rate * factor(t, steps), lambda *_: [])
    for p, q in zip(theirs.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)
