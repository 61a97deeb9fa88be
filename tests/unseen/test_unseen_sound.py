"""Sound tasks of many kinds: nothing stops them, and what is noted is true."""

import os

import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, random_split
from unseen.looking import draw, sound

import steepest
from steepest import Task


def mlp(inputs: int, outputs: int, *last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs), *last)


X = torch.randn(240, 6, generator=draw(0))
NOISE = torch.randn(240, 1, generator=draw(1))
SIGNAL = X[:, :1] - 0.6 * X[:, 1:2] + 0.4 * NOISE


def plain_regression() -> Task:
    """Diabetes in a year from ten measurements."""
    x, y = load_diabetes(return_X_y=True)
    return Task(
        model=lambda: mlp(10, 1),
        data=(x, y[:, None]),
        loss=nn.HuberLoss(),
        metric="r2",
        standardize="both",
        batch_size=32,
    )


def irises() -> Task:
    """Three classes, 150 rows, one of them twice: tiny data as every course has them."""
    return Task(
        model=lambda: mlp(4, 3), data=load_iris(return_X_y=True), loss=F.cross_entropy, metric="accuracy", batch_size=8
    )


def several_labels() -> Task:
    """Moods of songs, each 0 or 1, with weights for the rare ones."""
    moods = (X[:, :4] + 0.5 * torch.randn(240, 4, generator=draw(2)) > 0.7).float()
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0, 3.0, 3.0, 3.0]))
    return Task(model=lambda: mlp(6, 4), data=(X, moods), loss=loss, metric="accuracy", batch_size=16)


def segmentation() -> Task:
    """Nuclei in microscope pictures, a class for each pixel, the border ignored."""
    y = torch.randint(0, 3, (80, 8, 8), generator=draw(3))
    x = F.one_hot(y, 3).permute(0, 3, 1, 2) + 0.5 * torch.randn(80, 3, 8, 8, generator=draw(4))
    y[:, :, 0] = 255
    net = lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))  # noqa: E731
    return Task(model=net, data=(x, y), loss=nn.CrossEntropyLoss(ignore_index=255), metric="accuracy", batch_size=8)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.vectors, self.gru = nn.Embedding(40, 8, padding_idx=0), nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.gru(self.vectors(words))[0]).transpose(1, 2)


def tagging() -> Task:
    """Parts of speech with padding of −100, scores [B, C, T]."""
    words = torch.randint(1, 40, (160, 9), generator=draw(5))
    tags = words % 5
    lengths = torch.randint(3, 10, (160, 1), generator=draw(6))
    pad = torch.arange(9) >= lengths
    return Task(
        model=Tagger,
        data=(words.masked_fill(pad, 0), tags.masked_fill(pad, -100)),
        loss=F.cross_entropy,
        metric="accuracy",
        batch_size=16,
    )


class Characters(nn.Module):
    """A causal transformer of one layer."""

    causal: Tensor

    def __init__(self, letters: int = 20, length: int = 12) -> None:
        super().__init__()
        self.vectors, self.places = nn.Embedding(letters, 16), nn.Embedding(length, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, letters)
        self.register_buffer("causal", nn.Transformer.generate_square_subsequent_mask(length))

    def forward(self, x: Tensor) -> Tensor:
        h = self.vectors(x) + self.places(torch.arange(x.shape[1]))
        return self.head(self.layer(h, src_mask=self.causal, is_causal=True)).transpose(1, 2)


def language_model() -> Task:
    """The next of twelve letters; windows that do not overlap."""
    text = (torch.randint(0, 5, (13 * 150,), generator=draw(7)).cumsum(0) % 20).view(150, 13)
    return Task(model=Characters, data=(text[:, :-1], text[:, 1:]), loss=F.cross_entropy, batch_size=16)


def autoencoder() -> Task:
    """Digits through six numbers; a sigmoid at the end, and pixels between 0 and 1."""
    x = load_digits().data[:400] / 16
    net = lambda: nn.Sequential(nn.Linear(64, 6), nn.Tanh(), nn.Linear(6, 64), nn.Sigmoid())  # noqa: E731
    return Task(model=net, data=(x, x), loss=nn.BCELoss(), batch_size=32)


