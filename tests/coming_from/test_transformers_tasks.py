"""Models of transformers as tasks, and the code to paste in its own Trainer. Models are built from configurations."""

import warnings

import pytest
import torch
from torch.utils.data import Dataset, Subset

import steepest
from steepest.adapters.frameworks import code
from steepest.design.baseline import add_baseline
from steepest.design.contenders import enter
from steepest.engine.object_registry import EMPTY_REGISTRY
from steepest.engine.solo import RuleDriver
from steepest.errors import BadSetting, BadTask
from steepest.optim.schedules import schedule

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: pip install 'steepest[transformers]'"
    )
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install 'steepest[transformers]'")

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]
torch.set_num_threads(1)
N, LENGTH, WORDS = 96, 8, 20
IDS = torch.randint(1, WORDS, (N, LENGTH), generator=torch.Generator().manual_seed(0))
LABELS = (IDS[:, 0] > 9).long()


@pytest.fixture(autouse=True)
def without_data_sets(monkeypatch):
    """The folder tests/datasets must not be taken for the package of that name."""
    monkeypatch.setattr("transformers.trainer.is_datasets_available", lambda: False)


def bert():
    config = transformers.BertConfig(
        vocab_size=WORDS, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=LENGTH, num_labels=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


def gpt():
    config = transformers.GPT2Config(
        vocab_size=WORDS, n_positions=LENGTH, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0
    )
    return transformers.GPT2LMHeadModel(config)


class Rows(Dataset):
    """As a data set of `datasets` after tokenizing: dicts of lists, with columns that the model does not take."""

    def __init__(self, label="labels", lengths=False):
        self.label, self.lengths = label, lengths

    def __len__(self):
        return N

    def __getitem__(self, i):
        size = LENGTH - (i % 3 if self.lengths else 0)
        row = {"input_ids": IDS[i, :size].tolist(), "attention_mask": [1] * size, "text": "as it was", "idx": i}
        return {**row, self.label: int(LABELS[i])} if self.label else row


def padded(rows):
    size = max(len(row["input_ids"]) for row in rows)
    names = ("input_ids", "attention_mask")
    columns = {key: [row[key] + [0] * (size - len(row[key])) for row in rows] for key in names}
    columns["labels"] = [row["labels"] for row in rows]
    return {key: torch.tensor(value) for key, value in columns.items()}


def shifted(rows):
    ids = torch.tensor([row["input_ids"] for row in rows])
    return {"input_ids": ids, "labels": ids.clone()}


@pytest.mark.parametrize(
    ("make", "metric"),
    [
        (lambda: steepest.from_transformers(bert, Rows()), "accuracy"),
        (lambda: steepest.from_transformers(bert(), Rows("label")), "accuracy"),
        (lambda: steepest.from_transformers(bert, [*map(Rows().__getitem__, range(N))]), "accuracy"),
        (lambda: steepest.from_transformers(bert, Rows(lengths=True), data_collator=padded), "accuracy"),
        (lambda: steepest.from_transformers(bert, {"input_ids": IDS, "labels": LABELS}), "accuracy"),
        (lambda: steepest.from_transformers(gpt, {"input_ids": IDS.numpy(), "labels": IDS.numpy()}), "loss"),
        (lambda: steepest.from_transformers(gpt, Rows(""), data_collator=shifted), "loss"),
        (lambda: steepest.from_transformers(gpt, Rows(""), data_collator=shifted, metric="perplexity"), "perplexity"),
    ],
)
def test_a_model_is_a_task(make, metric):
    task = make()
    assert task.quality.name == metric
    model = task.build_model(0)
    inputs, targets = task.batch(task.splits(0), task.splits(0).train[:16])
    task.training_loss(model(*inputs), targets).backward()
    assert task.quality.fn(model.eval()(*inputs), targets).isfinite()


def trainer(tmp_path, model=None, **settings):
    settings = {"per_device_train_batch_size": 8, "num_train_epochs": 2, **settings}
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True, **settings
    )
    return transformers.Trainer(
        model=model or bert(), args=arguments, train_dataset=Subset(Rows(), range(64)),
        eval_dataset=Subset(Rows(), range(64, N)),
    )  # fmt: skip


