"""Several inputs, several targets, several heads."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from unseen.looking import draw, measured, sound, stopped, warned

from steepest import Task

X = torch.randn(240, 6, generator=draw(0))
KIND = (X[:, 0] > 0).long() + (X[:, 1] > 0.5).long()
PLACE = X[:, :4] * 0.5 + 0.1 * torch.randn(240, 4, generator=draw(1))
WEIGHT = torch.rand(240, generator=draw(2)) + 0.1


class TwoHeads(nn.Module):
    def __init__(self, place: int = 4) -> None:
        super().__init__()
        self.trunk, self.kind, self.place = nn.Linear(6, 16), nn.Linear(16, 3), nn.Linear(16, place)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.trunk(x))
        return self.kind(h), self.place(h)


class NamedHeads(TwoHeads):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = torch.relu(self.trunk(x))
        return {"kind": self.kind(h), "place": self.place(h)}


def test_a_class_and_a_box():
    """Detection: one head for the class, one for the box; targets and outputs are tuples."""

    def loss(outputs: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(outputs[0], targets[0]) + F.smooth_l1_loss(outputs[1], targets[1])

    sound(lambda: Task(model=TwoHeads, data=(X, (KIND, PLACE)), loss=loss, batch_size=16, epochs=3))


def test_heads_by_name():
    """A clinic: two findings by name in targets and outputs, with the lists of NumPy."""

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(outputs["kind"], targets["kind"]) + F.mse_loss(outputs["place"], targets["place"])

    sound(
        lambda: Task(
            model=NamedHeads, data=(X.numpy(), {"kind": KIND.numpy(), "place": PLACE.numpy()}), loss=loss, batch_size=16
        )
    )


def test_one_head_of_two_is_broadcast():
    """Depth and class of a scene: the depth head gives [B, 1], its target is [B]; the class head is right."""

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(outputs["kind"], targets["kind"]) + F.mse_loss(outputs["place"], targets["place"])

    stopped(
        lambda: Task(
            model=lambda: NamedHeads(1), data=(X, {"kind": KIND, "place": PLACE[:, 0]}), loss=loss, batch_size=16
        ),
        "place|broadcast",
        r", 1\]",
    )


def test_one_target_is_too_short():
    """Two tables that were joined in a hurry: one target has a row less; the sentence names it."""
    seen = stopped(
        lambda: Task(
            model=NamedHeads,
            data=(X, {"kind": KIND[:-1], "place": PLACE}),
            loss=lambda o, t: F.mse_loss(o["place"], t["place"]),
            batch_size=16,
        ),
        "239",
        "240",
    )
    assert "kind" in seen.refused


def test_an_extra_head_for_training_only():
    """Deep supervision: `forward` returns scores and extra scores, one target; accuracy is of the first, or refused."""

    class Extra(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.early, self.main = nn.Linear(6, 3), nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.main(x), self.early(x)

    def loss(outputs: tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs[0], targets) + 0.3 * F.cross_entropy(outputs[1], targets)

    seen = measured(lambda: Task(model=Extra, data=(X, KIND), loss=loss, metric="accuracy", batch_size=16))
    if seen.refused:
        assert "accuracy" in seen.refused
        assert "outputs" in seen.refused
    else:
        assert 0 < seen.page["valid_metric_after"] <= 1


def test_weights_of_examples_travel_with_the_targets():
    """A household survey: each row stands for so many people, and the loss weighs it so."""

    def loss(outputs: Tensor, targets: dict[str, Tensor]) -> Tensor:
        each = F.mse_loss(outputs, targets["income"], reduction="none")[:, 0]
        return (each * targets["people"]).sum() / targets["people"].sum()

    sound(
        lambda: Task(
            model=lambda: nn.Linear(6, 1),
            data=(X, {"income": PLACE[:, :1], "people": WEIGHT}),
            loss=loss,
            batch_size=16,
        )
    )


def test_a_loss_of_each_example_without_weights():
    """`reduction="none"` left in by mistake: a sentence, not a traceback, unless its mean is taken and said."""
    warned(
        lambda: Task(
            model=lambda: nn.Linear(6, 1), data=(X, PLACE[:, :1]), loss=nn.MSELoss(reduction="none"), batch_size=16
        ),
        "mean|scalar",
    )


def test_text_picture_and_numbers():
    """A shop: title as token numbers, a thumbnail and two numbers; three inputs by name."""

    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(30, 4)
            self.picture = nn.Conv2d(3, 4, 3)
            self.head = nn.Linear(10, 1)

        def forward(self, title: Tensor, image: Tensor, numbers: Tensor) -> Tensor:
            h = [self.words(title).mean(1), self.picture(image).mean((2, 3)), numbers]
            return self.head(torch.cat(h, 1))

    g = draw(3)
    inputs = {
        "title": torch.randint(0, 30, (200, 5), generator=g),
        "image": torch.rand(200, 3, 6, 6, generator=g),
        "numbers": torch.randn(200, 2, generator=g),
    }
    y = inputs["numbers"].sum(1, keepdim=True) + 0.1 * torch.randn(200, 1, generator=g)
    sound(lambda: Task(model=Product, data=(inputs, y), loss=F.mse_loss, metric="r2", batch_size=16))


def test_inputs_that_are_swapped():
    """A question and its context as a tuple in the wrong order: shapes cannot meet, and the sentence shows them."""

    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.question, self.context = nn.Linear(5, 4), nn.Linear(9, 4)

        def forward(self, question: Tensor, context: Tensor) -> Tensor:
            return (self.question(question) * self.context(context)).sum(1, keepdim=True)

    g = draw(4)
    question, context = torch.randn(100, 5, generator=g), torch.randn(100, 9, generator=g)
    stopped(
        lambda: Task(model=Reads, data=((context, question), question[:, :1]), loss=F.mse_loss, batch_size=16), "9", "5"
    )