class Flow(nn.Module):
    """A normalizing flow of one affine coupling: its own loss is a negative log-likelihood, which may be below 0."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(3, 6)

    def forward(self, x: Tensor) -> Tensor:
        log_scale, shift = self.net(x[:, :3]).chunk(2, 1)
        z = torch.cat([x[:, :3], x[:, 3:] * log_scale.tanh().exp() + shift], 1)
        return (z**2 / 2).sum(1).mean() - log_scale.tanh().sum(1).mean()


def flow() -> Task:
    """Density of six measurements: a likelihood as its own loss."""
    return Task(model=Flow, data=0.05 * X, batch_size=16)


class Denoiser(nn.Module):
    """Diffusion: noise is drawn in training; in evaluation the same noise is computed from the example."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(7, 6)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            noise, t = torch.randn_like(x), torch.rand_like(x[:, :1])
        else:
            noise, t = (x * 1000).sin() * 2**0.5, (x[:, :1] * 777).sin() ** 2
        return ((self.net(torch.cat([x * (1 - t) + noise * t, t], 1)) - noise) ** 2).mean()


def diffusion() -> Task:
    """A model that learns to take noise away, with its own loss."""
    return Task(model=Denoiser, data=X, batch_size=16)


def ranking() -> Task:
    """Pairs of documents, the better one first; a logistic loss on the difference of their scores."""

    class Pairs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = mlp(3, 1)

        def forward(self, better: Tensor, worse: Tensor) -> Tensor:
            return F.softplus(self.score(worse) - self.score(better)).mean()

    first, second = X[:, :3], X[:, 3:]
    swap = (second.sum(1) > first.sum(1))[:, None]
    return Task(
        model=Pairs,
        data={"better": torch.where(swap, second, first), "worse": torch.where(swap, first, second)},
        batch_size=16,
    )


def survival() -> Task:
    """Months until a machine fails, or is last seen: exponential likelihood, targets (time, whether failed)."""
    time = (SIGNAL.exp() * torch.rand(240, 1, generator=draw(8)) * 10 + 0.1).clamp(max=12)
    failed = (time < 12).float()

    def loss(log_rate: Tensor, target: Tensor) -> Tensor:
        return (log_rate.exp()[:, 0] * target[:, 0] - target[:, 1] * log_rate[:, 0]).mean()

    return Task(model=lambda: mlp(6, 1), data=(X, torch.cat([time, failed], 1)), loss=loss, batch_size=16)


class Twins(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tower = mlp(3, 4)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return F.pairwise_distance(self.tower(a), self.tower(b))


def siamese() -> Task:
    """Signatures: distance of two towers, and a hinge for pairs that differ."""
    other = torch.where(torch.arange(240)[:, None] % 2 == 0, X[:, :3] + 0.1 * X[:, 3:], X[:, 3:])
    same = (torch.arange(240) % 2 == 0).float()

    def loss(distance: Tensor, same: Tensor) -> Tensor:
        return (same * distance**2 + (1 - same) * F.relu(1 - distance) ** 2).mean()

    return Task(model=Twins, data=((X[:, :3], other), same), loss=loss, batch_size=16)


def metric_learning() -> Task:
    """Anchor, positive and negative in one model whose loss is the triplet's."""

    class Triplets(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = mlp(6, 4)

        def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
            return F.triplet_margin_loss(self.tower(anchor), self.tower(positive), self.tower(negative))

    triplets = {"anchor": X, "positive": X + 0.3 * torch.randn(240, 6, generator=draw(9)), "negative": X.roll(7, 0)}
    return Task(model=Triplets, data=triplets, batch_size=16)


def contrastive() -> Task:
    """Words and pictures in one space: its loss compares each pair with the batch's others, on purpose."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.pictures = mlp(3, 4), mlp(3, 4)

        def forward(self, words: Tensor, pictures: Tensor) -> Tensor:
            return torch.stack([F.normalize(self.words(words), dim=1), F.normalize(self.pictures(pictures), dim=1)], 1)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        scores = 5 * outputs[:, 0] @ outputs[:, 1].T
        return F.cross_entropy(scores, torch.arange(len(scores)))

    pictures = X[:, :3] * 2 + 0.3 * X[:, 3:]
    return Task(model=Both, data=((X[:, :3], pictures), torch.zeros(240)), loss=loss, batch_size=16)


def graphs() -> Task:
    """Small molecules: atoms [B, N, F], bonds [B, N, N] and a mask; one number a molecule."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 1)

        def forward(self, atoms: Tensor, bonds: Tensor, mask: Tensor) -> Tensor:
            h = torch.relu(bonds @ self.first(atoms))
            h = torch.relu(bonds @ self.second(h)) * mask[..., None]
            return self.head(h.sum(1) / mask.sum(1, keepdim=True))

    g = draw(10)
    atoms, bonds = torch.randn(160, 7, 4, generator=g), (torch.rand(160, 7, 7, generator=g) < 0.3).float()
    mask = (torch.arange(7) < torch.randint(3, 8, (160, 1), generator=g)).float()
    inputs = {"atoms": atoms * mask[..., None], "bonds": (bonds + bonds.transpose(1, 2)).clamp(max=1), "mask": mask}
    y = inputs["atoms"].sum((1, 2))[:, None] / 4 + 0.1 * torch.randn(160, 1, generator=g)
    return Task(model=Net, data=(inputs, y), loss=F.mse_loss, metric="r2", batch_size=16)


def physics() -> Task:
    """A pendulum: the residual of a differential equation at points in time, with derivatives by autograd."""

    class Pendulum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))

        def forward(self, t: Tensor) -> Tensor:
            with torch.enable_grad():
                t = t.detach().requires_grad_()
                angle = 1 + t**2 * self.net(t)
                (speed,) = torch.autograd.grad(angle.sum(), t, create_graph=True)
                (change,) = torch.autograd.grad(speed.sum(), t, create_graph=True)
            return ((change + torch.sin(angle)) ** 2).mean()

    return Task(model=Pendulum, data=torch.linspace(0, 3, 200)[:, None], batch_size=20)