def test_a_study_takes_a_trainer_whole(tmp_path):
    given = trainer(tmp_path, gradient_accumulation_steps=2, learning_rate=3e-3, weight_decay=0.1)
    task = steepest.from_transformers(given)
    assert (task.batch_size, task.epochs, task.sizes["valid"]) == (16, 2.0, 32)
    study = steepest.compare(
        task, ["adamw"], rates=[0.01], seeds=2, baseline=steepest.setup_of(given), out=tmp_path / "study"
    )
    assert study.record.tasks[0].metric == "accuracy"


@pytest.mark.parametrize(
    "settings",
    [
        {"lr_scheduler_type": "cosine"},
        {"lr_scheduler_type": "linear", "max_grad_norm": 0.0, "weight_decay": 0.1},
        {"lr_scheduler_type": "constant", "adam_beta2": 0.9, "adam_epsilon": 1e-6, "max_grad_norm": 0.5},
        {"lr_scheduler_type": "polynomial", "optim": "sgd", "lr_scheduler_kwargs": {"power": 2.0}},
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-3}, "weight_decay": 0.01},
    ],
)
def test_the_setup_of_a_trainer_trains_as_it_does(tmp_path, settings):
    fixed = {"learning_rate": 0.01, "max_steps": 50, "train_sampling_strategy": "sequential"}
    theirs = trainer(tmp_path, bert().double(), **fixed, **settings)
    mine = bert().double()
    mine.load_state_dict(theirs.model.state_dict())
    found = add_baseline(steepest.setup_of(theirs), [], {})
    contender = next(each for each in found.contenders if each.name == found.name)
    followed(theirs, mine, contender, 0.01)


@pytest.mark.parametrize(
    "words",
    [
        "adamw+clip-norm:max_norm=0.1:weight_decay=0.1:norms.weight_decay=0:schedule=warmup-cosine",
        "nesterov:classifier.lr_scale=2",
        "sgd+clip-value:max_value=0.01:schedule=one-cycle",
    ],
)
def test_the_printed_code_follows_the_study_in_a_trainer(tmp_path, words):
    (contender,), _ = enter(words)
    mine, model = bert().double(), bert().double()
    model.load_state_dict(mine.state_dict())
    space = {"model": model}
    exec(code("transformers", contender, 0.01, horizon=50), space)
    theirs = trainer(tmp_path, model, train_sampling_strategy="sequential", **space["arguments"])
    theirs.optimizer, theirs.lr_scheduler = space["optimizers"]
    followed(theirs, mine, contender, 0.01)


def followed(theirs, mine, contender, rate, steps=50):
    """Train in the Trainer and by the plain loop of a study, and compare."""
    theirs.train()
    driver, factor = RuleDriver(EMPTY_REGISTRY.optimizer(contender), mine, rate), schedule(contender.schedule)
    mine.train()
    for t in range(1, steps + 1):
        rows = [(8 * (t - 1) + i) % 64 for i in range(8)]
        mine.zero_grad()
        mine(input_ids=IDS[rows], labels=LABELS[rows]).loss.backward()
        driver.step(rate * factor(t, steps), lambda *_: [])
    for p, q in zip(theirs.model.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: steepest.from_transformers(gpt, Rows("")), "The examples have no labels, only input_ids"),
        (lambda path: steepest.from_transformers(lambda: torch.nn.Linear(2, 2), Rows()), "Linear is not a model"),
        (lambda path: steepest.from_transformers(bert, Rows(lengths=True)), "cannot be put into one batch"),
        (lambda path: steepest.from_transformers(bert), "No data is given"),
    ],
)
def test_what_cannot_be_carried_over_is_one_sentence(tmp_path, make, says):
    with pytest.raises(BadTask, match=says):
        make(tmp_path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"optim": "adafactor"}, "The Trainer's optim 'adafactor' cannot be written in words"),
        ({"lr_scheduler_type": "inverse_sqrt"}, "lr_scheduler_type 'inverse_sqrt' cannot be carried over"),
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor belongs to the Trainer's loss"),
    ],
)
def test_what_words_cannot_say_of_a_trainer_is_one_sentence(tmp_path, settings, says):
    with pytest.raises(BadSetting, match=says):
        steepest.setup_of(trainer(tmp_path, **settings))


def test_metrics_of_a_trainer_cannot_be_carried_over(tmp_path):
    given = trainer(tmp_path)
    given.compute_metrics = lambda predicted: {"accuracy": 1.0}
    with pytest.raises(BadTask, match="compute_metrics gets NumPy arrays"):
        steepest.from_transformers(given)