def one_function() -> Task:
    """Fitting a function of one variable without noise: the only input decides the target, and that is the point."""
    x = torch.linspace(0, 1, 200)[:, None]
    return Task(model=lambda: mlp(1, 1), data=(x, x**2 + x), loss=F.mse_loss, metric="r2", batch_size=20)


def quantiles() -> Task:
    """Deliveries: three quantiles [B, 3] of one number [B, 1], by the pinball loss, which broadcasts on purpose."""
    levels = torch.tensor([0.1, 0.5, 0.9])

    def pinball(outputs: Tensor, targets: Tensor) -> Tensor:
        above = targets.expand(-1, 3) - outputs
        return torch.maximum(levels * above, (levels - 1) * above).mean()

    return Task(model=lambda: mlp(6, 3), data=(X, SIGNAL), loss=pinball, batch_size=16)


def counts() -> Task:
    """Accidents at crossings: logarithms of rates and `PoissonNLLLoss`."""
    y = torch.poisson((0.5 * SIGNAL).exp(), generator=draw(11))
    return Task(model=lambda: mlp(6, 1), data=(X, y), loss=nn.PoissonNLLLoss(), batch_size=16)


def heteroscedastic() -> Task:
    """Mean and logarithm of the variance of one number: a likelihood that may fall below 0."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        mean, log_variance = outputs[:, :1], outputs[:, 1:]
        return F.gaussian_nll_loss(mean, targets, log_variance.exp())

    return Task(model=lambda: mlp(6, 2), data=(X, 0.05 * SIGNAL), loss=loss, batch_size=16)


def weighted_classes() -> Task:
    """One fraud in twelve: weights in the loss and balanced accuracy's worth of care."""
    y = (SIGNAL[:, 0] > 1.6).long()
    return Task(
        model=lambda: mlp(6, 2),
        data=(X, y),
        loss=nn.CrossEntropyLoss(weight=torch.tensor([1.0, 10.0])),
        metric="accuracy",
        batch_size=16,
    )


def smoothed_labels() -> Task:
    """Digits with label smoothing."""
    x, y = load_digits(return_X_y=True)
    return Task(
        model=lambda: mlp(64, 10),
        data=(x[:500] / 16, y[:500]),
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        metric="accuracy",
        batch_size=32,
    )


def soft_targets() -> Task:
    """Five annotators: targets are shares of votes that sum to 1, the loss is `KLDivLoss` of log-probabilities."""
    votes = (2 * X[:, :3] + torch.randn(240, 3, generator=draw(12))).softmax(1)
    return Task(
        model=lambda: mlp(6, 3, nn.LogSoftmax(1)),
        data=(X, votes),
        loss=nn.KLDivLoss(reduction="batchmean"),
        batch_size=16,
    )


def log_probabilities() -> Task:
    """`LogSoftmax` and `NLLLoss`, as older tutorials write it."""
    y = (X[:, 0] > 0).long()
    return Task(
        model=lambda: mlp(6, 2, nn.LogSoftmax(dim=1)), data=(X, y), loss=nn.NLLLoss(), metric="accuracy", batch_size=16
    )


def imbalanced() -> Task:
    """Earthquakes: 3 % of one class, plain cross-entropy."""
    x = torch.randn(600, 5, generator=draw(13))
    return Task(
        model=lambda: mlp(5, 2),
        data=(x, (x[:, 0] > 1.88).long()),
        loss=F.cross_entropy,
        metric="accuracy",
        batch_size=32,
    )


def tiny() -> Task:
    """Twenty-four patients in a pilot study."""
    return Task(model=lambda: nn.Linear(6, 1), data=(X[:24], SIGNAL[:24]), loss=F.mse_loss, batch_size=4)


def votes() -> Task:
    """Four yes-or-no answers: 16 different rows at most, so that equal rows in two parts are no copy."""
    x = (X[:, :4] > 0).float()
    y = (x.sum(1) + torch.randn(240, generator=draw(14)) > 2).long()
    return Task(model=lambda: mlp(4, 2), data=(x, y), loss=F.cross_entropy, metric="accuracy", batch_size=16)


def texts() -> Task:
    """Reviews as token numbers with a mean of vectors."""
    words = torch.randint(1, 60, (240, 14), generator=draw(15))
    y = ((words < 12).sum(1) > (words > 48).sum(1)).long()
    net = lambda: nn.Sequential(nn.EmbeddingBag(60, 8), nn.Linear(8, 2))  # noqa: E731
    return Task(model=net, data=(words, y), loss=F.cross_entropy, metric="accuracy", batch_size=16)


def series_in_order() -> Task:
    """Electricity: windows of 12 hours, the parts are blocks of time with a gap, made by hand."""
    g = draw(16)
    t = torch.arange(700.0)
    load = (t / 4).sin() + 0.3 * torch.randn(700, generator=g)
    windows = load.unfold(0, 13, 1)
    x, y = windows[:, :12], windows[:, 12:]
    part = lambda a, b: (x[a:b], y[a:b])  # noqa: E731
    return Task(
        model=lambda: mlp(12, 1),
        train=part(0, 400),
        valid=part(420, 520),
        test=part(540, 688),
        loss=F.mse_loss,
        metric="r2",
        batch_size=32,
    )


def people_apart() -> Task:
    """Gait: 30 people with 12 steps each, and nobody in two parts."""
    g = draw(17)
    own = torch.randn(30, 5, generator=g).repeat_interleave(12, 0)
    x = own + 0.5 * torch.randn(360, 5, generator=g)
    y = (own[:, 0] > 0).long()
    part = lambda a, b: (x[12 * a : 12 * b], y[12 * a : 12 * b])  # noqa: E731
    return Task(
        model=lambda: mlp(5, 2),
        train=part(0, 18),
        valid=part(18, 24),
        test=part(24, 30),
        loss=F.cross_entropy,
        metric="accuracy",
        batch_size=16,
    )


def keras_classes() -> Task:
    """A Keras model with batch norm and dropout that ends in a softmax, and Keras' loss for probabilities."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layers = keras.layers

    def make():
        hidden = [layers.Dense(16, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.2)]
        return keras.Sequential([keras.Input((30,)), *hidden, layers.Dense(2, activation="softmax")])

    loss = keras.losses.SparseCategoricalCrossentropy()
    return Task(
        model=make,
        data=load_breast_cancer(return_X_y=True),
        loss=loss,
        metric="accuracy",
        standardize=True,
        batch_size=32,
    )


def keras_numbers() -> Task:
    """A Keras regression with `MeanAbsoluteError`."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    make = lambda: keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])  # noqa: E731
    return Task(model=make, data=(X, SIGNAL), loss=keras.losses.MeanAbsoluteError(), metric="mae", batch_size=16)


class Output(dict):
    """As transformers have it: a dict with attributes."""

    def __getattr__(self, name: str):
        return self[name]


def output_object() -> Task:
    """A classifier as transformers have it: `labels` go in, an object with loss and logits comes out."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vectors, self.head = nn.Embedding(30, 8), nn.Linear(8, 3)

        def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> Output:
            mask = attention_mask[..., None].float()
            logits = self.head((self.vectors(input_ids) * mask).sum(1) / mask.sum(1))
            return Output(logits=logits, loss=None if labels is None else F.cross_entropy(logits, labels))

    ids = torch.randint(0, 30, (240, 8), generator=draw(18))
    return Task(
        model=Net,
        data={"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids[:, 0] % 3},
        batch_size=16,
    )


def lazy() -> Task:
    """Layers that take their sizes from the data."""
    x = torch.rand(120, 1, 8, 8, generator=draw(19))
    y = (x.mean((1, 2, 3)) > 0.5).long()
    net = lambda: nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))  # noqa: E731
    return Task(model=net, data=(x, y), loss=F.cross_entropy, metric="accuracy", batch_size=12)


def frequencies() -> Task:
    """A filter in the space of frequencies: complex numbers inside, real ones outside."""

    class Filter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain, self.head = nn.Parameter(torch.ones(9)), nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.fft.irfft(torch.fft.rfft(x) * self.gain, n=16))

    x = torch.randn(200, 16, generator=draw(20))
    y = (torch.fft.rfft(x)[:, 3].abs() > 4).long()
    return Task(model=Filter, data=(x, y), loss=F.cross_entropy, metric="accuracy", batch_size=16)


def positives() -> Task:
    """Rents: logarithms of targets, a softplus would do as well; errors in per cent as a metric of one's own."""
    rents = (0.3 * SIGNAL).exp() * 900
    share = steepest.Metric("error", lambda o, t: ((o - t).abs() / t).mean(), higher_is_better=False, unit="%")
    net = lambda: mlp(6, 1, nn.Softplus())  # noqa: E731
    return Task(model=net, data=(X, rents / 900), loss=nn.L1Loss(), metric=share, batch_size=16)


def angles() -> Task:
    """Wind: a unit vector against a unit vector, one minus their cosine."""
    wind = F.normalize(X[:, :2], dim=1)
    loss = lambda o, t: (1 - F.cosine_similarity(o, t)).mean()  # noqa: E731
    return Task(model=lambda: mlp(6, 2, nn.Tanh()), data=(X, wind), loss=loss, batch_size=16)


def ordinal() -> Task:
    """Stars from 0 to 4 as cumulative yes-or-no answers."""
    stars = (SIGNAL * 1.2 + 2).round().clamp(0, 4)
    answers = (stars > torch.arange(4)).float()
    return Task(
        model=lambda: mlp(6, 4),
        data=(X, answers),
        loss=F.binary_cross_entropy_with_logits,
        metric="accuracy",
        batch_size=16,
    )


def loaders_apart() -> Task:
    """Parts by `random_split` of one data set, each with its loader."""

    class Squares(Dataset):
        def __len__(self) -> int:
            return 240

        def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
            return X[i], SIGNAL[i]

    train, valid, test = random_split(Squares(), [160, 40, 40], generator=draw(21))
    parts = {"train": DataLoader(train, 16, shuffle=True), "valid": DataLoader(valid, 16), "test": DataLoader(test, 16)}
    return Task(model=lambda: mlp(6, 1), **parts, loss=F.mse_loss, metric="r2", batch_size=16)


def frozen_features() -> Task:
    """Transfer: a frozen first layer and a new head."""

    def make() -> nn.Module:
        net = mlp(6, 2)
        for p in net[0].parameters():
            p.requires_grad_(False)
        return net

    return Task(model=make, data=(X, (X[:, 0] > 0).long()), loss=F.cross_entropy, metric="accuracy", batch_size=16)


def full_batch() -> Task:
    """All examples in each step, and a linear model: least squares."""
    return Task(
        model=lambda: nn.Linear(6, 1), data=(X, SIGNAL), loss=F.mse_loss, metric="r2", batch_size=144, epochs=50
    )


SOUND = [
    plain_regression, irises, several_labels, segmentation, tagging, language_model, autoencoder, flow, diffusion,
    ranking, survival, siamese, metric_learning, contrastive, graphs, physics, one_function, quantiles, counts,
    heteroscedastic, weighted_classes, smoothed_labels, soft_targets, log_probabilities, imbalanced, tiny, votes, texts,
    series_in_order, people_apart, keras_classes, keras_numbers, output_object, lazy, frequencies, positives, angles,
    ordinal, loaders_apart, frozen_features, full_batch,
]  # fmt: skip


@pytest.mark.parametrize("make", SOUND, ids=lambda make: make.__name__)
def test_nothing_stops_a_sound_task(make):
    sound(make)


def test_there_are_more_than_thirty():
    assert len({make.__name__ for make in SOUND}) > 30
